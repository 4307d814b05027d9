import test from 'ava'
import { PeerClock } from '../../../node/gossip/peer-clock.ts'
import { testSource } from '../../support/replica-changes.ts'

const ALPHA = testSource('alpha')
const BETA = testSource('beta')
const GAMMA = testSource('gamma')

/** A node, and what it keeps of one peer. */
function clocks(...held: readonly (readonly [typeof ALPHA, number])[]) {
  const here = new Map(held)
  const peer = new PeerClock({ held: source => here.get(source) ?? 0, sources: () => here.keys() })
  return { here, peer }
}

test('until the digest is read a peer holds what it has said, and nothing else', t => {
  const { peer } = clocks([ALPHA, 3])
  t.is(peer.get(ALPHA), 0)
  peer.set(ALPHA, 2)
  t.is(peer.get(ALPHA), 2)
  t.deepEqual(peer.toMap(), new Map([[ALPHA, 2]]))
})

test('what the digest of a peer does not name it does not hold, and what it names beyond this node it does', t => {
  const { peer } = clocks([ALPHA, 3], [BETA, 5])
  peer.set(ALPHA, 3)
  peer.set(GAMMA, 7)
  peer.read()
  t.deepEqual(
    [ALPHA, BETA, GAMMA].map(source => peer.get(source)),
    [3, 0, 7],
  )
  t.deepEqual(
    peer.toMap(),
    new Map([
      [GAMMA, 7],
      [BETA, 0],
      [ALPHA, 3],
    ]),
  )
})

test('where this node goes on the peer stays, until it is sent that or says so', t => {
  const { here, peer } = clocks([ALPHA, 3])
  peer.set(ALPHA, 3)
  peer.read()
  for (const [source, sequence] of [
    [ALPHA, 5],
    [BETA, 1],
  ] as const) {
    peer.stay(source)
    here.set(source, sequence)
  }
  t.deepEqual([peer.get(ALPHA), peer.get(BETA)], [3, 0])
  peer.set(ALPHA, 5)
  t.is(peer.get(ALPHA), 5)
  peer.stay(ALPHA)
  here.set(ALPHA, 6)
  t.is(peer.get(ALPHA), 5)
})

test('where buckets were the same the peer holds what this node held when it said them', t => {
  const { here, peer } = clocks([ALPHA, 3], [BETA, 5])
  peer.watch()
  for (const [source, sequence] of [
    [ALPHA, 4],
    [GAMMA, 1],
  ] as const) {
    peer.stay(source)
    here.set(source, sequence)
  }
  peer.read([])
  t.deepEqual(
    [ALPHA, BETA, GAMMA].map(source => peer.get(source)),
    [3, 5, 0],
  )
})

test('where buckets differ the peer holds what it has named, and nothing else', t => {
  const { peer } = clocks([ALPHA, 3], [BETA, 5], [GAMMA, 2])
  peer.watch()
  peer.set(ALPHA, 2)
  peer.read([ALPHA, BETA])
  t.deepEqual(
    [ALPHA, BETA, GAMMA].map(source => peer.get(source)),
    [2, 0, 2],
  )
})

test('a peer that has said more than this node holds is not behind when this node catches up', t => {
  const { here, peer } = clocks()
  peer.read()
  peer.set(ALPHA, 4)
  peer.stay(ALPHA)
  here.set(ALPHA, 2)
  t.is(peer.get(ALPHA), 4)
})

test('of a source that is forgotten nothing is left', t => {
  const { here, peer } = clocks([ALPHA, 3])
  peer.read()
  peer.forget(ALPHA)
  here.delete(ALPHA)
  t.is(peer.get(ALPHA), 0)
  t.is(peer.toMap().size, 0)
})
