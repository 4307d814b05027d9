import { writeFile } from 'node:fs/promises'
import { GrowingTable } from '../../cli/table.ts'
import { localVerifier } from '../../node/identity/verifier.ts'
import type { Random } from '../../node/lib/clock.ts'
import { seededRandom } from '../../node/sensors/drivers/seeded-random.ts'
import { makePeople } from '../support/replica-people.ts'
import { LinkedCluster } from './linked-cluster.ts'
import type { Bench } from './result.ts'
import { plotOf, type Line } from './scale-plot.ts'

/** The accepting nodes: one accepts two changes, the other one. */
const ACCEPTING = ['node-1', 'node-2']

/** Up to so many nodes each confirms by itself, and has to be known for that. */
const SINGLY = 64

/** What a change causes is over by then, ms. */
const AFTER_MS = 1_000

const PLOT = new URL('scale.svg', import.meta.url)

/** Gossip of memberlist as Serf sets it: every so often to so many others, so often by each (docs of Serf, "Convergence Simulator"). */
const SERF = { intervalMs: 200, fanOut: 3, timesPerDigit: 4 }

interface Measured {
  readonly nodes: number
  readonly lastMs: number
  readonly kilobytes: number
  readonly floodKilobytes: number
  readonly serfMs: number
}

const HEAD = [
  'nodes',
  'signatures',
  'links',
  'change',
  'last node',
  'by a flood',
  'median',
  'hops',
  'all confirmed',
  'kB a node',
  'of confirmations',
  'copies',
  'a flood, kB',
  'Serf, last node',
  'CPU ms a node',
  'KiB a node',
  'healed',
  'kB for that',
  'of digests',
]

const NOTES = [
  'A flood: each sends a change on over every link but the one that brought it first.',
  `Serf: the rule of its gossip (every ${SERF.intervalMs} ms to ${SERF.fanOut} others), without loss and delay.`,
  'The plot is test/bench/scale.svg.',
]

const SIZES: readonly (readonly [nodes: number, isReal: boolean])[] = [
  [10, false],
  [30, false],
  [100, true],
  [100, false],
  [1_000, false],
  [10_000, false],
]

/** Lists and confirmations alone, of up to ten thousand nodes, and a plot of what they cost. */
export const measureLists: Bench = async ({ quick, progress, print }) => {
  const table = new GrowingTable(line => print(`  ${line}`))
  print('\nThe list alone, nodes linked at random: changes, and two halves that meet again')
  table.print([HEAD])
  const measured: Measured[] = []
  for (const [size, isReal] of quick ? SIZES.slice(0, -1) : SIZES) {
    progress(`${size} lists`)
    const figures = await measureList(size, isReal, row => table.print([row]))
    if (!isReal) measured.push(figures)
    if (!quick) await writeFile(PLOT, plotOf('nodes', panelsOf(measured)))
  }
  for (const note of NOTES) print(`  ${note}`)
  return []
}

async function measureList(
  size: number,
  isReal: boolean,
  print: (row: readonly string[]) => void,
): Promise<Measured> {
  const accepting =
    size > SINGLY ? ACCEPTING : Array.from({ length: size }, (_, index) => `node-${index + 1}`)
  const people = await makePeople({ nodes: accepting })
  const before = heapBytes()
  using cluster = new LinkedCluster({
    people,
    size,
    accepting,
    ...(isReal && { verifier: localVerifier }),
  })
  await cluster.link()
  const head = [String(size), isReal ? 'checked' : '', ((2 * cluster.links) / size).toFixed(1)]
  const first = await measureChange(cluster, 'node-1', size)
  print([...head, 'first of a node', ...first.row])
  const second = await measureChange(cluster, 'node-1', size)
  print([...head, 'second of it', ...second.row])
  const kibibytes = (heapBytes() - before) / 1_024 / size
  cluster.resetCounts()
  const healedMs = await cluster.heal('node-1', 'node-2')
  print([
    ...head,
    'two halves',
    ...second.row.map(() => ''),
    kibibytes.toFixed(0),
    `${healedMs} ms`,
    kilobytes(cluster.bytesOfNode),
    kilobytes(cluster.digestBytesOfNode),
  ])
  return first.figures
}

/** One node removes somebody: what each receives of it until a second after the last has confirmed. */
async function measureChange(
  cluster: LinkedCluster,
  name: string,
  size: number,
): Promise<{ readonly row: readonly string[]; readonly figures: Measured }> {
  cluster.resetCounts()
  const serfMs = serfOf(size)
  const cpu = process.cpuUsage()
  const { lastMs, medianMs, hops, confirmedMs } = await cluster.change(name)
  await cluster.time.pass(AFTER_MS)
  const { user, system } = process.cpuUsage(cpu)
  const row = [
    `${lastMs} ms`,
    `${cluster.floodLastMs(name)} ms`,
    `${medianMs} ms`,
    String(hops),
    confirmedMs === undefined ? 'not in 20 s' : `${confirmedMs} ms`,
    kilobytes(cluster.bytesOfNode),
    kilobytes(cluster.confirmationBytesOfNode),
    cluster.copiesOfNode.toFixed(1),
    kilobytes(cluster.floodBytesOfNode),
    `${serfMs} ms`,
    ((user + system) / 1_000 / size).toFixed(2),
  ]
  const figures = {
    nodes: size,
    lastMs,
    kilobytes: cluster.bytesOfNode / 1_000,
    floodKilobytes: cluster.floodBytesOfNode / 1_000,
    serfMs,
  }
  return { row, figures }
}

function kilobytes(bytes: number): string {
  return (bytes / 1_000).toFixed(2)
}

/** What lives on the heap; exact where the process may collect what does not (`--expose-gc`). */
function heapBytes(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

/** How long memberlist takes until all of so many nodes have heard something, ms. */
function serfOf(size: number): number {
  const random: Random = seededRandom(1)
  const times = SERF.timesPerDigit * Math.ceil(Math.log10(size + 1))
  const heard = new Map([[0, 0]])
  let rounds = 0
  for (; heard.size < size && rounds < 1_000; rounds += 1) {
    for (const [node, told] of Array.from(heard)) {
      if (told >= times) continue
      heard.set(node, told + 1)
      for (let index = 0; index < SERF.fanOut; index += 1) {
        const other = Math.floor(random() * size)
        if (!heard.has(other)) heard.set(other, 0)
      }
    }
  }
  return rounds * SERF.intervalMs
}

function panelsOf(measured: readonly Measured[]): Record<string, Line[]> {
  const line = (label: string, of: (one: Measured) => number): Line => ({
    label,
    points: measured.map(one => [one.nodes, of(one)]),
  })
  return {
    'until the last node, ms': [
      line('fridge', ({ lastMs }) => lastMs),
      line('Serf', ({ serfMs }) => serfMs),
    ],
    'received of a change, kB a node': [
      line('fridge', ({ kilobytes }) => kilobytes),
      line('a flood', ({ floodKilobytes }) => floodKilobytes),
    ],
  }
}
