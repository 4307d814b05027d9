import test from 'ava'
import { removalsAhead } from '../../../node/gossip/removals-ahead.ts'
import { DurableList } from '../../../node/gossip/durable-list.ts'
import { parseName, subjectOf } from '../../../node/identity/names.ts'
import type { Entry } from '../../../node/whitelist/entry.ts'
import { SimulatedDisk } from '../../simulation/simulated-disk.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { attachEndpoint, type TestEndpoint } from '../../support/gossip-document.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { client, NOON, requestOf, testSource } from '../../support/replica-changes.ts'
import { openReplica, testNetwork, type TestReplica } from '../../support/replica-pair.ts'
import { makePeople } from '../../support/replica-people.ts'
import { WatchedStore } from '../../support/watched-store.ts'

/** What takes away acts, and goes on, before it is written. */

const AMBER = client('amber')
const BERYL = client('beryl')
const CORAL = client('coral')
const people = await makePeople({ nodes: ['alpha', 'beta', 'gamma'], operators: ['olga', 'oscar'] })
const ALPHA = testSource('alpha')

/** The removals of `alpha` that an end was sent, by their sequence. */
function sentTo({ sent }: TestEndpoint): unknown[] {
  return sent
    .filter(frame => Array.isArray(frame))
    .filter(([, , source]) => source === ALPHA)
    .map(([, sequence]) => sequence as unknown)
}

/** `alpha` has let AMBER and BERYL in; `beta` heard it, and has `gamma` in step behind it. */
async function openChain<S extends MemoryStore>(store: S) {
  const { connect, quiet, network } = testNetwork()
  const alpha = openReplica(people, 'alpha')
  const beta = openReplica(people, 'beta', { store })
  await alpha.grant(AMBER)
  await alpha.grant(BERYL)
  connect(alpha, beta)
  await quiet()
  const gamma = attachEndpoint(beta.replica, testSource('gamma'))
  await gamma.receive({ id: testSource('gamma'), clock: { [ALPHA]: 2 } }, 'SYNC')
  return { alpha, beta, gamma, store, quiet, network, connect }
}

/** Whether a subject is in by what decides at a node. */
function isIn({ replica }: TestReplica, subject: typeof AMBER): boolean {
  return replica.stateOf(subject).grants.length > 0
}

/** Three nodes, of which beta writes to a disk that may be full. */
function withDisk() {
  const disk = new SimulatedDisk()
  const clock = new FakeClock(NOON)
  return {
    ...testNetwork(),
    disk,
    clock,
    alpha: openReplica(people, 'alpha'),
    beta: openReplica(people, 'beta', { store: disk.open(), clock }),
    gamma: openReplica(people, 'gamma'),
  }
}

test('a removal that a peer brings acts and is passed on before it is written, and confirmed after it', async t => {
  const { alpha, beta, gamma, store, quiet, network } = await openChain(new WatchedStore())
  const happened: unknown[] = []
  beta.replica.subscribeAhead(removals => {
    happened.push(['cut', ...removals.map(({ change }) => change.subject)])
    // Links write what they gathered in the next turn, and end in the one after it.
    setImmediate(() => setImmediate(() => happened.push('left')))
  })
  beta.replica.subscribe(() => happened.push('confirmed'))
  store.onAppend = () => happened.push(['written', sentTo(gamma), isIn(beta, AMBER)])
  await alpha.revoke(AMBER)
  await quiet()
  t.deepEqual(happened, [['cut', AMBER], 'left', ['written', [3], false], 'confirmed'])
  t.deepEqual(sentTo(gamma), [3], 'it is sent once')
  t.deepEqual(network.refusals, [])
})

test('a grant neither acts nor is passed on before it is written', async t => {
  const { alpha, beta, gamma, store, quiet } = await openChain(new WatchedStore())
  beta.replica.subscribeAhead(() => t.fail())
  store.onAppend = () => t.deepEqual(sentTo(gamma), [])
  await alpha.grant(CORAL)
  await quiet()
  t.deepEqual(sentTo(gamma), [3])
  t.true(isIn(beta, CORAL))
  t.plan(3)
})

test('a removal that cannot be written has gone on, acts, and is confirmed when it is brought again', async t => {
  const { disk, clock, connect, quiet, network, alpha, beta, gamma } = withDisk()
  await alpha.grant(AMBER)
  connect(alpha, beta)
  connect(beta, gamma)
  await quiet()
  disk.isFull = true
  await alpha.revoke(AMBER)
  await quiet()
  t.false(isIn(beta, AMBER))
  t.false(gamma.isIn(AMBER), 'who is behind a full disk hears of it')
  t.true(beta.isIn(AMBER), 'the list is what is on its disk')
  disk.isFull = false
  await clock.advance(1_000)
  connect(alpha, beta)
  await quiet()
  t.false(beta.isIn(AMBER))
  t.deepEqual(beta.states(), gamma.states())
  t.deepEqual(network.refusals, [])
})

test('what went on and could not be written is asked for of those it went to as well', async t => {
  const { disk, clock, connect, quiet, network, alpha, beta, gamma } = withDisk()
  await alpha.grant(AMBER)
  await alpha.grant(BERYL)
  const link = connect(alpha, beta)
  connect(beta, gamma)
  await quiet()
  disk.isFull = true
  await alpha.revoke(AMBER)
  await quiet()
  t.false(gamma.isIn(AMBER))
  // Only `gamma` is left to bring it, which takes it for held there.
  link.cut()
  disk.isFull = false
  await clock.advance(1_000)
  await quiet()
  t.deepEqual(
    network.leaves.map(({ by, of }) => [by, of]),
    [['beta', 'gamma']],
  )
  connect(beta, gamma)
  connect(alpha, gamma)
  await alpha.revoke(BERYL)
  await quiet()
  t.deepEqual(beta.states(), alpha.states())
  t.deepEqual(network.refusals, [])
})

/** The changes of a node, in their order. */
function entriesOf(store: MemoryStore): Entry[] {
  return store.entries.filter(one => 'change' in one)
}

/** A list that holds the first `held` of some entries. */
function listOf(entries: readonly Entry[], held: number): DurableList {
  const store = new MemoryStore()
  store.append(entries.slice(0, held))
  return new DurableList({
    store,
    signers: people.signers(store),
    clock: new FakeClock(NOON),
    onStoring: () => {},
    publish: () => {},
  })
}

test('of what comes together the removals act with which it begins, and the list is left as it was', async t => {
  const store = new MemoryStore()
  const alpha = openReplica(people, 'alpha', { store })
  await alpha.grant(AMBER)
  await alpha.grant(BERYL)
  await alpha.revoke(AMBER)
  await alpha.revoke(BERYL)
  await alpha.grant(CORAL)
  await alpha.revoke(CORAL)
  const entries = entriesOf(store)
  using list = listOf(entries, 2)
  const ahead = removalsAhead(['stale', ...entries.slice(2)], list)
  t.deepEqual(
    ahead.map(({ change }) => change.subject),
    [AMBER, BERYL],
  )
  t.is(list.whitelist.changes, 2)
  t.is(list.whitelist.state(AMBER).grants.length, 1)
})

test('a removal does not act ahead that stands behind a hole, or whose link is to end', async t => {
  const store = new MemoryStore()
  const alpha = openReplica(people, 'alpha', { store })
  await alpha.grant(AMBER)
  await alpha.grant(BERYL)
  await alpha.revoke(AMBER)
  const entries = entriesOf(store)
  using list = listOf(entries, 1)
  t.deepEqual(removalsAhead(entries.slice(2), list), [])
  using whole = listOf(entries, 2)
  t.deepEqual(removalsAhead(['its signature does not hold', ...entries.slice(2)], whole), [])
})

test('behind the removal of an author nothing acts ahead: what it makes void is looked up once', async t => {
  const store = new MemoryStore()
  const alpha = openReplica(people, 'alpha', { store })
  await alpha.grant(AMBER)
  await alpha.request(requestOf('revocation', subjectOf('operator', parseName('oscar'))))
  await alpha.revoke(AMBER)
  const entries = entriesOf(store)
  using list = listOf(entries, 1)
  t.deepEqual(removalsAhead(entries.slice(1), list), [entries[1]])
})
