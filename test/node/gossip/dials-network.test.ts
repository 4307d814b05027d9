import test from 'ava'
import { GossipWorld } from '../../simulation/gossip-world.ts'
import { makePeople } from '../../support/replica-people.ts'

const NAMES = Array.from({ length: 16 }, (_, index) => `n${index + 1}`)
const [SEED = ''] = NAMES
const people = await makePeople({ nodes: NAMES })

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
