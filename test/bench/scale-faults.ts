import { GrowingTable } from '../../cli/table.ts'
import { makePeople, type People } from '../support/replica-people.ts'
import { LinkedCluster } from './linked-cluster.ts'
import type { Bench } from './result.ts'

/** The node that accepts the changes. */
const ACCEPTING = 'node-1'

const SEEDS = 10

/** What a change causes is over by then, ms. */
const AFTER_MS = 1_000

/** The share of packets that bad lines lose. */
const LOSS = 0.2

/** What goes wrong just before a change, by what it is called. */
const FAULTS: ReadonlyMap<string, (cluster: LinkedCluster) => void> = new Map([
  ['nothing', () => {}],
  ['a link of the tree is cut', cutBranch],
  ['a node of the tree is frozen', freezeBranch],
  ['20 % of packets are lost', (cluster: LinkedCluster) => cluster.lose(LOSS)],
  [
    'all three',
    (cluster: LinkedCluster) => {
      const [largest = '', next = ''] = branchesOf(cluster)
      cluster.freeze(largest)
      cluster.cut(ACCEPTING, next)
      cluster.lose(LOSS)
    },
  ],
])

interface Measured {
  readonly lastMs: number
  readonly floodMs: number
  readonly medianMs: number
  readonly hops: number
  readonly copies: number
  readonly kilobytes: number
  readonly confirmedMs: number
  readonly missing: readonly string[]
}

const HEAD = [
  'nodes',
  'just before the change',
  'last node',
  'by a flood',
  'median',
  'hops',
  'copies',
  'kB a node',
  'all others confirmed',
  'missing',
]

const NOTES = [
  'Cut is the link to the largest branch of the tree, frozen its first node; of all three, the link to the second.',
  'What is lost is sent again after 200, 400, … ms, and what is behind it waits for it, as in TCP.',
  'The flood goes over the same links, with the same delays and the same first packets lost.',
]

/** How fast a change is everywhere although something has just gone wrong, beside a flood of it. */
export const measureFaults: Bench = async ({ quick, progress, print }) => {
  const people = await makePeople({ nodes: [ACCEPTING] })
  const seeds = quick ? 3 : SEEDS
  const table = new GrowingTable(line => print(`  ${line}`))
  print(
    `\nThe list alone: a change while something is wrong, median and worst of ${seeds} clusters`,
  )
  table.print([HEAD])
  for (const size of quick ? [100] : [100, 300]) {
    for (const [what, fail] of FAULTS) {
      progress(`${size} lists, ${what}`)
      const measured: Measured[] = []
      for (let seed = 1; seed <= seeds; seed += 1) {
        measured.push(await measureOnce(people, { size, seed, fail }))
      }
      table.print([[String(size), what, ...rowOf(measured)]])
    }
  }
  for (const note of NOTES) print(`  ${note}`)
  return []
}

async function measureOnce(
  people: People,
  {
    size,
    seed,
    fail,
  }: { readonly size: number; readonly seed: number; fail: (cluster: LinkedCluster) => void },
): Promise<Measured> {
  using cluster = new LinkedCluster({ people, size, accepting: [ACCEPTING], seed })
  await cluster.link()
  await cluster.change(ACCEPTING)
  await cluster.time.pass(AFTER_MS)
  fail(cluster)
  cluster.resetCounts()
  const floodMs = cluster.floodLastMs(ACCEPTING)
  const spreading = await cluster.change(ACCEPTING)
  await cluster.time.pass(AFTER_MS)
  return {
    ...spreading,
    floodMs,
    copies: cluster.copiesOfNode,
    kilobytes: cluster.bytesOfNode / 1_000,
    confirmedMs: spreading.confirmedMs ?? Infinity,
  }
}

function cutBranch(cluster: LinkedCluster): void {
  const [largest = ''] = branchesOf(cluster)
  cluster.cut(ACCEPTING, largest)
}

function freezeBranch(cluster: LinkedCluster): void {
  const [largest = ''] = branchesOf(cluster)
  cluster.freeze(largest)
}

/** Whom the accepting node brought the last change first: in front those that passed it on to the most. */
function branchesOf({ bringers }: LinkedCluster): string[] {
  const behind = (name: string): number =>
    Array.from(bringers).reduce(
      (sum, [to, from]) => (from === name ? sum + 1 + behind(to) : sum),
      0,
    )
  const branches = Array.from(bringers)
    .filter(([, from]) => from === ACCEPTING)
    .map(([name]) => ({ name, size: behind(name) }))
  return branches.toSorted((a, b) => b.size - a.size).map(({ name }) => name)
}

function rowOf(measured: readonly Measured[]): string[] {
  const both = (of: (one: Measured) => number, digits = 0): string => {
    const sorted = measured.map(of).toSorted((a, b) => a - b)
    const middle = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
    return [middle, sorted.at(-1) ?? Number.NaN].map(value => value.toFixed(digits)).join(', ')
  }
  const missing = measured.map(one => one.missing.length)
  return [
    `${both(({ lastMs }) => lastMs)} ms`,
    `${both(({ floodMs }) => floodMs)} ms`,
    `${both(({ medianMs }) => medianMs)} ms`,
    both(({ hops }) => hops),
    both(({ copies }) => copies, 1),
    both(({ kilobytes }) => kilobytes, 1),
    `${both(({ confirmedMs }) => confirmedMs)} ms`,
    `${Math.min(...missing)} to ${Math.max(...missing)}`,
  ]
}
