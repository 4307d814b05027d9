import test, { type ExecutionContext } from 'ava'
import { GossipWorld } from '../../simulation/gossip-world.ts'
import { makePeople } from '../../support/replica-people.ts'

const MANY = Array.from({ length: 30 }, (_, index) => `n${index + 1}`)
const NAMES = MANY.slice(0, 14)
const [SEED = '', VICTIM = ''] = NAMES
const people = await makePeople({ nodes: MANY })

/** How long a crashed node may be taken for alive, in milliseconds. */
const CRASH_MS = 10_000

interface Watched {
  readonly world: GossipWorld
  /** The nodes that are called dead by others, each time that one begins to. */
  readonly deaths: string[]
  /** Let time pass, and look every tenth of a second who calls whom dead. */
  readonly watch: (ms: number) => Promise<void>
}

async function startWorld(t: ExecutionContext, names = NAMES, seed = 1): Promise<Watched> {
  const world = new GossipWorld({ people, seed: Number(process.env['SEED'] ?? seed) })
  t.teardown(async () => {
    for (const { name } of world.nodes) await world.stop(name)
  })
  for (const name of names) world.start(name, name === SEED ? [] : [SEED])
  const isWhole = (): boolean =>
    world.nodes.every(({ members }) => members.live().size === names.length)
  await world.time.until('all see all', isWhole, { stepMs: 100 })
  // What is young yet is told sooner than what is at rest.
  await world.time.pass(15_000)
  const deaths: string[] = []
  const dead = new Set<string>()
  const watch = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 100) {
      await world.time.pass(100)
      for (const { name, members, clock } of world.nodes) {
        if (clock.isFrozen) continue
        for (const { name: other, source } of members.list()) {
          const key = `${name} of ${other}`
          if (members.isLive(source)) dead.delete(key)
          else if (!dead.has(key)) deaths.push(dead.add(key) && key)
        }
      }
    }
  }
  return { world, deaths, watch }
}

test('a crashed node is called dead by all within ten seconds, and no other is', async t => {
  for (const resets of [true, false]) {
    const { world, deaths, watch } = await startWorld(t)
    await world.kill(VICTIM, { resets })
    await watch(CRASH_MS)
    const others = NAMES.filter(name => name !== VICTIM)
    t.deepEqual([...deaths].sort(), others.map(name => `${name} of ${VICTIM}`).sort())
  }
})

test('of thirty nodes fifteen lose their power at once: all others know it within ten seconds, and call no other dead', async t => {
  // Where announcements wait for rounds, this seed is one of those that take longer.
  const { world, deaths, watch } = await startWorld(t, MANY, 2)
  // Between two rounds, so that not all of the living find it out in the same one.
  await watch(700)
  // The one by which all have joined is among them.
  const dead = MANY.filter((_, index) => index % 2 === 0)
  for (const name of dead) await world.kill(name, { resets: false })
  await watch(CRASH_MS)
  const living = MANY.filter(name => !dead.includes(name))
  t.deepEqual(
    deaths.toSorted(),
    living.flatMap(name => dead.map(other => `${name} of ${other}`)).toSorted(),
  )
})

test('a node that is frozen for less than its peers wait is never called dead', async t => {
  const { world, deaths, watch } = await startWorld(t)
  for (let times = 0; times < 5; times += 1) {
    world.node(VICTIM).clock.freeze()
    await watch(4_000)
    world.node(VICTIM).clock.thaw()
    await watch(1_500)
  }
  t.deepEqual(deaths, [])
})

test('a node that is frozen for long is called dead once by each, calls nobody dead for long, and is back', async t => {
  const { world, deaths, watch } = await startWorld(t)
  world.node(VICTIM).clock.freeze()
  await watch(20_000)
  world.node(VICTIM).clock.thaw()
  await watch(20_000)
  const others = NAMES.filter(name => name !== VICTIM)
  t.deepEqual(
    deaths.filter(death => !death.startsWith(`${VICTIM} of`)).sort(),
    others.map(name => `${name} of ${VICTIM}`).sort(),
  )
  for (const { members } of world.nodes) t.is(members.live().size, NAMES.length)
})

test('a node that is not heard by some of its peers, and hears them, is never called dead', async t => {
  const { world, deaths, watch } = await startWorld(t)
  const peers = world.node(VICTIM).overlay.links().slice(0, 4)
  for (const { peer } of peers) world.swallow(VICTIM, peer.name)
  await watch(30_000)
  t.deepEqual(deaths, [])
})

test('over lines that lose a third of all packets nobody is called dead', async t => {
  const { world, deaths, watch } = await startWorld(t)
  world.loss = 1 / 3
  await watch(60_000)
  t.deepEqual(deaths, [])
})

test('a node that loses all of its links at once and finds others is not called dead', async t => {
  const { world, deaths, watch } = await startWorld(t)
  const links = world.node(VICTIM).overlay.links()
  for (const { peer } of links) world.cut(VICTIM, peer.name)
  await watch(10_000)
  t.deepEqual(deaths, [])
})
