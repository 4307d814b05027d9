import test from 'ava'
import { HeadComparison } from '../../../node/gossip/head-comparison.ts'
import type { DocumentStream } from '../../../node/gossip/document-stream.ts'
import type { Source } from '../../../node/identity/names.ts'
import { ALL_VOUCHED } from '../../support/vouchers.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { revocationsOf, testSource } from '../../support/replica-changes.ts'
import { buildWhitelist } from '../../../node/whitelist/build.ts'

const ALPHA = testSource('alpha')

/** @param own a source of this node; @param heard what is told of it */
function holding(count: number, own?: Source, heard: string[] = []): HeadComparison {
  const store = new MemoryStore()
  store.append(revocationsOf(ALPHA, count))
  const list = buildWhitelist(store, ALL_VOUCHED)
  return new HeadComparison({
    list: () => list,
    store,
    isOwn: source => own !== undefined && source === own,
    onSpread: (_, sequence) => heard.push(`held ${sequence}`),
    onFork: () => heard.push('fork'),
    onOther: ({ change }) => heard.push(`other ${change.sequence}`) > 0,
  })
}

function recorder(): { sent: unknown[]; stream: DocumentStream } {
  const sent: unknown[] = []
  const stream: DocumentStream = {
    send: frame => sent.push(frame),
    drained: async () => {},
    refuse: () => {},
    leave: () => {},
    onSynced: () => {},
  }
  return { sent, stream }
}

test('an entry is announced with its hash', t => {
  const heads = holding(2)
  const announced = heads.announcementOf(ALPHA, 2)
  t.true(Array.isArray(announced))
  const [sequence, hash] = announced as [number, string]
  t.is(sequence, 2)
  t.is(hash.length, 22)
  t.is(heads.announcementOf(ALPHA, 1), 1, 'of an older one the place alone')
})

test('a peer that announces another entry at a place is shown the one that is held, and the same is not', t => {
  const heads = holding(2)
  const { sent, stream } = recorder()
  const [, hash] = heads.announcementOf(ALPHA, 2) as [number, string]
  heads.compare({ source: ALPHA, sequence: 2, hash }, stream)
  heads.compare({ source: ALPHA, sequence: 2, hash: undefined }, stream)
  heads.compare({ source: ALPHA, sequence: 1, hash: 'x'.repeat(22) }, stream)
  t.deepEqual(sent, [])
  heads.compare({ source: ALPHA, sequence: 2, hash: 'x'.repeat(22) }, stream)
  t.like(sent, [{ 1: 2, 2: ALPHA }])
})

test('a peer that announces other entries without end is shown a few', t => {
  const heads = holding(1)
  const { sent, stream } = recorder()
  for (let round = 0; round < 100; round += 1) {
    heads.compare({ source: ALPHA, sequence: 1, hash: 'x'.repeat(22) }, stream)
  }
  t.is(sent.length, 8)
})

test('of a source of this node a peer is shown nothing, and the node hears what the peer holds', t => {
  const heard: string[] = []
  const heads = holding(2, ALPHA, heard)
  const { sent, stream } = recorder()
  const [, hash] = heads.announcementOf(ALPHA, 2) as [number, string]
  heads.compare({ source: ALPHA, sequence: 2, hash }, stream)
  heads.compare({ source: ALPHA, sequence: 2, hash: 'x'.repeat(22) }, stream)
  t.deepEqual(heads.take({ heads: { [ALPHA]: [1, 'x'.repeat(43)] } }, stream), {})
  t.deepEqual(heard, ['held 2', 'other 2', 'other 1'])
  t.deepEqual(sent, [])
})
