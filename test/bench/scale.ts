import { GrowingTable } from '../../cli/table.ts'
import { makePeople } from '../support/replica-people.ts'
import { GossipWorld } from '../simulation/gossip-world.ts'
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

/** How long a cluster is watched after a join and at rest, in milliseconds. */
const AFTER_MS = 30_000

/** How long vitals are watched, in milliseconds: at these sizes each node says them a few times. */
const VITALS_MS = 150_000

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

/**
 * What it costs to be many: the real overlay, members, confirmations and list of so many nodes in
 * one process, formed from one seed, over simulated wires of 5 to 15 ms.
 */
export const measureScale: Bench = async ({ quick, progress, print }) => {
  const table = new GrowingTable(line => print(`  ${line}`))
  print('\nWhole nodes, formed from one seed: what each receives')
  table.print([['nodes', 'signatures', ...PHASE_HEAD]])
  const asked = sizesAsked()?.map(size => [size, false] as const)
  for (const [size, isReal] of asked ?? (quick ? SIZES.slice(0, 2) : SIZES)) {
    const head = [String(size), isReal ? 'checked' : '']
    await measureCluster(size, isReal, {
      progress: text => progress(`${size} nodes: ${text}`),
      print: row => table.print([[...head, ...row]]),
    })
  }
  return []
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
  const measure = phaseMeter({ world, size, progress, print })
  await measure('join', async () => form(world, names))
  await measure('after it', async () => world.time.pass(AFTER_MS))
  await measure('idle', async () => world.time.pass(AFTER_MS))
  const name = names[Math.floor(size / 2)] ?? ''
  for (const index of [0, 1]) {
    await measure(index === 0 ? 'first change' : 'second change', async () =>
      changeOnce(world, name, index),
    )
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
