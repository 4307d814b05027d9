import type { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import { HOUR_MS, MINUTE_MS } from '../../../node/history/bucket.ts'
import { openHistoryForReading } from '../../../node/history/database.ts'
import { answerPage, HISTORY_TABLES } from '../../../node/history/page.ts'
import { HistoryReader } from '../../../node/history/reader.ts'
import { BEGIN, makeHistory, SENSORS, type TestHistory } from '../../support/history.ts'

const SPAN = { from: BEGIN, to: BEGIN + 2 * HOUR_MS }

function sums(history: TestHistory, sensor: string, lengthMs: number) {
  return history.read(reader =>
    Array.from(reader.buckets(sensor, lengthMs, SPAN), bucket => {
      const { start, recordedMs, count, low, high, openings, openMs } = bucket
      return { start, recordedMs, count, low, high, openings, openMs }
    }),
  )
}

test('what was said in a minute that is not over is in its sums, and in those of the hour', async t => {
  const history = await makeHistory(t)
  history.move('close', BEGIN + 1_000)
  history.reading(4, BEGIN + 2_000)
  history.move('open', BEGIN + 5_000)
  history.reading(5, BEGIN + 12_000)
  history.writer().flush()
  const start = BEGIN
  const air = { start, recordedMs: 12_000, count: 2, low: 4, high: 5, openings: 0, openMs: 0 }
  t.deepEqual(sums(history, 'temperature', MINUTE_MS), [air])
  t.deepEqual(sums(history, 'temperature', HOUR_MS), [air])
  t.like(sums(history, 'door', MINUTE_MS)[0], { recordedMs: 12_000, openings: 1, openMs: 7_000 })
})

test('a minute that is over is counted once, and the one behind it with what holds from before', async t => {
  const history = await makeHistory(t)
  history.move('open', BEGIN + 30_000)
  history.reading(4, BEGIN + MINUTE_MS - 1_000)
  history.reading(6, BEGIN + MINUTE_MS + 10_000)
  history.writer().flush()
  t.deepEqual(
    sums(history, 'temperature', MINUTE_MS).map(({ start, count }) => [start - BEGIN, count]),
    [
      [0, 1],
      [MINUTE_MS, 1],
    ],
  )
  t.like(sums(history, 'temperature', HOUR_MS)[0], { count: 2, recordedMs: MINUTE_MS + 10_000 })
  t.like(sums(history, 'door', MINUTE_MS)[1], { openings: 0, openMs: 10_000 })
})

test('behind a restart nothing is known of a sensor until it says something', async t => {
  const history = await makeHistory(t)
  history.move('open', BEGIN + 1_000)
  history.writer().end(BEGIN + 10 * MINUTE_MS, 'the node stopped')
  history.restart(BEGIN + HOUR_MS)
  history.reading(4, BEGIN + HOUR_MS + 20_000)
  history.writer().flush()
  t.like(sums(history, 'door', HOUR_MS)[1], { recordedMs: 20_000, openMs: 0 })
  history.move('open', BEGIN + HOUR_MS + 30_000)
  history.reading(4, BEGIN + HOUR_MS + 40_000)
  history.writer().flush()
  t.like(sums(history, 'door', HOUR_MS)[1], { recordedMs: 40_000, openings: 0, openMs: 10_000 })
})

test('a span in which the node is recording reaches to what it has recorded', async t => {
  const history = await makeHistory(t)
  history.reading(4, BEGIN + 12_000)
  history.writer().flush()
  t.deepEqual(
    history.read(reader => reader.stretches('temperature', SPAN)),
    [{ from: BEGIN, to: BEGIN + 12_000 }],
  )
})

test('a time in which the configuration did not name a sensor is no span of its recording', async t => {
  const [door] = SENSORS
  const history = await makeHistory(t)
  history.reading(4, BEGIN + 1_000)
  history.writer().end(BEGIN + 10 * MINUTE_MS, 'the node stopped')
  history.restart(BEGIN + 10 * MINUTE_MS, [door])
  history.move('open', BEGIN + 11 * MINUTE_MS)
  const before = { from: BEGIN, to: BEGIN + 10 * MINUTE_MS }
  const stretches = (sensor: string) => history.read(reader => reader.stretches(sensor, SPAN))
  history.writer().flush()
  t.deepEqual(stretches('temperature'), [before])
  history.writer().end(BEGIN + 12 * MINUTE_MS, 'the node stopped')
  history.restart(BEGIN + 12 * MINUTE_MS)
  history.writer().advance(BEGIN + 14 * MINUTE_MS)
  history.writer().flush()
  t.deepEqual(stretches('temperature'), [
    before,
    { from: BEGIN + 12 * MINUTE_MS, to: BEGIN + 14 * MINUTE_MS },
  ])
  t.deepEqual(stretches('door'), [{ from: BEGIN, to: BEGIN + 14 * MINUTE_MS }])
})

test('a sensor that says nothing in an hour that has just begun is recorded in it still', async t => {
  const history = await makeHistory(t)
  history.reading(4, BEGIN + 1_000)
  history.writer().advance(BEGIN + HOUR_MS + 5_000)
  history.move('open', BEGIN + HOUR_MS + 10_000)
  history.writer().flush()
  t.deepEqual(
    history.read(reader => reader.stretches('temperature', SPAN)),
    [{ from: BEGIN, to: BEGIN + HOUR_MS + 10_000 }],
  )
})

test('an alarm about a sensor says nothing of it, whoever takes note of it', async t => {
  const history = await makeHistory(t)
  history.unavailable('temperature', BEGIN + 1_000)
  const note = { sensor: 'temperature', type: 'raised', detail: '{}' } as const
  history.writer().alarm(note, BEGIN + 30 * MINUTE_MS)
  history.writer().alarm({ ...note, type: 'acknowledged' }, BEGIN + HOUR_MS + 10_000)
  history.move('close', BEGIN + HOUR_MS + 20_000)
  history.writer().flush()
  const [, second] = history.read(reader => [...reader.buckets('temperature', HOUR_MS, SPAN)])
  t.like(second, { recordedMs: 20_000, unavailableMs: 20_000 })
  // Killed: the next run sums the open hour up from its rows.
  history.restart(BEGIN + 2 * HOUR_MS)
  const [, sealed] = history.read(reader => [...reader.buckets('temperature', HOUR_MS, SPAN)])
  t.like(sealed, { recordedMs: 20_000, unavailableMs: 20_000 })
  t.deepEqual((await history.verify()).findings, [])
})

test('an alarm of a sensor that was removed ends in the history, which stays sound', async t => {
  const history = await makeHistory(t)
  history.reading(9, BEGIN + 1_000)
  history
    .writer()
    .alarm({ sensor: 'temperature', type: 'raised', detail: '{}' }, BEGIN + 30 * MINUTE_MS)
  history.writer().flush()
  const restart = (): void => history.restart(BEGIN + 2 * HOUR_MS, [{ name: 'door', kind: 'door' }])
  restart()
  history.writer().alarm({ sensor: 'temperature', type: 'over', detail: '{}' }, BEGIN + 2 * HOUR_MS)
  history.writer().flush()
  // Killed: its open hour is summed up from its rows, in which nothing was heard of the sensor.
  restart()
  const span = { from: BEGIN, to: BEGIN + 3 * HOUR_MS }
  const events = history.read(reader => [...reader.events('temperature', span)])
  const own = events.filter(({ sensor }) => sensor !== undefined).map(({ type }) => type)
  t.deepEqual(own, ['available', 'raised', 'over'])
  const hours = history.read(reader => [...reader.buckets('temperature', HOUR_MS, span)])
  t.deepEqual(
    hours.map(({ start }) => start),
    [BEGIN],
  )
  t.deepEqual((await history.verify()).findings, [])
})

test('a sensor that spoke in a minute that is over is known in the one that goes on', async t => {
  const history = await makeHistory(t)
  history.unavailable('temperature', BEGIN + 1_000)
  history.reading(4, BEGIN + 30_000)
  history.move('open', BEGIN + MINUTE_MS + 10_000)
  history.writer().flush()
  const [first, second] = history.read(reader => [
    ...reader.buckets('temperature', MINUTE_MS, SPAN),
  ])
  t.like(first, { count: 1, unavailableMs: 30_000 })
  t.like(second, { recordedMs: 10_000, count: 0, unavailableMs: 0 })
})

/** The tables that grow with time. */
const GROWING = /\b(?:hours|sensorHours|sensorMinutes|readings|events|commands)\b/

/** The queries that are prepared on a database from now on. */
function queriesOf(database: DatabaseSync): ReadonlySet<string> {
  const queries = new Set<string>()
  const prepare = database.prepare.bind(database)
  database.prepare = sql => {
    queries.add(sql)
    return prepare(sql)
  }
  return queries
}

/** The steps of a query that walk through a table from one end to the other, as SQLite plans them. */
function walksOf(database: DatabaseSync, sql: string): string[] {
  // Without a condition it is the first or the last row of an index that is looked up.
  if (!sql.includes('WHERE')) return []
  return database
    .prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .all()
    .map(({ detail }) => String(detail))
    .filter(step => GROWING.test(step) && !/\(.*[=<>]/.test(step))
    .map(step => `${step}: ${sql}`)
}

test('a page costs what its own rows do, however many years were recorded before them', async t => {
  const history = await makeHistory(t)
  history.reading(4, BEGIN + 1_000)
  history.writer().advance(BEGIN + HOUR_MS + 1_000)
  history.move('open', BEGIN + HOUR_MS + 2_000)
  history.writer().flush()
  const database = openHistoryForReading(history.file)
  const queries = queriesOf(database)
  using reader = new HistoryReader(database)
  for (const table of HISTORY_TABLES) {
    answerPage(reader, { sensor: 'temperature', table, ...SPAN, after: null })
  }
  t.true(queries.size > HISTORY_TABLES.length)
  t.deepEqual(
    Array.from(queries).flatMap(sql => walksOf(database, sql)),
    [],
  )
})
