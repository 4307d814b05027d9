import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DATABASE_FILE } from '../../node/storage/sqlite-database.ts'
import { fillAgedList, type CheckpointCost } from './aged-list.ts'
import { median, type Bench } from './result.ts'
import { makeSite } from './site.ts'
import { compile, startOnce } from './start.ts'

const NODE = 'node-1'

/** How a log ends: as it grew, with a checkpoint, or with what that leaves behind in an archive. */
const ENDS = ['as it grew', 'checkpoint', 'archived'] as const

/** Names, and how often each was let in or out. */
const SIZES = [
  [10_000, 61],
  [100_000, 7],
] as const

/** What a log that has grown for years costs a start, with and without an archive. */
export const measureCheckpoint: Bench = async ({ quick, progress }) => {
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
  return [{ title: 'A log that has grown, with and without an archive', rows }]
}

function shown({ judgeMs, archiveMs }: CheckpointCost): string[] {
  return [judgeMs, archiveMs].map(ms => (ms === 0 ? '' : `${(ms / 1_000).toFixed(2)} s`))
}

function archivesIn(data: string): number {
  const archives = readdirSync(data).filter(name => name.startsWith('archive-'))
  return archives.reduce((sum, name) => sum + statSync(join(data, name)).size, 0)
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`
}
