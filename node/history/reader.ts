import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite'
import { identityOf } from '../identity/identity.ts'
import type { SensorKind } from '../sensors/kinds.ts'
import { addBucket, HOUR_MS, MINUTE_MS, startOf, type Bucket } from './bucket.ts'
import { openMinuteOf } from './open-minute.ts'
import { BUCKET_COLUMNS, bucketOf, commandOf, eventOf, type Row } from './rows.ts'
import { ALARM_TYPES, type RecordedCommand, type RecordedEvent } from './seal.ts'
import type { BegunHour } from './store.ts'

/** Of events: an alarm may be told of a sensor that is there no more. */
const NO_ALARM = `type NOT IN (${ALARM_TYPES.map(type => `'${type}'`).join(', ')})`

/** A span of time, in milliseconds since 1970; `to` is not a part of it. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** One reading that is kept. */
export interface Reading {
  readonly number: number
  readonly at: number
  readonly value: number
}

/** An hour of the chain, as far as it is shown. */
export interface ChainedHour {
  readonly position: number
  readonly begin: number
  readonly end: number
  readonly digest: string
}

interface HourSpan extends BegunHour {
  /** Undefined while it goes on. */
  readonly end: number | undefined
}

/**
 * Reads a history, on a connection that cannot write. What it gives is read as it is taken, and no
 * read stays open longer than somebody takes from it: else SQLite could not shorten its log.
 */
export class HistoryReader implements Disposable {
  readonly #database: DatabaseSync
  readonly #recordedUntil: () => number
  readonly #statements = new Map<string, StatementSync>()

  /**
   * @param database is closed with the reader
   * @param recordedUntil the moment up to which a node that is recording has counted and written.
   *   Default: what the rows say
   */
  constructor(database: DatabaseSync, recordedUntil: () => number = () => 0) {
    this.#database = database
    this.#recordedUntil = recordedUntil
  }

  /** The sensors that the history knows, each with its newest kind. */
  sensors(): Map<string, SensorKind> {
    const rows = this.#database.prepare('SELECT name, kind FROM sensors ORDER BY id').all()
    return new Map(rows.map(({ name, kind }) => [String(name), kind as SensorKind]))
  }

  /** The node that recorded it, by the certificate under its last hour. */
  node(): string | undefined {
    const row = this.#database
      .prepare(
        `SELECT chain FROM hours JOIN certificates ON fingerprint = certificate
         ORDER BY position DESC LIMIT 1`,
      )
      .get()
    const [leaf] = typeof row?.['chain'] === 'string' ? row['chain'].split(' ') : []
    return leaf === undefined ? undefined : identityOf(Buffer.from(leaf, 'base64')).name
  }

  /** Minutes or hours of a sensor, in order; those in which nothing was recorded are left out. */
  *buckets(sensor: string, lengthMs: number, { from, to }: Span): Iterable<Bucket> {
    const id = this.#idOf(sensor)
    if (id === undefined) return
    const first = startOf(from, lengthMs)
    let under: Bucket | undefined
    for (const bucket of this.#parts(id, lengthMs, { from: startOf(from, HOUR_MS), to })) {
      if (bucket.start < first || bucket.start >= to) continue
      if (bucket.recordedMs + bucket.count + bucket.openings === 0) continue
      // Two parts of one minute, before a restart and after it.
      if (under?.start === bucket.start) addBucket(under, bucket)
      else {
        if (under !== undefined) yield under
        under = bucket
      }
    }
    if (under !== undefined) yield under
  }

  /** Readings of a sensor behind a number, in the order in which they came in. */
  *readings(sensor: string, span: Span, after = 0): Iterable<Reading> {
    const { first, last } = this.#numbersIn(span)
    const rows = this.#database.prepare(
      `SELECT number, at, value FROM readings
       WHERE sensor = ? AND number >= ? AND number <= ? AND at >= ? AND at < ? ORDER BY number`,
    )
    const range = [Math.max(first, after + 1), last, span.from, span.to]
    for (const row of rows.iterate(this.#idOf(sensor) ?? -1, ...range)) {
      yield row as unknown as Reading
    }
  }

  /** What a sensor said beside readings, and what befell the node, behind a number. */
  *events(sensor: string, span: Span, after = 0): Iterable<RecordedEvent> {
    const { first, last } = this.#numbersIn(span)
    const rows = (of: string): StatementSync =>
      this.#database.prepare(
        `SELECT * FROM events WHERE ${of} AND number >= ? AND number <= ? AND at >= ? AND at < ?
         ORDER BY number`,
      )
    const range = [Math.max(first, after + 1), last, span.from, span.to]
    const own = rows('sensor = ?').iterate(this.#idOf(sensor) ?? -1, ...range)
    const ofNode = rows('sensor IS NULL').iterate(...range)
    for (const row of inOrder(own, ofNode)) {
      const event = eventOf(row)
      yield { ...event, sensor: event.sensor === undefined ? undefined : sensor }
    }
  }

  /** Calls of commands, behind a number. */
  *commands(span: Span, after = 0): Iterable<RecordedCommand> {
    const { first, last } = this.#numbersIn(span)
    const rows = this.#database.prepare(
      `SELECT * FROM commands WHERE number >= ? AND number <= ? AND at >= ? AND at < ?
       ORDER BY number`,
    )
    const range = [Math.max(first, after + 1), last, span.from, span.to]
    for (const row of rows.iterate(...range)) yield commandOf(row)
  }

  /** From the beginning of the first hour to the end of the last one at most. */
  reach(): Span | undefined {
    const row = this.#database
      .prepare(
        'SELECT (SELECT min(begin) FROM hours) AS low, (SELECT max(begin) FROM hours) AS high',
      )
      .get()
    if (typeof row?.['low'] !== 'number') return undefined
    return { from: row['low'], to: startOf(Number(row['high']), HOUR_MS) + HOUR_MS }
  }

  /**
   * The spans in which the node was recording a sensor, in order, those that meet joined: a sensor
   * that its configuration did not name meanwhile was not recorded, whatever else was.
   */
  stretches(sensor: string, { from, to }: Span): Span[] {
    const hours = this.#hourSpans({ from: from - HOUR_MS, to })
    const recorded = this.#positionsOf(this.#idOf(sensor) ?? -1, hours)
    const joined: { from: number; to: number }[] = []
    for (const hour of hours) {
      if (!recorded.has(hour.position)) continue
      const end = hour.end ?? this.#openEnd(hour)
      if (end <= from) continue
      const last = joined.at(-1)
      if (last !== undefined && hour.begin <= last.to) last.to = Math.max(last.to, end)
      else joined.push({ from: hour.begin, to: end })
    }
    return joined
  }

  /** The last hour that began before a moment and is signed. */
  lastSigned(before: number): ChainedHour | undefined {
    return this.#database
      .prepare(
        `SELECT position, begin, end, digest FROM hours
         WHERE begin < ? AND digest IS NOT NULL ORDER BY begin DESC LIMIT 1`,
      )
      .get(before) as unknown as ChainedHour | undefined
  }

  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close()
  }

  #idOf(sensor: string): number | undefined {
    const row = this.#database
      .prepare('SELECT id FROM sensors WHERE name = ? ORDER BY id DESC LIMIT 1')
      .get(sensor)
    return row === undefined ? undefined : Number(row['id'])
  }

  /** In order of their starts, a part at a time: mostly whole, else what is before a restart, and after. */
  #parts(sensor: number, lengthMs: number, span: Span): readonly Bucket[] {
    const parts: Bucket[] = []
    for (const run of runsOf(this.#hourSpans(span))) {
      if (lengthMs === MINUTE_MS) parts.push(...this.#minutes(sensor, run))
      else parts.push(...this.#hours(sensor, run))
    }
    // Out of order only where the clock was set back.
    return parts.some(({ start }, index) => start < (parts[index - 1]?.start ?? 0))
      ? parts.sort((a, b) => a.start - b.start)
      : parts
  }

  /** @param run hours whose positions follow each other */
  #minutes(sensor: number, run: readonly HourSpan[]): Bucket[] {
    const first = run[0]?.position ?? 0
    const rows = this.#statement(
      `SELECT position, minute, ${BUCKET_COLUMNS} FROM sensorMinutes
       WHERE sensor = ? AND position >= ? AND position < ?`,
    )
    const starts = run.map(({ begin }) => startOf(begin, HOUR_MS))
    const minutes = arraysOf(rows, sensor, first, first + run.length).map(row => {
      const start = starts[Number(row[0]) - first] ?? 0
      return bucketOf(start + Number(row[1]) * MINUTE_MS, row, 2)
    })
    const last = run.at(-1)
    if (last === undefined || last.end !== undefined) return minutes
    // The minute that goes on is in no table yet.
    const open = openMinuteOf(this.#database, sensor, last, this.#openEnd(last))
    return open === undefined || open.start <= (minutes.at(-1)?.start ?? 0)
      ? minutes
      : [...minutes, open]
  }

  /** @param run hours whose positions follow each other */
  #hours(sensor: number, run: readonly HourSpan[]): Bucket[] {
    const first = run[0]?.position ?? 0
    const rows = this.#statement(
      `SELECT position, ${BUCKET_COLUMNS} FROM sensorHours
       WHERE sensor = ? AND position >= ? AND position < ?`,
    )
    const starts = run.map(({ begin }) => startOf(begin, HOUR_MS))
    const hours = arraysOf(rows, sensor, first, first + run.length).map(row =>
      bucketOf(starts[Number(row[0]) - first] ?? 0, row, 1),
    )
    // The hour that goes on has no sum yet.
    const last = run.at(-1)
    if (last?.end !== undefined || last === undefined) return hours
    return [...hours, ...sumOf(startOf(last.begin, HOUR_MS), this.#minutes(sensor, [last]))]
  }

  /** Which of some hours a sensor was recorded in. */
  #positionsOf(sensor: number, hours: readonly HourSpan[]): Set<number> {
    const rows = this.#statement(
      'SELECT position FROM sensorHours WHERE sensor = ? AND position >= ? AND position < ?',
    )
    const recorded = new Set<number>()
    for (const run of runsOf(hours)) {
      const first = run[0]?.position ?? 0
      for (const [position] of arraysOf(rows, sensor, first, first + run.length)) {
        recorded.add(Number(position))
      }
    }
    const open = hours.find(({ end }) => end === undefined)
    if (open !== undefined && this.#isInOpenHour(sensor, open)) recorded.add(open.position)
    return recorded
  }

  /** The hour that goes on has no sums yet: its minutes and rows tell which sensors it is about. */
  #isInOpenHour(sensor: number, { position, first }: HourSpan): boolean {
    const [row] = arraysOf(
      this.#statement(
        `SELECT EXISTS (SELECT 1 FROM sensorMinutes WHERE sensor = ?1 AND position = ?2)
           OR EXISTS (SELECT 1 FROM readings WHERE sensor = ?1 AND number >= ?3)
           OR EXISTS (SELECT 1 FROM events
             WHERE sensor = ?1 AND number >= ?3 AND ${NO_ALARM})
           OR NOT EXISTS (SELECT 1 FROM events WHERE sensor IS NULL AND number = ?3 AND type = 'started')
             AND EXISTS (SELECT 1 FROM sensorHours WHERE sensor = ?1 AND position = ?2 - 1)`,
      ),
      sensor,
      position,
      first,
    )
    return row?.[0] === 1
  }

  /** By the clock; hours that were recorded twice, as the clock was set back, beside each other. */
  #hourSpans({ from, to }: Span): HourSpan[] {
    const rows = this.#statement(
      `SELECT position, begin, end, first FROM hours WHERE begin >= ? AND begin < ?
       ORDER BY begin, position`,
    )
    return arraysOf(rows, from, to).map(([position, begin, end, first]) => ({
      position: Number(position),
      begin: Number(begin),
      end: end === null ? undefined : Number(end),
      first: Number(first),
    }))
  }

  /** The numbers of what came in around a span: an event may be told an hour late. */
  #numbersIn({ from, to }: Span): { first: number; last: number } {
    const [row] = arraysOf(
      this.#statement(
        `SELECT min(first), max(coalesce(last, ${Number.MAX_SAFE_INTEGER})) FROM hours
         WHERE begin >= ? AND begin < ?`,
      ),
      from - HOUR_MS,
      to + HOUR_MS,
    )
    return { first: Number(row?.[0] ?? 0), last: Number(row?.[1] ?? -1) }
  }

  /** How far the hour that goes on is known to have come. */
  #openEnd({ position, begin, first }: HourSpan): number {
    // One sensor at a time: by the position alone SQLite walks through the minutes of all years.
    const newest = this.#statement(
      `SELECT (SELECT max(minute) FROM sensorMinutes WHERE sensor = ?1 AND position = ?2),
         (SELECT at FROM readings WHERE sensor = ?1 AND number >= ?3 ORDER BY number DESC LIMIT 1)`,
    )
    const ends = arraysOf(this.#statement('SELECT id FROM sensors')).flatMap(([id]) => {
      const [[minute, reading] = []] = arraysOf(newest, Number(id), position, first)
      const whole = typeof minute === 'number' ? (minute + 1) * MINUTE_MS : 0
      return [startOf(begin, HOUR_MS) + whole, Number(reading ?? 0)]
    })
    const events = this.#statement('SELECT max(at) FROM events WHERE number >= ?')
    const [[event] = []] = arraysOf(events, first)
    return Math.max(begin, Number(event ?? 0), this.#recordedUntil(), ...ends)
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#database.prepare(sql)
    statement.setReturnArrays(true)
    this.#statements.set(sql, statement)
    return statement
  }
}

/** Split where positions do not follow each other: where the clock was set back. */
function runsOf(hours: readonly HourSpan[]): HourSpan[][] {
  const runs: HourSpan[][] = []
  for (const hour of hours) {
    const run = runs.at(-1)
    if (run !== undefined && run.at(-1)?.position === hour.position - 1) run.push(hour)
    else runs.push([hour])
  }
  return runs
}

function arraysOf(
  statement: StatementSync,
  ...values: readonly number[]
): readonly (readonly SQLOutputValue[])[] {
  return statement.all(...values) as unknown as readonly (readonly SQLOutputValue[])[]
}

/** Two lists in order of their numbers as one. */
function* inOrder(left: Iterator<Row>, right: Iterator<Row>): Iterable<Row> {
  let [a, b] = [left.next(), right.next()]
  while (a.done !== true || b.done !== true) {
    if (
      b.done === true ||
      (a.done !== true && Number(a.value['number']) < Number(b.value['number']))
    ) {
      if (a.done !== true) yield a.value
      a = left.next()
    } else {
      yield b.value
      b = right.next()
    }
  }
}

function sumOf(start: number, minutes: readonly Bucket[]): Bucket[] {
  const [first, ...others] = minutes
  if (first === undefined) return []
  const hour = { ...first, start }
  for (const minute of others) addBucket(hour, minute)
  return [hour]
}
