import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openHistoryDatabase, openHistoryForReading } from '../../node/history/database.ts'
import { answerPage, type HistoryPage, type HistoryTable } from '../../node/history/page.ts'
import { HistoryReader } from '../../node/history/reader.ts'
import { HistoryStore } from '../../node/history/store.ts'
import { verifyHistory } from '../../node/history/verify.ts'
import { HistoryWriter } from '../../node/history/writer.ts'
import { seededRandom } from '../../node/sensors/drivers/seeded-random.ts'
import { celsius, DAY_MS, RETENTION } from '../support/history.ts'
import { makePeople, type People } from '../support/replica-people.ts'
import { NODE_FLAGS } from './node-flags.ts'
import type { RecordingCost } from './recording-process.ts'
import { median, quantile, type Bench } from './result.ts'

const SENSORS = [{ name: 'temperature', kind: 'temperature' }] as const
const BEGIN = Date.UTC(2026, 0, 1)
const READING_MS = 5_000

/** One sensor that is read every 5 s for 400 days: its file, and what writing, reading and checking it cost. */
export const measureHistory: Bench = async ({ quick, progress }) => {
  const folder = await mkdtemp(join(tmpdir(), 'fridge-bench-'))
  try {
    const days = quick ? 40 : 400
    const file = join(folder, 'history.db')
    const people = await makePeople({ nodes: ['node-1'], now: BEGIN - DAY_MS })
    const end = BEGIN + days * DAY_MS
    progress(`recording ${days} days`)
    const writes = record({ file, people, end })
    const { size } = await stat(file)
    const reader = new HistoryReader(openHistoryForReading(file))
    const read = (table: HistoryTable, spanMs: number): Read =>
      readAll(reader, table, { from: end - spanMs, to: end })
    progress('reading')
    const week = repeat(() => read('minutes', 7 * DAY_MS))
    const year = repeat(() => read('hours', Math.min(365, days) * DAY_MS))
    reader[Symbol.dispose]()
    progress('verifying')
    const database = openHistoryForReading(file)
    const startedAt = performance.now()
    const before = process.cpuUsage()
    const { findings, minutes } = await verifyHistory(database, people.trust)
    const verifyMs = performance.now() - startedAt
    const verifyCpuMs = cpuMsSince(before)
    database.close()
    progress('weighing')
    const memory = await weigh(file, end)
    if (findings.length > 0) throw new Error(`the history is not sound: ${findings[0]?.problem}`)
    return [
      {
        title: `History: one sensor, a reading every 5 s, ${days} days`,
        rows: [
          ['', 'median', 'slowest', 'processor time'],
          ['file', mebibytes(size), ''],
          [
            'a reading, many a write',
            micros(writes.gathered, median),
            micros(writes.gathered, slowest),
          ],
          [
            'a reading, written by itself',
            micros(writes.single, median),
            micros(writes.single, late),
          ],
          [
            'an hour, ended and signed',
            millis(writes.hours, median),
            millis(writes.hours, slowest),
          ],
          [
            'a week of minutes, read and encoded',
            ...millisOf(week.map(({ allMs }) => allMs)),
            cpuOf(week),
          ],
          ['  of it, a page', ...millisOf(week.flatMap(({ pagesMs }) => pagesMs))],
          [
            'a year of hours, read and encoded',
            ...millisOf(year.map(({ allMs }) => allMs)),
            cpuOf(year),
          ],
          ['  of it, a page', ...millisOf(year.flatMap(({ pagesMs }) => pagesMs))],
          [
            `digests and ${minutes.toLocaleString('en')} minutes checked`,
            `${verifyMs.toFixed(0)} ms`,
            '',
            `${verifyCpuMs.toFixed(0)} ms`,
          ],
          ['memory of a process that opens it', mebibytes(memory.openBytes), ''],
          ['and of one that has recorded an hour', mebibytes(memory.recordedBytes), ''],
        ],
        notes: ['The slowest of readings that are written by themselves is the 99th percentile.'],
      },
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What it adds to a process of its own that it is open and recorded. */
async function weigh(file: string, end: number): Promise<RecordingCost> {
  const child = fork(join(import.meta.dirname, 'recording-process.ts'), [file, String(end)], {
    execArgv: [...NODE_FLAGS, '--expose-gc'],
  })
  const exit = once(child, 'exit')
  const [cost] = (await once(child, 'message')) as [RecordingCost]
  await exit
  return cost
}

interface Writes {
  /** Milliseconds a reading, of minutes that were written at once. */
  readonly gathered: number[]
  /** Milliseconds a reading, of the last day, where each was written by itself as a node does. */
  readonly single: number[]
  /** Milliseconds to end an hour, with what is removed then. */
  readonly hours: number[]
}

function record({ file, people, end }: { file: string; people: People; end: number }): Writes {
  const writes: Writes = { gathered: [], single: [], hours: [] }
  using store = new HistoryStore(openHistoryDatabase(file))
  const writer = new HistoryWriter({
    store,
    node: 'node-1',
    sensors: SENSORS,
    retention: RETENTION,
    signing: () => people.node('node-1'),
    now: BEGIN,
    why: 'a bench',
  })
  const random = seededRandom(1)
  for (let minute = BEGIN; minute < end; minute += 60_000) {
    const isSingle = minute >= end - DAY_MS
    const isHour = minute % 3_600_000 === 0
    const startedAt = performance.now()
    for (let moment = minute; moment < minute + 60_000; moment += READING_MS) {
      const before = performance.now()
      const value = Math.round((4 + Math.sin(moment / 3e6) + random()) * 100) / 100
      writer.tell('temperature', celsius(value, moment), moment)
      if (!isSingle) continue
      writer.flush()
      if (!isHour) writes.single.push(performance.now() - before)
    }
    writer.flush()
    const tookMs = performance.now() - startedAt
    if (isHour) writes.hours.push(tookMs)
    else if (!isSingle) writes.gathered.push(tookMs / 12)
    if (minute % DAY_MS === 0) store.checkpoint()
  }
  writer.end(end, 'the end')
  return writes
}

interface Read {
  readonly allMs: number
  /** Processor time of all pages, in milliseconds. */
  readonly cpuMs: number
  readonly pagesMs: readonly number[]
}

function readAll(
  reader: HistoryReader,
  table: HistoryTable,
  span: { from: number; to: number },
): Read {
  const pagesMs: number[] = []
  const before = process.cpuUsage()
  for (let after: number | null = null; ;) {
    const startedAt = performance.now()
    const page: HistoryPage = answerPage(reader, { sensor: 'temperature', table, ...span, after })
    JSON.stringify(page)
    pagesMs.push(performance.now() - startedAt)
    after = page.next
    if (after === null) break
  }
  const allMs = pagesMs.reduce((sum, ms) => sum + ms, 0)
  return { allMs, cpuMs: cpuMsSince(before), pagesMs }
}

function repeat(read: () => Read): Read[] {
  // The first few only compile.
  for (let round = 0; round < 5; round += 1) read()
  return Array.from({ length: 21 }, read)
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`
}

function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

function cpuOf(reads: readonly Read[]): string {
  return millis(
    reads.map(({ cpuMs }) => cpuMs),
    median,
  )
}

function slowest(samples: readonly number[]): number {
  return quantile(samples, 1)
}

function late(samples: readonly number[]): number {
  return quantile(samples, 0.99)
}

function micros(ms: readonly number[], of: (samples: readonly number[]) => number): string {
  return `${(of(ms) * 1_000).toFixed(1)} µs`
}

function millis(ms: readonly number[], of: (samples: readonly number[]) => number): string {
  return `${of(ms).toFixed(1)} ms`
}

function millisOf(ms: readonly number[]): [string, string] {
  return [millis(ms, median), millis(ms, slowest)]
}
