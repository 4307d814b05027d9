import { GrowingTable } from '../../cli/table.ts'
import { requestOf, client } from '../support/replica-changes.ts'
import { makePeople } from '../support/replica-people.ts'
import { GossipWorld } from '../simulation/gossip-world.ts'
import { KINDS, type Traffic } from '../simulation/traffic.ts'
import type { Bench } from './result.ts'

/** How long a cluster is watched after a join and at rest, in milliseconds. */
const AFTER_MS = 30_000

/** How long a cluster is watched after all have confirmed a change, in milliseconds. */
const AFTER_CHANGE_MS = 1_000

/** How long vitals are watched, in milliseconds: at these sizes each node says them a few times. */
const VITALS_MS = 150_000

/** The node that joins a cluster at rest. */
const NEWCOMER = 'newcomer'

/** Nodes are started at random within this time for each of them, in milliseconds. */
const START_MS = 20

/** Up to so many nodes it is measured what their vitals cost: more say them too seldom. */
const MOST_WITH_VITALS = 100

const SIZES: readonly (readonly [nodes: number, isReal: boolean])[] = [
  [10, false],
  [30, false],
  [100, false],
  [100, true],
  [300, true],
]

const HEAD = [
  'nodes',
  'signatures',
  'phase',
  'seconds',
  'kB a node',
  'most',
  ...KINDS,
  'copies',
  'CPU ms a node',
]

/**
 * What it costs to be many: the real overlay, members, confirmations and list of so many nodes in
 * one process, formed from one seed, over simulated wires of 5 to 15 ms.
 */
export const measureScale: Bench = async ({ quick, progress, print }) => {
  const table = new GrowingTable(line => print(`  ${line}`))
  print('\nWhole nodes, formed from one seed: what each receives')
  table.print([HEAD])
  for (const [size, isReal] of sizesAsked() ?? (quick ? SIZES.slice(0, 2) : SIZES)) {
    const head = [String(size), isReal ? 'checked' : '']
    await measureCluster(size, isReal, {
      progress: text => progress(`${size} nodes: ${text}`),
      print: row => table.print([[...head, ...row]]),
    })
  }
  return []
}

/** `NODES=10,1000` measures clusters of these sizes, their signatures taken as genuine. */
function sizesAsked(): (readonly [nodes: number, isReal: boolean])[] | undefined {
  return process.env['NODES']?.split(',').map(size => [Number(size), false])
}

interface Reporting {
  readonly progress: (text: string) => void
  readonly print: (row: readonly string[]) => void
}

async function measureCluster(
  size: number,
  checksSignatures: boolean,
  { progress, print }: Reporting,
): Promise<void> {
  const names = Array.from({ length: size }, (_, index) => `node-${index + 1}`)
  progress('certificates')
  const people = await makePeople({ nodes: [...names, NEWCOMER] })
  const seed = Number(process.env['SEED'] ?? 1)
  const world = new GossipWorld({ people, seed, checksSignatures })
  const measure = async (phase: string, run: () => Promise<string | void>): Promise<void> => {
    progress(phase)
    world.traffic.reset()
    const from = world.time.now
    const cpu = process.cpuUsage()
    const found = await run()
    const { user, system } = process.cpuUsage(cpu)
    const seconds = ((world.time.now - from) / 1_000).toFixed(2)
    const cpuMs = ((user + system) / 1_000 / size).toFixed(1)
    print([found ?? phase, seconds, ...rowOf(world.traffic, size), cpuMs])
  }
  await measure('join', async () => form(world, names))
  await measure('after it', async () => world.time.pass(AFTER_MS))
  await measure('idle', async () => world.time.pass(AFTER_MS))
  const name = names[Math.floor(size / 2)] ?? ''
  for (const index of [0, 1]) {
    await measure(index === 0 ? 'first change' : 'second change', async () => {
      const said = await changeOnce(world, name, index)
      await world.time.pass(AFTER_CHANGE_MS)
      return said
    })
  }
  if (size <= MOST_WITH_VITALS) {
    await measure('first vitals', async () => readEverywhere(world, AFTER_MS))
    await measure('a reading a second', async () => readEverywhere(world, VITALS_MS))
  }
  await measure('a newcomer', async () => addNewcomer(world, size))
  for (const { name: node, refusals } of world.nodes) {
    if (refusals.length > 0) progress(`${node} cut links: ${refusals.join('; ')}`)
  }
  for (const { name: node } of world.nodes) await world.stop(node)
}

/** Start nodes that know one of them, and wait until each sees all others live. */
async function form(world: GossipWorld, names: readonly string[]): Promise<void> {
  const size = names.length
  for (const [index, name] of names.entries()) {
    world.start(name, index === 0 ? [] : [names[0] ?? ''])
    await world.time.pass(START_MS)
  }
  const isLive = (): boolean => world.nodes.every(({ members }) => members.liveCount === size)
  await world.time.until('all see all live', isLive, { stepMs: 100 })
}

/** One more node joins. @returns what it is told of the others until all see it, and it all */
async function addNewcomer(world: GossipWorld, size: number): Promise<string> {
  const [first] = world.nodes
  world.start(NEWCOMER, first === undefined ? [] : [first.name])
  const isKnown = (): boolean => world.nodes.every(({ members }) => members.liveCount > size)
  await world.time.until('all see the newcomer', isKnown, { stepMs: 100 })
  const told = world.traffic.received(NEWCOMER) / 1_000
  return `a newcomer: it is told ${told.toFixed(1)} kB, ${(told / size).toFixed(2)} a member`
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

/** @returns when the change was at the last node, after how many hops, and when all had confirmed */
async function changeOnce(world: GossipWorld, name: string, index: number): Promise<string> {
  const size = world.nodes.length
  const from = world.time.now
  const confirmed = new Set<string>()
  using _heard = world.node(name).replica.confirmations.subscribe(({ node, applied }) => {
    if (applied > index) confirmed.add(node)
  })
  await world.change(name, requestOf('revocation', client(`client-${index}`)))
  await world.time.until('all hold it', () => world.arrivals.size === size)
  const arrivals = [...world.arrivals.values()]
  const last = Math.max(...arrivals.map(({ atMs }) => atMs))
  const hops = Math.max(...arrivals.map(one => one.hops))
  await world.time
    .until('all have confirmed', () => confirmed.size >= size, { maxMs: 20_000 })
    .catch(() => {})
  const all = confirmed.size >= size ? 'all' : `${confirmed.size} of ${size}`
  const change = index === 0 ? 'first change' : 'second change'
  return `${change}: last node ${last} ms, ${hops} hops, ${all} confirmed ${world.time.now - from} ms`
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
