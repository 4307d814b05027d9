import test from 'ava'
import { linksAccepted, linksKept, linksWanted } from '../../../node/gossip/overlay-plan.ts'
import { GossipWorld, type WorldNode } from '../../simulation/gossip-world.ts'
import { makePeople } from '../../support/replica-people.ts'

const NAMES = Array.from({ length: 16 }, (_, index) => `n${index + 1}`)
const MANY = Array.from({ length: 32 }, (_, index) => `n${index + 1}`)
const [SEED = ''] = NAMES
const people = await makePeople({ nodes: MANY })

test('while half of the nodes are gone the others dial within their budget, and find who comes back', async t => {
  const world = new GossipWorld({ people })
  t.teardown(async () => {
    for (const { name } of world.nodes) await world.stop(name)
  })
  for (const name of NAMES) world.start(name, name === SEED ? [] : [SEED])
  const isWhole = (): boolean =>
    world.nodes.every(({ members }) => members.live().size === world.nodes.length)
  await world.time.until('all see all', isWhole, { stepMs: 100 })
  const gone = NAMES.slice(8)
  for (const name of gone) await world.kill(name)
  const before = world.dials.length
  await world.time.pass(20_000)
  for (const { name } of world.nodes) {
    const made = world.dials.slice(before).filter(({ from }) => from === name).length
    t.true(made <= 8 + 2 * 20, `${name} dialed ${made} times`)
  }
  // They know nobody that lives, and are found.
  for (const name of gone.slice(0, 3)) world.start(name)
  await world.time.until('they are back', isWhole, { stepMs: 100, maxMs: 60_000 })
})

test('addresses that swallow all packets keep nobody from joining', async t => {
  const world = new GossipWorld({ people })
  t.teardown(async () => {
    for (const { name } of world.nodes) await world.stop(name)
  })
  for (const name of NAMES.slice(0, 4)) world.start(name, name === SEED ? [] : [SEED])
  const holes = NAMES.slice(8)
  for (const name of holes) world.blackHole(name)
  world.start('n5', [...holes, SEED])
  const isWhole = (): boolean => world.nodes.every(({ members }) => members.live().size === 5)
  await world.time.until('it has joined', isWhole, { stepMs: 100, maxMs: 3_000 })
  t.pass()
})

for (const [how, cutOff] of [
  ['is down', () => {}],
  ['swallows all packets', (world: GossipWorld) => world.blackHole(SEED)],
] as const) {
  test(`ten nodes that start again find each other by what they remember while their seed ${how}`, async t => {
    const world = new GossipWorld({ people })
    t.teardown(async () => {
      for (const { name } of world.nodes) await world.stop(name)
    })
    cutOff(world)
    const ten = NAMES.slice(1, 11)
    for (const name of ten) {
      world.start(
        name,
        [SEED],
        [SEED, ...ten].filter(other => other !== name),
      )
    }
    const isWhole = (): boolean =>
      world.nodes.every(({ members }) => members.live().size === ten.length)
    await world.time.until('all see all', isWhole, { stepMs: 100, maxMs: 10_000 })
    t.pass()
  })
}

test('the seed that all have joined by lets go of links until it has no more than others, and nobody is lost', async t => {
  const world = new GossipWorld({ people })
  t.teardown(async () => {
    for (const { name } of world.nodes) await world.stop(name)
  })
  for (const name of MANY) world.start(name, name === SEED ? [] : [SEED])
  const isWhole = (): boolean =>
    world.nodes.every(({ members }) => members.live().size === MANY.length)
  const { overlay } = world.node(SEED)
  const accepted = linksAccepted(MANY.length)
  await world.time.until('all begin there', () => overlay.links().length > accepted)
  await world.time.until('all see all', isWhole, { stepMs: 100 })
  await world.time.until('it is as others are', () => overlay.links().length <= accepted, {
    stepMs: 500,
    maxMs: 60_000,
  })
  t.true(isWhole())
})

test('a cluster that grew node by node lets go of links that neither end wants, and dials nobody for that', async t => {
  const world = new GossipWorld({ people })
  t.teardown(async () => {
    for (const { name } of world.nodes) await world.stop(name)
  })
  for (const name of NAMES) {
    world.start(name, name === SEED ? [] : [SEED])
    await world.time.pass(500)
  }
  const seesAll = ({ members }: WorldNode): boolean => members.live().size === NAMES.length
  await world.time.until('all see all', () => world.nodes.every(seesAll), { stepMs: 100 })
  const mean = (): number =>
    world.nodes.reduce((sum, { overlay }) => sum + overlay.links().length, 0) / NAMES.length
  const kept = linksKept(NAMES.length)
  t.true(mean() > kept + 2, `${mean()} links at the start`)
  const dialed = world.dials.length
  for (let minute = 0; minute < 4; minute += 1) {
    await world.time.pass(60_000)
    t.true(world.nodes.every(seesAll), 'nobody is lost')
  }
  t.true(mean() < kept + 1, `${mean()} links in the end`)
  for (const { overlay } of world.nodes) {
    t.true(overlay.links().length >= linksWanted(NAMES.length))
  }
  t.deepEqual(world.dials.slice(dialed), [])
})

test('a whole site that comes back from a power cut does not dial all at once, and is whole soon', async t => {
  const world = new GossipWorld({ people })
  t.teardown(async () => {
    for (const { name } of world.nodes) await world.stop(name)
  })
  for (const name of MANY) {
    world.start(
      name,
      [SEED],
      MANY.filter(other => other !== name),
    )
  }
  const isWhole = (): boolean =>
    world.nodes.every(({ members }) => members.live().size === MANY.length)
  await world.time.until('all see all', isWhole, { stepMs: 100, maxMs: 10_000 })
  const within = (ms: number): number => world.dials.filter(({ at }) => at < ms).length
  t.true(within(100) < within(1_000) / 4, `${within(100)} of ${within(1_000)} dials at once`)
  const most = Math.max(...MANY.map(name => world.dials.filter(({ to }) => to === name).length))
  // The seed, which each knows from the start; it turns some away who come again.
  t.true(most < 1.5 * MANY.length, `${most} dials to one node`)
})
