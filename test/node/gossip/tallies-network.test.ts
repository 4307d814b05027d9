import test, { type ExecutionContext } from 'ava'
import { awaitConfirmations, type Proof } from '../../../node/gossip/confirmations.ts'
import type { DocumentStream } from '../../../node/gossip/document-stream.ts'
import { encodeTally, markOf } from '../../../node/gossip/tally.ts'
import { GossipWorld } from '../../simulation/gossip-world.ts'
import { client, requestOf, testSource } from '../../support/replica-changes.ts'
import { makePeople } from '../../support/replica-people.ts'

const NAMES = Array.from({ length: 24 }, (_, index) => `n${index + 1}`)
const [SEED = '', ORIGIN = ''] = NAMES
const people = await makePeople({ nodes: NAMES })

/** A cluster that is large enough for its confirmations to be tallied. */
async function startWorld(t: ExecutionContext): Promise<GossipWorld> {
  const world = new GossipWorld({ people, singly: 8, seed: Number(process.env['SEED'] ?? 1) })
  t.teardown(async () => {
    for (const { name } of world.nodes) await world.stop(name)
  })
  for (const name of NAMES) world.start(name, name === SEED ? [] : [SEED])
  const isWhole = (): boolean =>
    world.nodes.every(({ members }) => members.live().size === NAMES.length)
  await world.time.until('all see all', isWhole, { stepMs: 100 })
  await world.time.pass(2_000)
  await prove(world, 1)
  await world.time.pass(2_000)
  world.traffic.reset()
  return world
}

/** Change the list, and wait for the proof. */
async function prove(world: GossipWorld, number: number, maxMs = 30_000): Promise<Proof> {
  const { replica, members, clock } = world.node(ORIGIN)
  const { confirmations } = replica
  const commit = await world.change(ORIGIN, requestOf('revocation', client(`client-${number}`)))
  if (commit.outcome !== 'committed') throw new Error('it was not committed')
  let proof: Proof | undefined
  void awaitConfirmations(commit.entry.change, {
    confirmations,
    members,
    clock,
    timeoutMs: maxMs,
    committedAt: clock.monotonic(),
    onConfirmed: () => {},
    signal: new AbortController().signal,
  }).then(known => (proof = known))
  await world.time.until('it is proven', () => proof !== undefined, { maxMs: maxMs + 1 })
  if (proof === undefined) throw new Error('no proof')
  return proof
}

function namesIn({ confirmed }: Proof): string[] {
  return confirmed.map(({ node }) => String(node)).sort()
}

test('in a large cluster every node confirms, and what the accepting node hears of it is short', async t => {
  const world = await startWorld(t)
  const before = world.time.now
  const proof = await prove(world, 2)
  t.deepEqual(namesIn(proof), [...NAMES].sort())
  t.true(world.time.now - before < 500, `${world.time.now - before} ms`)
  const { bytes } = world.traffic
  t.true(bytes.confirmations < 400 * NAMES.length, `${bytes.confirmations} bytes at all nodes`)
  t.deepEqual(
    world.nodes.flatMap(({ refusals }) => refusals),
    [],
  )
})

test('a node that cut somebody says so by itself', async t => {
  const world = await startWorld(t)
  world.cutsOn('n9')
  const { confirmed } = await prove(world, 2)
  const cut = confirmed.filter(one => one.cut !== undefined && one.cut > 0)
  t.deepEqual(
    cut.map(({ node }) => String(node)),
    ['n9'],
  )
})

const nobody: DocumentStream = {
  send: () => {},
  drained: async () => {},
  refuse: () => {},
  leave: () => {},
  onSynced: () => {},
}

test('a relay that tallies for nodes that have said nothing is not believed, and the nodes are asked', async t => {
  const world = await startWorld(t)
  const { replica, members } = world.node(ORIGIN)
  const [silent = '', ...others] = NAMES.filter(name => name !== ORIGIN)
  world.node(silent).clock.freeze()
  const commit = await world.change(ORIGIN, requestOf('revocation', client('client-2')))
  if (commit.outcome !== 'committed') return t.fail()
  const { source, sequence } = commit.entry.change
  const confirmed = new Set<string>()
  using _told = replica.confirmations.subscribe(({ node, to, applied }) => {
    if (to === source && applied >= sequence) confirmed.add(node)
  })
  const run = testSource(silent)
  t.true(members.isLive(run))
  const tally = {
    to: source,
    applied: sequence,
    marks: new Set([markOf(run)]),
    tag: Buffer.alloc(16),
  }
  t.deepEqual(replica.confirmations.take({ tallied: [encodeTally(tally)] }, nobody), {})
  await world.time.pass(500)
  t.is(confirmed.size, others.length + 1)
  t.false(confirmed.has(run))
  world.node(silent).clock.thaw()
  await world.time.until('it has confirmed itself', () => confirmed.has(run), { maxMs: 5_000 })
})

test('what is lost with a link on the way is asked for', async t => {
  const world = await startWorld(t)
  world.loss = 0.2
  for (let number = 2; number < 6; number += 1) {
    for (const { peer } of world.node(ORIGIN).overlay.links().slice(0, 2)) {
      world.cut(ORIGIN, peer.name)
    }
    t.deepEqual(namesIn(await prove(world, number)), [...NAMES].sort())
  }
})
