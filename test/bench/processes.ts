import { setTimeout as delay } from 'node:timers/promises'
import { kilobytes, milliseconds, percent } from './figures.ts'
import { ProcessCluster, REST_MS, type Cost, type Removal } from './process-cluster.ts'
import { median, type Bench } from './result.ts'

/** Nodes that are processes on loopback: how they link, what a removal and doing nothing cost, and half of them killed. */
export const measureProcesses: Bench = async options => {
  const size = options.quick ? 8 : 30
  const rounds = options.quick ? 3 : 10
  const idleMs = options.quick ? 10_000 : 60_000
  const { progress } = options
  await using cluster = await ProcessCluster.start(size, options)
  const rows = [['what', '', 'figure']]
  // The run is long: what is known by then is not lost with what comes behind it.
  const tell = (...known: readonly string[][]): void => {
    for (const row of known) progress(row.filter(cell => cell !== '').join(', '))
    rows.push(...known)
  }
  tell(...(await cluster.describeLinks()))

  progress(`${idleMs / 1_000} s of rest`)
  await delay(REST_MS)
  const idle = await cluster.cost(async () => delay(idleMs))
  tell(
    ['at rest', 'processor time a node', percent(idle.processorMs / idle.ms)],
    ['', 'received of other nodes, a node and second', kilobytes(idle.bytes / (idle.ms / 1_000))],
    ['', 'resident memory of a node, median', await cluster.describeMemory()],
  )

  progress(`${rounds} removals`)
  const removals: Removal[] = []
  for (let round = 0; round < rounds; round += 1) removals.push(await cluster.removeOnce(round))
  // What would have been spent without the removal is no part of its cost.
  const above = (cost: Cost, of: 'processorMs' | 'bytes'): number =>
    cost[of] - (idle[of] / idle.ms) * cost.ms
  tell(
    [
      'removal',
      'to the last cut, median',
      milliseconds(median(removals.map(one => one.lastCutMs))),
    ],
    ['', 'worst', milliseconds(Math.max(...removals.map(one => one.lastCutMs)))],
    [
      '',
      'from the first cut to the last, median',
      milliseconds(median(removals.map(one => one.lastCutMs - one.firstCutMs))),
    ],
    [
      '',
      'to the last confirmation, median',
      milliseconds(median(removals.map(one => one.confirmedMs))),
    ],
    [
      '',
      'processor time a node, median',
      milliseconds(median(removals.map(one => above(one.cost, 'processorMs')))),
    ],
    [
      '',
      'received of other nodes, a node, median',
      kilobytes(median(removals.map(one => above(one.cost, 'bytes')))),
    ],
  )
  await cluster.measureKill(options, tell)
  return [
    {
      title: `${size} nodes in processes of their own on this machine, ${rounds} removals`,
      rows,
      notes: [
        'Bytes are those of TCP, as ss(8) counts them; what rests costs is taken off a removal.',
      ],
    },
  ]
}
