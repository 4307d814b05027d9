import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DATABASE_FILE } from '../../node/storage/sqlite-database.ts'
import { fillAgedList, type CheckpointCost } from './aged-list.ts'
import { median, type Bench, type BenchOptions } from './result.ts'
import { makeSite } from './site.ts'
import { compile, startOnce } from './start.ts'
import { measureStateSync } from './state-sync.ts'

const NODE = 'node-1'

/** How a log ends: as it grew, with a checkpoint, or with what that leaves behind in an archive. */
const ENDS = ['as it grew', 'checkpoint', 'archived'] as const

/** Names, and how often each was let in or out. */
const SIZES = [
  [10_000, 61],
  [100_000, 7],
] as const

/** The same for what a newcomer is sent: of the last one more than a million changes have left the log. */
const SENT = [
  [10_000, 13],
  [100_000, 13],
] as const

/** What a log that has grown for years costs a start, with and without an archive, and a newcomer. */
export const measureCheckpoint: Bench = async options => {
  const { quick, progress } = options
  await using site = await makeSite([NODE])
  progress('compiling')
  const compiled = await compile(site)
  const [operator, node] = [
    await site.certs.load('operator', 'admin'),
    await site.certs.load('node', NODE),
  ]
  const rows = [
    ['names', 'changes', 'log', 'start', 'memory', 'database', 'archive', 'to judge', 'to archive'],
  ]
  for (const [names, changesPerName] of quick ? [[1_000, 7] as const] : SIZES) {
    for (const end of ENDS) {
      progress(`${names} names, ${end}`)
      const data = await site.dataFolder(`${end}-${names}`.replaceAll(' ', '-'))
      const [checkpoint, archive] = [end !== 'as it grew', end === 'archived']
      const filled = { data, names, changesPerName, operator, node, checkpoint, archive }
      const cost = await fillAgedList(filled)
      const config = await site.writeConfig(NODE, { data })
      // The first one after an archive gives space back.
      await startOnce(compiled, config)
      const starts = []
      for (let round = 0; round < 3; round += 1) starts.push(await startOnce(compiled, config))
      rows.push([
        names.toLocaleString('en'),
        (names * changesPerName).toLocaleString('en'),
        end,
        `${median(starts.map(({ ms }) => ms)).toFixed(0)} ms`,
        mebibytes(median(starts.map(({ bytes }) => bytes))),
        mebibytes(statSync(join(data, DATABASE_FILE)).size),
        archive ? mebibytes(archivesIn(data)) : '',
        ...shown(cost),
      ])
    }
  }
  const newcomers = await measureNewcomers(options)
  return [
    { title: 'A log that has grown, with and without an archive', rows },
    {
      title: 'A node with an empty disk that is sent the state of an archived list',
      rows: newcomers,
    },
  ]
}

async function measureNewcomers(options: BenchOptions): Promise<string[][]> {
  const rows = [
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
  for (const [names, changesPerName] of options.quick ? [[1_000, 5] as const] : SENT) {
    const cost = await measureStateSync(names, changesPerName, options)
    rows.push([
      names.toLocaleString('en'),
      (names * changesPerName).toLocaleString('en'),
      seconds(cost.ms),
      seconds(cost.cpuMs),
      `${cost.turnMs.toFixed(0)} ms`,
      mebibytes(cost.bytes),
      `${seconds(cost.senderCpuMs)}, ${cost.senderTurnMs.toFixed(0)} ms`,
    ])
  }
  return rows
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`
}

function shown({ judgeMs, archiveMs }: CheckpointCost): string[] {
  return [judgeMs, archiveMs].map(ms => (ms === 0 ? '' : seconds(ms)))
}

function archivesIn(data: string): number {
  const archives = readdirSync(data).filter(name => name.startsWith('archive-'))
  return archives.reduce((sum, name) => sum + statSync(join(data, name)).size, 0)
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`
}
