import test, { type ExecutionContext } from 'ava'
import { nodeOf } from '../../../node/identity/names.ts'
import { GossipWorld } from '../../simulation/gossip-world.ts'
import { client, requestOf } from '../../support/replica-changes.ts'
import { makePeople } from '../../support/replica-people.ts'

const NAMES = Array.from({ length: 12 }, (_, index) => `n${index + 1}`)
const [SEED = '', ORIGIN = ''] = NAMES
const people = await makePeople({ nodes: NAMES })

/** Nodes in step, of which one has accepted a change. */
async function startWorld(t: ExecutionContext): Promise<GossipWorld> {
  const world = new GossipWorld({ people, seed: Number(process.env['SEED'] ?? 1) })
  t.teardown(async () => {
    for (const { name } of world.nodes) await world.stop(name)
  })
  for (const name of NAMES) world.start(name, name === SEED ? [] : [SEED])
  const isWhole = (): boolean =>
    world.nodes.every(({ members }) => members.live().size === NAMES.length)
  await world.time.until('all see all', isWhole, { stepMs: 100 })
  await world.time.pass(1_000)
  await change(world, 1)
  await world.time.until('all hold the first change', () => world.arrivals.size === NAMES.length)
  await world.time.pass(2_000)
  world.traffic.reset()
  return world
}

async function change(world: GossipWorld, number: number): Promise<void> {
  await world.change(ORIGIN, requestOf('revocation', client(`client-${number}`)))
}

function neighbour(world: GossipWorld): string {
  const [link] = world.node(ORIGIN).overlay.links()
  return link?.peer.name ?? ''
}

/** No honest link was ended for what its peer sent. */
function refusals(world: GossipWorld): string[] {
  return world.nodes.flatMap(node => node.refusals)
}

test('the first change of a node comes to each about three times as well', async t => {
  const world = await startWorld(t)
  const [other = ''] = NAMES.slice(5)
  await world.change(other, requestOf('revocation', client('client-2')))
  await world.time.until('all hold it', () => world.arrivals.size === NAMES.length, {
    maxMs: 60,
  })
  await world.time.pass(1_000)
  const { whitelist } = world.traffic.copies
  t.true(whitelist <= 3 * NAMES.length, `${whitelist} copies`)
  t.deepEqual(refusals(world), [])
})

test('a node names those of its links first that are the fastest, whoever dialed', async t => {
  const world = await startWorld(t)
  for (const { name, members } of world.nodes) {
    const delays = world.delaysOf(name)
    const named = members.self.links.map(link => delays.get(nodeOf(link)) ?? Number.NaN)
    t.true(named.length > 1)
    t.deepEqual(
      named,
      named.toSorted((a, b) => a - b),
    )
  }
})

test('a change comes to each node about three times, and at once', async t => {
  const world = await startWorld(t)
  await change(world, 2)
  await world.time.until('all hold it', () => world.arrivals.size === NAMES.length, {
    maxMs: 60,
  })
  await world.time.pass(1_000)
  const { whitelist } = world.traffic.copies
  t.true(whitelist <= 3 * NAMES.length, `${whitelist} copies`)
  t.deepEqual(refusals(world), [])
})

test('with a link of the tree cut, and with a node of it frozen, a change comes to all without a wait', async t => {
  const world = await startWorld(t)
  t.is(world.cut(ORIGIN, neighbour(world)), 1)
  await change(world, 2)
  await world.time.until('all hold it', () => world.arrivals.size === NAMES.length, {
    maxMs: 60,
  })
  await world.time.pass(2_000)
  const frozen = neighbour(world)
  world.node(frozen).clock.freeze()
  await change(world, 3)
  const others = NAMES.filter(name => name !== frozen)
  await world.time.until(
    'all others hold it',
    () => others.every(name => world.arrivals.has(name)),
    {
      maxMs: 100,
    },
  )
  world.node(frozen).clock.thaw()
  await world.time.until('it holds it too', () => world.arrivals.has(frozen))
  t.deepEqual(refusals(world), [])
})

test('a node to which all ways are bad but the slowest is brought a change by that one without a long wait', async t => {
  const world = await startWorld(t)
  const [far = ''] = NAMES.slice(6)
  const peers = [...world.delaysOf(far)].toSorted(([, a], [, b]) => a - b).map(([peer]) => peer)
  for (const peer of peers.slice(0, -1)) world.swallow(peer, far)
  await change(world, 2)
  await world.time.until('it holds it', () => world.arrivals.has(far), { maxMs: 90 })
  t.deepEqual(refusals(world), [])
})

test('where every third node does everything 100 ms late, a change comes to each about three times', async t => {
  const world = await startWorld(t)
  const busy = NAMES.filter((name, index) => index % 3 === 2 && name !== ORIGIN)
  for (const name of busy) world.node(name).clock.freeze()
  await change(world, 2)
  await world.time.pass(100)
  for (const name of busy) world.node(name).clock.thaw()
  await world.time.until('all hold it', () => world.arrivals.size === NAMES.length)
  await world.time.pass(1_000)
  const { whitelist } = world.traffic.copies
  t.true(whitelist <= 3 * NAMES.length, `${whitelist} copies`)
  t.deepEqual(refusals(world), [])
})

test('over lines that lose a fifth of all packets every change comes to every node', async t => {
  const world = await startWorld(t)
  world.loss = 0.2
  for (let number = 2; number < 12; number += 1) {
    await change(world, number)
    await world.time.pass(100)
  }
  const isWhole = (): boolean =>
    world.nodes.every(({ replica }) => replica.whitelist.changes === 11)
  await world.time.until('all hold all', isWhole, { stepMs: 50, maxMs: 10_000 })
  t.deepEqual(refusals(world), [])
})

test('changes of all nodes at once come to all, in an order in which each can be taken', async t => {
  const world = await startWorld(t)
  for (let round = 1; round <= 3; round += 1) {
    for (const [index, name] of NAMES.entries()) {
      // Grants that have seen what came just before.
      await world.change(name, requestOf('grant', client(`client-${index % 3}`)))
      await world.time.pass(7)
    }
  }
  const held = 1 + 3 * NAMES.length
  const isWhole = (): boolean =>
    world.nodes.every(({ replica }) => replica.whitelist.changes === held)
  await world.time.until('all hold all', isWhole, { stepMs: 50, maxMs: 10_000 })
  t.deepEqual(refusals(world), [])
})
