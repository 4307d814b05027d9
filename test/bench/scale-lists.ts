import { writeFile } from 'node:fs/promises'
import { localVerifier } from '../../node/identity/verifier.ts'
import type { Random } from '../../node/lib/clock.ts'
import { seededRandom } from '../../node/sensors/drivers/seeded-random.ts'
import { makePeople } from '../support/replica-people.ts'
import { LinkedCluster } from './linked-cluster.ts'
import type { BenchOptions, Table } from './result.ts'
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

/** Lists and confirmations alone, of up to ten thousand nodes, and a plot of what they cost. */
export async function measureLists({ quick, progress }: BenchOptions): Promise<Table> {
  const rows = [
    [
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
      'copies',
      'a flood, kB',
      'Serf, last node',
      'CPU ms a node',
      'KiB a node',
      'healed',
      'kB for that',
    ],
  ]
  const measured: Measured[] = []
  for (const [size, isReal] of [
    [10, false],
    [30, false],
    [100, true],
    [100, false],
    [1_000, false],
    ...(quick ? [] : ([[10_000, false]] as const)),
  ] as const) {
    progress(`${size} lists`)
    const { rows: of, figures } = await measureList(size, isReal)
    rows.push(...of)
    if (!isReal) measured.push(figures)
  }
  await writeFile(PLOT, plotOf('nodes', panelsOf(measured)))
  return {
    title: 'The list alone, nodes linked at random: changes, and two halves that meet again',
    rows,
    notes: [
      'A flood: each sends a change on over every link but the one that brought it first.',
      `Serf: the rule of its gossip (every ${SERF.intervalMs} ms to ${SERF.fanOut} others), without loss and delay.`,
      'The plot is test/bench/scale.svg.',
    ],
  }
}

async function measureList(
  size: number,
  isReal: boolean,
): Promise<{ readonly rows: string[][]; readonly figures: Measured }> {
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
  const serfMs = serfOf(size)
  const rows: string[][] = []
  let figures: Measured | undefined
  for (const [what, name] of [
    ['first of a node', 'node-1'],
    ['second of it', 'node-1'],
    ['first of another', 'node-2'],
  ] as const) {
    cluster.resetCounts()
    const cpu = process.cpuUsage()
    const { lastMs, medianMs, hops, confirmedMs } = await cluster.change(name)
    await cluster.time.pass(AFTER_MS)
    const { user, system } = process.cpuUsage(cpu)
    figures ??= {
      nodes: size,
      lastMs,
      kilobytes: cluster.bytesOfNode / 1_000,
      floodKilobytes: cluster.floodBytesOfNode / 1_000,
      serfMs,
    }
    rows.push([
      String(size),
      isReal ? 'checked' : '',
      ((2 * cluster.links) / size).toFixed(1),
      what,
      `${lastMs} ms`,
      `${cluster.floodLastMs(name)} ms`,
      `${medianMs} ms`,
      String(hops),
      confirmedMs === undefined ? 'not in 20 s' : `${confirmedMs} ms`,
      (cluster.bytesOfNode / 1_000).toFixed(2),
      cluster.copiesOfNode.toFixed(1),
      (cluster.floodBytesOfNode / 1_000).toFixed(1),
      `${serfMs} ms`,
      ((user + system) / 1_000 / size).toFixed(2),
    ])
  }
  const kibibytes = (heapBytes() - before) / 1_024 / size
  cluster.resetCounts()
  const healedMs = await cluster.heal('node-1', 'node-2')
  const healing = [`${healedMs} ms`, (cluster.bytesOfNode / 1_000).toFixed(2)]
  rows.at(-1)?.push(kibibytes.toFixed(0), ...healing)
  if (figures === undefined) throw new RangeError('nothing was changed')
  return { rows, figures }
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
