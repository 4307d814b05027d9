import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DATABASE_FILE } from '../../node/storage/sqlite-database.ts'
import {
  addCheckpoint,
  archiveAgedList,
  fillAgedList,
  type AgedListOptions,
  type AgedListSize,
} from './aged-list.ts'
import { runOnce } from './keyboard.ts'
import { median, type Bench, type BenchOptions } from './result.ts'
import { CLIENT, makeSite, type Site } from './site.ts'
import { compile, startOnce, startProgram, type Program } from './start.ts'
import { measureStateSync } from './state-sync.ts'

const NODE = 'node-1'
const NEWCOMERS = ['node-2', 'node-3'] as const

/** Of the last one more than a million changes leave the log. */
const SIZES: readonly AgedListSize[] = [
  { names: 10_000, changesPerName: 61 },
  { names: 100_000, changesPerName: 13 },
]
const QUICK_SIZES: readonly AgedListSize[] = [{ names: 1_000, changesPerName: 7 }]

const ROUNDS = 3

/** How a log ends: as it grew, then with a checkpoint, then with what that leaves behind in an archive. */
const ENDS: readonly (readonly [string, (list: AgedListOptions) => number | Promise<number>])[] = [
  ['as it grew', () => 0],
  ['checkpoint', addCheckpoint],
  ['archived', archiveAgedList],
]

/** What a log that has grown for years costs a start, with and without an archive, and a newcomer. */
export const measureCheckpoint: Bench = async options => {
  const { quick, progress } = options
  await using site = await makeSite([NODE, ...NEWCOMERS])
  progress('compiling')
  const program = await compile(site)
  const logs = [
    ['names', 'changes', 'log', 'made in', 'start', 'memory', 'database', 'archive', 'one name'],
  ]
  const newcomers = [
    [
      'names',
      'changes',
      'until it has all',
      'processor',
      'longest turn',
      'memory',
      'of the sender',
    ],
  ]
  for (const [index, size] of (quick ? QUICK_SIZES : SIZES).entries()) {
    const aged = { site, program, size, newcomer: NEWCOMERS[index] ?? NEWCOMERS[0] }
    await measureAged(aged, options, { logs, newcomers })
  }
  return [
    { title: 'A log that has grown, with and without an archive', rows: logs },
    {
      title: 'A node with an empty disk that is sent the state of an archived list',
      rows: newcomers,
    },
  ]
}

interface Aged {
  readonly site: Site
  readonly program: Program
  readonly size: AgedListSize
  readonly newcomer: string
}

interface Tables {
  readonly logs: string[][]
  readonly newcomers: string[][]
}

/** One list, written once and measured at each of its ends. */
async function measureAged(
  { site, program, size, newcomer }: Aged,
  { progress }: BenchOptions,
  { logs, newcomers }: Tables,
): Promise<void> {
  const { names, changesPerName } = size
  const changes = names * changesPerName
  const titles = [names.toLocaleString('en'), changes.toLocaleString('en')]
  const data = await site.dataFolder(`aged-${names}`)
  const list: AgedListOptions = {
    data,
    operator: await site.certs.load('operator', 'admin'),
    node: await site.certs.load('node', NODE),
  }
  progress(`${names} names, writing ${changes} changes`)
  fillAgedList(list, size)
  const config = await site.writeConfig(NODE, { data })
  for (const [end, reach] of ENDS) {
    progress(`${names} names, ${end}`)
    const ms = await reach(list)
    // The first one after an archive gives space back.
    await startOnce(program, config)
    const starts = []
    for (let round = 0; round < ROUNDS; round += 1) starts.push(await startOnce(program, config))
    logs.push([
      ...titles,
      end,
      ms === 0 ? '' : seconds(ms),
      `${median(starts.map(one => one.ms)).toFixed(0)} ms`,
      mebibytes(median(starts.map(({ bytes }) => bytes))),
      mebibytes(statSync(join(data, DATABASE_FILE)).size),
      end === 'archived' ? mebibytes(archivesIn(data)) : '',
      `${(await logOfOne(site, program, config)).toFixed(0)} ms`,
    ])
  }
  progress(`${names} names, sending their state`)
  const cost = await measureStateSync({ site, archived: config, newcomer, changes: changes + 1 })
  newcomers.push([
    ...titles,
    seconds(cost.ms),
    seconds(cost.cpuMs),
    `${cost.turnMs.toFixed(0)} ms`,
    mebibytes(cost.bytes),
    `${seconds(cost.senderCpuMs)}, ${cost.senderTurnMs.toFixed(0)} ms`,
  ])
}

/** How long `fridge whitelist log` takes for one name, ms. */
async function logOfOne(site: Site, program: Program, config: string): Promise<number> {
  await using node = await startProgram(program, config)
  const target = ['--node', node.address, '--certs', site.certs.dir, '--as', 'admin']
  const runs: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    runs.push((await runOnce(program, ['whitelist', 'log', CLIENT, ...target])).wholeMs)
  }
  return median(runs)
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`
}

function archivesIn(data: string): number {
  const archives = readdirSync(data).filter(name => name.startsWith('archive-'))
  return archives.reduce((sum, name) => sum + statSync(join(data, name)).size, 0)
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`
}
