import { requestOf, client } from '../support/replica-changes.ts'
import type { GossipWorld } from '../simulation/gossip-world.ts'
import { KINDS, type Traffic } from '../simulation/traffic.ts'

/** The node that joins a cluster at rest. */
export const NEWCOMER = 'newcomer'

/** How long a cluster is watched after all have confirmed a change, in milliseconds. */
const AFTER_CHANGE_MS = 1_000

/** The columns of a phase. */
export const PHASE_HEAD = [
  'phase',
  'seconds',
  'kB a node',
  'most',
  ...KINDS,
  'copies',
  'CPU ms a node',
]

export interface Reporting {
  readonly progress: (text: string) => void
  readonly print: (row: readonly string[]) => void
}

/** Runs one phase, and prints what it cost; what it returns stands in the place of its name. */
export type PhaseMeter = (phase: string, run: () => Promise<string | void>) => Promise<void>

/** `NODES=10,1000` measures clusters of these sizes, their signatures taken as genuine. */
export function sizesAsked(): readonly number[] | undefined {
  return process.env['NODES']?.split(',').map(Number)
}

export function phaseMeter({
  world,
  size,
  progress,
  print,
}: Reporting & { readonly world: GossipWorld; readonly size: number }): PhaseMeter {
  return async (phase, run) => {
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
}

/** One more node joins. @returns what it is told of the others until all see it, and it all */
export async function addNewcomer(world: GossipWorld, size: number): Promise<string> {
  const [first] = world.nodes
  world.start(NEWCOMER, first === undefined ? [] : [first.name])
  const isKnown = (): boolean => world.nodes.every(({ members }) => members.liveCount > size)
  await world.time.until('all see the newcomer', isKnown, { stepMs: 100 })
  const told = world.traffic.received(NEWCOMER) / 1_000
  return `a newcomer: it is told ${told.toFixed(1)} kB, ${(told / size).toFixed(2)} a member`
}

/**
 * Remove somebody on a node, and wait until a second after all have confirmed it.
 * @param index how many changes of that node came before
 * @returns when the change was at the last node, after how many hops, and when all had confirmed
 */
export async function changeOnce(world: GossipWorld, name: string, index: number): Promise<string> {
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
  const confirmedMs = world.time.now - from
  await world.time.pass(AFTER_CHANGE_MS)
  const change = index === 0 ? 'first change' : 'second change'
  return `${change}: last node ${last} ms, ${hops} hops, ${all} confirmed ${confirmedMs} ms`
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
