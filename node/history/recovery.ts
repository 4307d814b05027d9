import type { DatabaseSync } from 'node:sqlite'
import { isSensorKind, SENSOR_KINDS } from '../sensors/kinds.ts'
import { HOUR_MS, MINUTE_MS } from './bucket.ts'
import { OpenHour } from './open-hour.ts'
import type { SensorState } from './recorder.ts'
import { commandOf, eventOf } from './rows.ts'
import { isAlarmType } from './seal.ts'
import { sealHour, type SigningNode } from './signing.ts'
import {
  emptyBatch,
  type BegunHour,
  type EventRow,
  type HistoryStore,
  type KeptSensor,
  type MinuteRow,
  type ReadingRow,
} from './store.ts'

/** Where a history goes on. */
export interface Recovered {
  /** Of the last hour; 0 where there is none. */
  readonly position: number
  /** Of the last hour; empty where there is none. */
  readonly digest: string
  /** The number of the next row. */
  readonly next: number
  readonly keptFrom: { readings: number; minutes: number; hours: number }
}

interface LastHour extends BegunHour {
  readonly last: number | null
  readonly digest: string | null
}

/**
 * Find out how far a history has come. A node that was killed has left an hour open: it is ended
 * at the last moment of which anything is known, and signed.
 */
export function recoverHour(
  store: HistoryStore,
  { node, signing }: { readonly node: string; readonly signing: () => SigningNode },
): Recovered {
  const { database } = store
  const oldest = database.prepare('SELECT min(position) AS position FROM hours').get()
  const hours = Number(oldest?.['position'] ?? 1)
  const [left, sealed] = lastHours(database)
  const kept = database
    .prepare('SELECT readingsFrom, minutesFrom FROM hours WHERE position = ?')
    .get(sealed?.position ?? 0)
  const readingsFrom = Number(kept?.['readingsFrom'] ?? hours)
  const minutesFrom = Number(kept?.['minutesFrom'] ?? hours)
  const keptFrom = { readings: readingsFrom, minutes: minutesFrom, hours }
  const previous = sealed?.digest ?? ''
  if (left === undefined) {
    const { position = 0, last = null } = sealed ?? {}
    return { position, digest: previous, next: (last ?? 0) + 1, keptFrom }
  }
  const { open, minutes } = replay(database, left, store.sensors())
  const frame = { node, readingsFrom, minutesFrom }
  const { sealed: ended, minutes: more } = sealHour(open, frame, previous, signing())
  store.write({ ...emptyBatch(), minutes: [...minutes, ...more], sealed: [ended] })
  return { position: left.position, digest: ended.digest, next: ended.hour.last + 1, keptFrom }
}

/** The hour that was left open, and the one before; or none, and the last. */
function lastHours(database: DatabaseSync): [LastHour | undefined, LastHour | undefined] {
  const [newest, before] = database
    .prepare(
      'SELECT position, begin, first, last, digest FROM hours ORDER BY position DESC LIMIT 2',
    )
    .all() as unknown as LastHour[]
  return newest?.digest === null ? [newest, before] : [undefined, newest]
}

type Row = ReadingRow | EventRow

/** Record an hour once more, from its rows. */
function replay(
  database: DatabaseSync,
  { position, begin, first }: BegunHour,
  all: readonly KeptSensor[],
): { open: OpenHour; minutes: MinuteRow[] } {
  const begun = { position, begin, first }
  const readings = all.flatMap(({ id }) =>
    database
      .prepare('SELECT * FROM readings WHERE sensor = ? AND number >= ?')
      .all(id, first)
      .map(row => row as unknown as ReadingRow),
  )
  const events = database
    .prepare('SELECT * FROM events WHERE number >= ? ORDER BY number')
    .all(first)
    .map(eventOf)
  // One sensor at a time: by the position alone SQLite walks through the minutes of all years.
  const newestMinute = database.prepare(
    'SELECT sensor, max(minute) AS minute FROM sensorMinutes WHERE sensor = ? AND position = ?',
  )
  const ofMinutes = all
    .flatMap(({ id }) => newestMinute.all(id, position))
    .filter(({ minute }) => minute !== null)
  // An alarm may have ended because its sensor was removed: that one was not recorded any more.
  const isGoneOn = goesOn(database, begun)
  const said = events.filter(({ type, sensor }) => !isAlarmType(type) || isGoneOn(sensor))
  const named = new Set([...ofMinutes, ...readings, ...said].map(({ sensor }) => sensor))
  const sensors = all.filter(({ id }) => named.has(id))
  const states = sensors.map(({ id }) => stateAtBegin(database, id, begun))

  const open = new OpenHour(begun, sensors, states, all)
  const minutes: MinuteRow[] = []
  const rows: Row[] = [...readings, ...events].sort((a, b) => a.number - b.number)
  const commands = database.prepare('SELECT * FROM commands WHERE number >= ? ORDER BY number')
  for (const row of rows) {
    minutes.push(...open.advance(row.at))
    if ('value' in row) open.takeReading(row)
    else open.takeEvent(row)
  }
  for (const row of commands.all(first)) open.takeCommand(commandOf(row))
  // A minute that was written was recorded to its end.
  const whole = Math.max(-1, ...ofMinutes.map(({ minute }) => Number(minute)))
  const hourStart = open.limit - HOUR_MS
  if (whole >= 0) minutes.push(...open.advance(hourStart + (whole + 1) * MINUTE_MS))
  return { open, minutes }
}

/** Which sensors an hour has from the one before: none where the node has started with it. */
function goesOn(
  database: DatabaseSync,
  { position, first }: BegunHour,
): (sensor: number | undefined) => boolean {
  const isStarted = database
    .prepare("SELECT 1 FROM events WHERE number = ? AND sensor IS NULL AND type = 'started'")
    .get(first)
  const before = database.prepare('SELECT 1 FROM sensorHours WHERE sensor = ? AND position = ?')
  return sensor =>
    sensor !== undefined &&
    isStarted === undefined &&
    before.get(sensor, position - 1) !== undefined
}

/** What is known of a sensor as an hour begins: where the node has started with it, nothing yet. */
export function stateAtBegin(
  database: DatabaseSync,
  sensor: number,
  { first }: BegunHour,
): SensorState {
  const started = database
    .prepare("SELECT 1 FROM events WHERE number = ? AND sensor IS NULL AND type = 'started'")
    .get(first)
  const before = stateBefore(database, sensor, first)
  return { ...before, isKnown: before.isKnown && started === undefined }
}

/** What was known of a sensor before the row of a number. */
export function stateBefore(database: DatabaseSync, sensor: number, number: number): SensorState {
  const move = hasMoves(database, sensor)
    ? database
        .prepare(
          `SELECT type FROM events WHERE sensor = ? AND number < ? AND type IN ('open', 'close')
           ORDER BY number DESC LIMIT 1`,
        )
        .get(sensor, number)
    : undefined
  const event = database
    .prepare(
      `SELECT number, type FROM events WHERE sensor = ? AND number < ?
       AND type IN ('open', 'close', 'unavailable', 'available') ORDER BY number DESC LIMIT 1`,
    )
    .get(sensor, number)
  const reading = database
    .prepare('SELECT max(number) AS number FROM readings WHERE sensor = ? AND number < ?')
    .get(sensor, number)
  const isSilent =
    event?.['type'] === 'unavailable' && Number(event['number']) > Number(reading?.['number'] ?? 0)
  const isHeard = event !== undefined || typeof reading?.['number'] === 'number'
  return {
    isKnown: isHeard && !isSilent,
    wasOpen: move === undefined ? undefined : move['type'] === 'open',
  }
}

/** Whether a sensor has moves to look for: of a thermometer that would be all failures of all years. */
function hasMoves(database: DatabaseSync, sensor: number): boolean {
  const kind = database.prepare('SELECT kind FROM sensors WHERE id = ?').get(sensor)?.['kind']
  return isSensorKind(kind) && SENSOR_KINDS[kind].moves.length > 0
}
