import test from 'ava'
import { FridgeError } from '../../../node/lib/errors.ts'
import type { DocumentStream } from '../../../node/gossip/document-stream.ts'
import { ReplicaLinks } from '../../../node/gossip/replica-links.ts'
import { StorageHealth } from '../../../node/gossip/storage-health.ts'
import { Wholeness } from '../../../node/gossip/wholeness.ts'
import type { Extent } from '../../../node/whitelist/extent.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const PROBE_MS = 1_000

/** A link to a peer whose list is whole. */
const LINK: DocumentStream = {
  send: () => {},
  drained: async () => {},
  refuse: () => {},
  leave: () => {},
  wasWhole: { here: undefined, there: true },
  onSynced: () => {},
}

function setScene() {
  const clock = new FakeClock()
  const disk = { isFull: false, extent: 'new' as Extent, writes: 0 }
  const write = (): void => {
    disk.writes += 1
    if (disk.isFull) throw new FridgeError('ERR_DATABASE', 'the disk is full')
  }
  const storage = new StorageHealth({ clock, probe: write })
  const record = {
    extent: () => disk.extent,
    noteExtent: (extent: Extent) => {
      write()
      disk.extent = extent
    },
  }
  const links = new ReplicaLinks(clock)
  const open = (): Wholeness => new Wholeness({ record, storage, links, isEmpty: () => false })
  return { clock, disk, storage, links, open }
}

test('a whole log is remembered for the next start', t => {
  const { disk, open } = setScene()
  const wholeness = open()
  t.false(wholeness.isWhole)
  wholeness.noteAlone()
  wholeness.noteAlone()
  t.is(disk.writes, 1)
  t.true(open().isWhole)
  wholeness.brought(LINK)
  t.false(open().isWhole)
})

test('that a log is whole and could not be remembered is tried again once changes can be stored', async t => {
  const { clock, disk, storage, open } = setScene()
  const wholeness = open()
  disk.isFull = true
  wholeness.noteAlone()
  t.false(wholeness.isWhole)
  t.not(storage.failing, undefined)
  await clock.advance(PROBE_MS)
  t.false(wholeness.isWhole)
  disk.isFull = false
  await clock.advance(2 * PROBE_MS)
  t.is(storage.failing, undefined)
  t.true(wholeness.isWhole)
  t.true(open().isWhole)
})

test('who was told of the beginning of a list is told anew that it is whole, also where the disk says so late', async t => {
  const { clock, disk, links, open } = setScene()
  disk.extent = 'beginning'
  const wholeness = open()
  let left = 0
  links.add({ ...LINK, leave: () => (left += 1), wasWhole: { here: false, there: undefined } })
  disk.isFull = true
  wholeness.exchanged(LINK)
  t.is(left, 0)
  disk.isFull = false
  await clock.advance(2 * PROBE_MS)
  t.true(wholeness.isWhole)
  t.is(left, 1)
})

test('it is not tried again when the beginning of a longer log has begun to come meanwhile', async t => {
  const { clock, disk, storage, open } = setScene()
  const wholeness = open()
  disk.isFull = true
  wholeness.noteAlone()
  wholeness.brought(LINK)
  disk.isFull = false
  await clock.advance(2 * PROBE_MS)
  t.is(storage.failing, undefined)
  t.false(wholeness.isWhole)
})

test('nothing is noted once it is closed', async t => {
  const { clock, disk, storage, open } = setScene()
  const wholeness = open()
  disk.isFull = true
  wholeness.noteAlone()
  wholeness[Symbol.dispose]()
  disk.isFull = false
  await clock.advance(PROBE_MS)
  t.is(storage.failing, undefined)
  t.false(open().isWhole)
})
