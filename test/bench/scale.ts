import { requestOf, client } from '../support/replica-changes.ts'
import { makePeople } from '../support/replica-people.ts'
import { GossipWorld } from '../simulation/gossip-world.ts'
import { KINDS, type Traffic } from '../simulation/traffic.ts'
import { measureFaults } from './scale-faults.ts'
import { measureLists } from './scale-lists.ts'
import type { Bench, BenchOptions } from './result.ts'

/** How long a cluster is watched after a join, after a change and at rest, in milliseconds. */
const AFTER_MS = 30_000

/** How long vitals are watched, in milliseconds: at these sizes each node says them a few times. */
const VITALS_MS = 150_000

/** The node that joins a cluster at rest. */
const NEWCOMER = 'newcomer'

/** Nodes are started at random within this time for each of them, in milliseconds. */
const START_MS = 20

const SIZES = [10, 30, 100]

/**
 * What it costs to be many: the real overlay, members, confirmations and list of so many nodes in
 * one process, over simulated wires of 5 to 15 ms. Signatures are made and not checked.
 */
export const measureScale: Bench = async options => {
  const sizes = sizesAsked() ?? (options.quick ? SIZES.slice(0, 2) : SIZES)
  const costs = [
    ['nodes', 'phase', 'seconds', 'kB a node', 'most', ...KINDS, 'copies', 'CPU ms a node'],
  ]
  const speeds = [['nodes', 'change', 'last node', 'median', 'hops', 'all confirmed']]
  for (const size of sizes) {
    const { phases, changes } = await measureCluster(size, options)
    for (const phase of phases) costs.push([String(size), ...phase])
    for (const change of changes) speeds.push([String(size), ...change])
  }
  return [
    { title: 'What a node receives', rows: costs },
    { title: 'A change, until it is at every node', rows: speeds },
    await measureLists(options),
    await measureFaults(options),
  ]
}

/** `NODES=10,1000` measures clusters of these sizes. */
function sizesAsked(): number[] | undefined {
  return process.env['NODES']?.split(',').map(Number)
}

interface Measured {
  readonly phases: string[][]
  readonly changes: string[][]
}

async function measureCluster(size: number, { progress }: BenchOptions): Promise<Measured> {
  const names = Array.from({ length: size }, (_, index) => `node-${index + 1}`)
  progress(`${size} certificates`)
  const people = await makePeople({ nodes: [...names, NEWCOMER] })
  const world = new GossipWorld({ people, seed: Number(process.env['SEED'] ?? 1) })
  const phases: string[][] = []
  const changes: string[][] = []
  const measure = async (phase: string, run: () => Promise<void>): Promise<void> => {
    progress(`${size} nodes: ${phase}`)
    world.traffic.reset()
    const from = world.time.now
    const cpu = process.cpuUsage()
    await run()
    const { user, system } = process.cpuUsage(cpu)
    const seconds = ((world.time.now - from) / 1_000).toFixed(2)
    const cpuMs = ((user + system) / 1_000 / size).toFixed(1)
    phases.push([phase, seconds, ...rowOf(world.traffic, size), cpuMs])
  }
  await measure('join', async () => {
    for (const [index, name] of names.entries()) {
      world.start(name, index === 0 ? [] : [names[0] ?? ''])
      await world.time.pass(START_MS)
    }
    const isWhole = (): boolean =>
      world.nodes.every(({ members }) => [...members.list()].length === size)
    await world.time.until('all know all', isWhole, { stepMs: 100 })
    const isLive = (): boolean => world.nodes.every(({ members }) => members.live().size === size)
    await world.time.until('all see all live', isLive, { stepMs: 500 })
  })
  await measure('after it', async () => world.time.pass(AFTER_MS))
  await measure('idle', async () => world.time.pass(AFTER_MS))
  // The first of a node, another of the same, and one of another node.
  for (const [index, node] of [0, 0, 1].entries()) {
    const name = names[Math.floor(size / 2) + node] ?? ''
    const what = `change ${index + 1} (${node === 0 ? 'one node' : 'another'})`
    await measure(what, async () => {
      changes.push([what, ...(await changeOnce(world, name, index))])
    })
    await measure('after it', async () => world.time.pass(AFTER_MS))
  }
  await measure('first vitals', async () => readEverywhere(world, AFTER_MS))
  await measure('a reading a second', async () => readEverywhere(world, VITALS_MS))
  phases.push(await measureNewcomer(world, size))
  for (const { name, refusals } of world.nodes) {
    if (refusals.length > 0) progress(`${name} cut links: ${refusals.join('; ')}`)
  }
  for (const { name } of world.nodes) await world.stop(name)
  return { phases, changes }
}

/** One more node joins: what it is told of the others until all see it, and it all. */
async function measureNewcomer(world: GossipWorld, size: number): Promise<string[]> {
  await world.time.pass(AFTER_MS)
  world.traffic.reset()
  const from = world.time.now
  const cpu = process.cpuUsage()
  const [first] = world.nodes
  world.start(NEWCOMER, first === undefined ? [] : [first.name])
  const isKnown = (): boolean => world.nodes.every(({ members }) => members.liveCount > size)
  await world.time.until('all see the newcomer', isKnown, { stepMs: 100 })
  const { user, system } = process.cpuUsage(cpu)
  const told = world.traffic.received(NEWCOMER) / 1_000
  const seconds = ((world.time.now - from) / 1_000).toFixed(2)
  const what = `a newcomer: it is told ${told.toFixed(1)} kB, ${(told / size).toFixed(2)} a member`
  return [what, seconds, ...rowOf(world.traffic, size), ((user + system) / 1_000 / size).toFixed(1)]
}

/** Each node reads its four sensors once a second, and says in vitals what it may. */
async function readEverywhere(world: GossipWorld, ms: number): Promise<void> {
  for (let second = 0; second < ms / 1_000; second += 1) {
    for (const { members } of world.nodes) {
      const at = 1_767_268_800_000 + second * 1_000
      const sensors = Array.from({ length: 4 }, (_, sensor) => [
        `temperature-${sensor}`,
        'temperature',
        4 + second / 100,
        at,
      ])
      members.say({ vitals: { alarms: [], sensors } })
    }
    await world.time.pass(1_000)
  }
}

async function changeOnce(world: GossipWorld, name: string, index: number): Promise<string[]> {
  const size = world.nodes.length
  const from = world.time.now
  const confirmed = new Set<string>()
  using _heard = world.node(name).replica.confirmations.subscribe(({ node, applied }) => {
    if (applied > Math.min(index, 1) || name !== world.nodes[Math.floor(size / 2)]?.name)
      confirmed.add(node)
  })
  await world.change(name, requestOf('revocation', client(`client-${index}`)))
  await world.time.until('all hold it', () => world.arrivals.size === size)
  const arrivals = [...world.arrivals.values()].toSorted((a, b) => a.atMs - b.atMs)
  const last = arrivals.at(-1)?.atMs ?? Number.NaN
  const median = arrivals[Math.floor(size / 2)]?.atMs ?? Number.NaN
  const hops = Math.max(...arrivals.map(one => one.hops))
  await world.time
    .until('all have confirmed', () => confirmed.size >= size, { maxMs: 20_000 })
    .catch(() => {})
  const confirmedMs = `${confirmed.size === size ? '' : `${confirmed.size} of ${size}, `}${world.time.now - from} ms`
  return [`${last} ms`, `${median} ms`, String(hops), confirmedMs]
}

function rowOf(traffic: Traffic, nodes: number): string[] {
  const kilobytes = (bytes: number): string => (bytes / 1_000).toFixed(2)
  return [
    kilobytes(traffic.total / nodes),
    kilobytes(traffic.most),
    ...KINDS.map(kind => kilobytes(traffic.bytes[kind] / nodes)),
    `${(traffic.copies.whitelist / nodes).toFixed(1)}, ${(traffic.copies.members / nodes).toFixed(0)}`,
  ]
}
