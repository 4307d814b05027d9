import test from 'ava'
import { FridgeError } from '../../../node/lib/errors.ts'
import { StorageHealth } from '../../../node/gossip/storage-health.ts'
import { Wholeness } from '../../../node/gossip/wholeness.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const PROBE_MS = 1_000

function setScene() {
  const clock = new FakeClock()
  const disk = { isFull: false, isWhole: false, writes: 0 }
  const write = (): void => {
    disk.writes += 1
    if (disk.isFull) throw new FridgeError('ERR_DATABASE', 'the disk is full')
  }
  const storage = new StorageHealth({ clock, probe: write })
  const record = {
    isWhole: () => disk.isWhole,
    noteWhole: (isWhole: boolean) => {
      write()
      disk.isWhole = isWhole
    },
  }
  return { clock, disk, storage, open: () => new Wholeness({ record, storage }) }
}

test('a whole log is remembered for the next start', t => {
  const { disk, open } = setScene()
  const wholeness = open()
  t.false(wholeness.isWhole)
  wholeness.note(true)
  wholeness.note(true)
  t.is(disk.writes, 1)
  t.true(open().isWhole)
  wholeness.note(false)
  t.false(open().isWhole)
})

test('that a log is whole and could not be remembered is tried again once changes can be stored', async t => {
  const { clock, disk, storage, open } = setScene()
  const wholeness = open()
  disk.isFull = true
  wholeness.note(true)
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

test('it is not tried again when the beginning of a longer log has begun to come meanwhile', async t => {
  const { clock, disk, storage, open } = setScene()
  const wholeness = open()
  disk.isFull = true
  wholeness.note(true)
  wholeness.note(false)
  disk.isFull = false
  await clock.advance(PROBE_MS)
  t.is(storage.failing, undefined)
  t.false(wholeness.isWhole)
})

test('nothing is noted once it is closed', async t => {
  const { clock, disk, storage, open } = setScene()
  const wholeness = open()
  disk.isFull = true
  wholeness.note(true)
  wholeness[Symbol.dispose]()
  disk.isFull = false
  await clock.advance(PROBE_MS)
  t.is(storage.failing, undefined)
  t.false(open().isWhole)
})
