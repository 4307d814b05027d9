import { GrowingTable } from '../../cli/table.ts'
import type { GossipWorld } from '../simulation/gossip-world.ts'
import { makePeople } from '../support/replica-people.ts'
import { keptMemory } from './kept-memory.ts'
import { startRecalled } from './recalled-cluster.ts'
import type { Bench } from './result.ts'
import {
  addNewcomer,
  changeOnce,
  NEWCOMER,
  PHASE_HEAD,
  phaseMeter,
  sizesAsked,
  type Reporting,
} from './scale-phases.ts'

const SIZES = [100, 300, 1_000]

/** How long a cluster takes to come to rest, in milliseconds: its oldest timers are of ten seconds. */
const REST_MS = 60_000

/** How long it is watched at rest, in milliseconds. */
const IDLE_MS = 30_000

/** How long it is watched after all know that a node is dead, in milliseconds: those that were linked to it find others. */
const AFTER_DEATH_MS = 10_000

/** How nodes are lost: a process is killed, whose system ends its connections, or a machine has no power. */
const LOSSES = [
  { name: 'node-2', phase: 'killed', resets: true },
  { name: 'node-3', phase: 'killed', resets: true },
  { name: 'node-4', phase: 'a power cut', resets: false },
  { name: 'node-5', phase: 'a power cut', resets: false },
]

/**
 * What a whole node costs at rest and for each thing that happens, in clusters too large to be formed
 * in one process: they begin recalled and linked. Signatures are taken as genuine.
 */
export const measureWholeNodes: Bench = async ({ quick, progress, print }) => {
  const table = new GrowingTable(line => print(`  ${line}`))
  print('\nWhole nodes, recalled and linked from the start: what each receives')
  table.print([['nodes', ...PHASE_HEAD]])
  for (const size of sizesAsked() ?? (quick ? SIZES.slice(0, 1) : SIZES)) {
    await measureCluster(size, {
      progress: text => progress(`${size} nodes: ${text}`),
      print: row => table.print([[String(size), ...row]]),
    })
  }
  return []
}

async function measureCluster(size: number, { progress, print }: Reporting): Promise<void> {
  const names = Array.from({ length: size }, (_, index) => `node-${index + 1}`)
  progress('certificates')
  const people = await makePeople({ nodes: [...names, NEWCOMER] })
  const before = keptMemory()
  progress('it begins')
  const seed = Number(process.env['SEED'] ?? 1)
  const world = await startRecalled({ people, names, seed })
  const measure = phaseMeter({ world, size, progress, print })
  await measure('it comes to rest', async () => {
    await world.time.pass(REST_MS)
    return `rest: ${describe(world, before.heap)}`
  })
  await measure('idle', async () => rest(world))
  const name = names[Math.floor(size / 2)] ?? ''
  for (const index of [0, 1]) await measure('a change', async () => changeOnce(world, name, index))
  await measure('a newcomer', async () => addNewcomer(world, size))
  for (const { name: lost, phase, resets } of LOSSES) {
    await measure(phase, async () => `${phase}: ${await lose(world, lost, resets)}`)
  }
  for (const { name: node, refusals } of world.nodes) {
    if (refusals.length > 0) progress(`${node} cut links: ${refusals.join('; ')}`)
  }
  for (const { name: node } of world.nodes) await world.stop(node)
}

/** How large a cluster is that has come to rest. */
function describe(world: GossipWorld, heapBefore: number): string {
  const { nodes } = world
  const seen = nodes.filter(({ members }) => members.liveCount === nodes.length).length
  const links = ((2 * world.wires) / nodes.length).toFixed(1)
  const kibibytes = ((keptMemory().heap - heapBefore) / 1_024 / nodes.length).toFixed(0)
  return `${seen} see all, ${links} links, ${kibibytes} KiB a node`
}

async function rest(world: GossipWorld): Promise<string> {
  const cpu = process.cpuUsage()
  await world.time.pass(IDLE_MS)
  const { user, system } = process.cpuUsage(cpu)
  const nodeSeconds = (world.nodes.length * IDLE_MS) / 1_000
  const share = (user + system) / 1_000_000 / nodeSeconds
  const kilobytes = world.traffic.total / 1_000 / nodeSeconds
  return `idle: ${kilobytes.toFixed(2)} kB/s, ${(share * 100).toFixed(2)} % of a core`
}

/** A node ends without a word. @returns when half of the others know it, and when all do */
async function lose(world: GossipWorld, name: string, resets: boolean): Promise<string> {
  const from = world.time.now
  await world.kill(name, { resets })
  const { nodes } = world
  const knowsShare = (share: number) => (): boolean =>
    nodes.filter(({ members }) => members.liveCount === nodes.length).length >= nodes.length * share
  const half = await secondsUntil(world, 'half know that it is dead', from, knowsShare(0.5))
  const all = await secondsUntil(world, 'all know that it is dead', from, knowsShare(1))
  await world.time.pass(AFTER_DEATH_MS)
  return `half know it after ${half} s, all after ${all} s`
}

async function secondsUntil(
  world: GossipWorld,
  what: string,
  from: number,
  holds: () => boolean,
): Promise<string> {
  await world.time.until(what, holds, { stepMs: 100 })
  return ((world.time.now - from) / 1_000).toFixed(1)
}
