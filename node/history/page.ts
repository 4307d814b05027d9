import { isSensorKind, MAX_TIME, type SensorKind } from '../sensors/kinds.ts'
import { isSensorName } from '../sensors/sensor.ts'
import { FridgeError } from '../lib/errors.ts'
import { HOUR_MS, MINUTE_MS, startOf, type Bucket } from './bucket.ts'
import type { HistoryReader, Reading, Span } from './reader.ts'
import { isAlarmType, type EventType, type RecordedCommand, type RecordedEvent } from './seal.ts'

/** What can be asked for (PROTOCOL.md, "History"). */
export const HISTORY_TABLES = [
  'minutes',
  'hours',
  'readings',
  'events',
  'alarms',
  'stretches',
  'signed',
  'commands',
] as const

export type HistoryTable = (typeof HISTORY_TABLES)[number]

/** A question, of which an answer is a page. */
export interface HistoryRequest extends Span {
  readonly sensor: string
  readonly table: HistoryTable
  /** `next` of the page before; null for the first. */
  readonly after: number | null
}

/** What stands at a place of a row. */
export type Cell = string | number | null

/** An answer. */
export interface HistoryPage {
  readonly kind: SensorKind
  readonly rows: readonly (readonly Cell[])[]
  /** What to ask for the next page with; null where this is the last. */
  readonly next: number | null
  /** In the place of rows and `next`, where the sensor is sealed. */
  readonly sealed?: SealedPage | undefined
}

/** A page that only the holders of a passphrase read (PROTOCOL.md, "Sealed sensors"). */
export interface SealedPage {
  readonly channel: string
  readonly domain: string
  readonly epoch: string
  readonly box: string
  /** What the node has drawn for this page. */
  readonly salt: string
}

/** So many rows are read and encoded within a few milliseconds, in which nothing else happens. */
const PAGE_ROWS = 1_000

/** Pages of one answer: a reading a second is as many in a year. */
const MAX_PAGES = 32_000

/** So many events are looked through for one page of alarms. */
const MAX_SEEN = 4_000

/** Check what somebody asks. @returns why it is refused */
export function parseHistoryRequest(value: unknown): HistoryRequest | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'a request for history is not an object'
  }
  const { sensor, table, from, to, after = null, ...rest } = value as Record<string, unknown>
  if (Object.keys(rest).length > 0) return 'a request for history has unknown fields'
  if (!isSensorName(sensor)) return 'a request for history names no sensor'
  const known = HISTORY_TABLES.find(one => one === table)
  if (known === undefined) return `a request for history names none of ${HISTORY_TABLES.join(', ')}`
  if (!isMoment(from) || !isMoment(to)) return 'a request for history names no span of time'
  if (after !== null && !isMoment(after)) return 'a request for history goes on from nowhere'
  return { sensor, table: known, from, to, after }
}

function isMoment(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_TIME
}

/**
 * One page of a history.
 * @throws FridgeError `ERR_COMMAND` when there is no such sensor
 */
export function answerPage(reader: HistoryReader, request: HistoryRequest): HistoryPage {
  const sensors = reader.sensors()
  const kind = sensors.get(request.sensor)
  if (kind === undefined) {
    throw new FridgeError('ERR_COMMAND', `there is no history of ${request.sensor}`, {
      fix: `name one of ${Array.from(sensors.keys()).join(', ')}`,
    })
  }
  return { kind, ...rowsOf(reader, request) }
}

function rowsOf(reader: HistoryReader, request: HistoryRequest): Omit<HistoryPage, 'kind'> {
  const { sensor, table, after } = request
  switch (table) {
    case 'minutes':
      return bucketPage(reader, request, MINUTE_MS)
    case 'hours':
      return bucketPage(reader, request, HOUR_MS)
    case 'readings':
      return numbered(reader.readings(sensor, request, after ?? 0), ({ number, at, value }) => [
        number,
        at,
        value,
      ])
    case 'events':
      return numbered(reader.events(sensor, request, after ?? 0), eventRow)
    case 'alarms':
      return numbered(reader.events(sensor, request, after ?? 0), eventRow, ({ type }) =>
        isAlarmType(type),
      )
    case 'commands':
      return numbered(reader.commands(request, after ?? 0), call => [
        call.number,
        call.at,
        call.subject,
        call.command,
        call.outcome,
      ])
    case 'stretches':
      return stretchPage(reader, request)
    case 'signed': {
      const hour = reader.lastSigned(request.to)
      const rows = hour ? [[hour.position, hour.begin, hour.end, hour.digest]] : []
      return { rows, next: null }
    }
  }
}

/** Buckets of a window of time, wherever that many rows may lie in it. */
function bucketPage(
  reader: HistoryReader,
  { sensor, from, to, after }: HistoryRequest,
  lengthMs: number,
): Omit<HistoryPage, 'kind'> {
  const reach = reader.reach()
  if (reach === undefined) return { rows: [], next: null }
  const begin = Math.max(startOf(from, lengthMs), startOf(reach.from, lengthMs), after ?? 0)
  const end = Math.min(to, reach.to)
  const windowEnd = Math.min(end, begin + PAGE_ROWS * lengthMs)
  const rows = Array.from(reader.buckets(sensor, lengthMs, { from: begin, to: windowEnd }), rowOf)
  return { rows, next: windowEnd < end ? windowEnd : null }
}

/** As `bucketIn` reads it. */
function rowOf(bucket: Bucket): Cell[] {
  const { start, recordedMs, unavailableMs, count, low, high, sum, openings, openMs } = bucket
  const [lowest, highest] = [low ?? null, high ?? null]
  return [start, recordedMs, unavailableMs, count, lowest, highest, sum, openings, openMs]
}

function stretchPage(reader: HistoryReader, request: HistoryRequest): Omit<HistoryPage, 'kind'> {
  const reach = reader.reach()
  if (reach === undefined) return { rows: [], next: null }
  const from = Math.max(request.from, reach.from, request.after ?? 0)
  const end = Math.min(request.to, reach.to)
  const windowEnd = Math.min(end, from + PAGE_ROWS * HOUR_MS)
  const rows = reader
    .stretches(request.sensor, { from, to: windowEnd })
    // One that goes on beyond the window is told as far as it reaches in it, and then goes on.
    .map(span => [Math.max(span.from, from), Math.min(span.to, windowEnd)])
  return { rows, next: windowEnd < end ? windowEnd : null }
}

/** @param isWanted looked at of so many items at most, so that a page without rows is soon done too */
function numbered<Item extends { readonly number: number }>(
  items: Iterable<Item>,
  encode: (item: Item) => Cell[],
  isWanted: (item: Item) => boolean = () => true,
): Omit<HistoryPage, 'kind'> {
  const rows: Cell[][] = []
  let [last, seen] = [0, 0]
  for (const item of items) {
    if (rows.length === PAGE_ROWS || seen === MAX_SEEN) return { rows, next: last }
    if (isWanted(item)) rows.push(encode(item))
    last = item.number
    seen += 1
  }
  return { rows, next: null }
}

/** As `eventIn` reads it. */
function eventRow({ number, at, sensor, type, detail }: RecordedEvent): Cell[] {
  return [number, at, sensor ?? null, type, detail]
}

/** What stands in a cell: a moment, a number, a text, or one of these or null. */
const CELLS = {
  moment: isMoment,
  number: isNumber,
  text: isText,
  'number?': (cell: unknown) => cell === null || isNumber(cell),
  'text?': (cell: unknown) => cell === null || isText(cell),
} as const

const BUCKET_ROW = [
  'moment',
  'number',
  'number',
  'number',
  'number?',
  'number?',
  'number',
  'number',
  'number',
] as const
const EVENT_ROW = ['number', 'moment', 'text?', 'text', 'text'] as const

/** The cells of a row of each table, as the functions below read them. */
const ROW_FORMS: Readonly<Record<HistoryTable, readonly (keyof typeof CELLS)[]>> = {
  minutes: BUCKET_ROW,
  hours: BUCKET_ROW,
  readings: ['number', 'moment', 'number'],
  events: EVENT_ROW,
  alarms: EVENT_ROW,
  stretches: ['moment', 'moment'],
  signed: ['number', 'moment', 'moment', 'text'],
  commands: ['number', 'moment', 'text', 'text', 'text'],
}

/** Check what a node answers. @returns why it is no page of that table */
export function parseHistoryPage(value: unknown, table: HistoryTable): HistoryPage | string {
  if (typeof value !== 'object' || value === null) return 'it is no object'
  const { kind, rows, next, sealed } = value as Record<string, unknown>
  if (!isSensorKind(kind)) return 'its kind is not known'
  if (sealed !== undefined) {
    const page = parseSealedPage(sealed)
    return page === undefined
      ? 'it is sealed in no known way'
      : { kind, rows: [], next: null, sealed: page }
  }
  if (next !== null && !Number.isSafeInteger(next)) return 'it goes on nowhere'
  if (!Array.isArray(rows) || rows.length > PAGE_ROWS) return 'it is no list of at most 1,000 rows'
  if (!rows.every(row => isRow(row, table))) return 'its rows are malformed'
  return { kind, rows, next: next as number | null }
}

/** The longest box of a page, in characters: a thousand rows of sums. */
const MAX_BOX = 524_288

function parseSealedPage(value: unknown): SealedPage | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { channel, domain, epoch, box, salt } = value as Record<string, unknown>
  const texts = [channel, domain, epoch, salt]
  if (!texts.every(text => typeof text === 'string' && text.length <= 255)) return undefined
  if (typeof box !== 'string' || box.length > MAX_BOX) return undefined
  return { channel, domain, epoch, box, salt } as SealedPage
}

/** Check what was opened of a sealed page. @returns why it is no page of that table */
export function parseOpenedPage(
  { kind }: Pick<HistoryPage, 'kind'>,
  opened: readonly unknown[],
  table: HistoryTable,
): HistoryPage | string {
  const [rows, next] = opened
  return parseHistoryPage({ kind, rows, next }, table)
}

function isRow(row: unknown, table: HistoryTable): row is Cell[] {
  return (
    Array.isArray(row) && ROW_FORMS[table].every((cell, at) => CELLS[cell]((row as unknown[])[at]))
  )
}

function isNumber(cell: unknown): cell is number {
  return typeof cell === 'number' && Number.isFinite(cell)
}

function isText(cell: unknown): cell is string {
  return typeof cell === 'string'
}

/** Asks for one page. */
export type AskHistory = (request: HistoryRequest) => Promise<HistoryPage>

/**
 * All rows that a request is for, page by page.
 * @throws FridgeError `ERR_PROTOCOL` for pages without end, or that do not follow each other: a node
 *   could keep its reader for ever, or have it take a part for the whole
 */
export async function* historyRows(
  ask: AskHistory,
  request: Omit<HistoryRequest, 'after'>,
): AsyncGenerator<readonly Cell[]> {
  let after: number | null = null
  for (let pages = 1; pages <= MAX_PAGES; pages += 1) {
    const { rows, next }: HistoryPage = await ask({ ...request, after })
    yield* rows
    if (next === null) return
    if (after !== null && next <= after) {
      throw new FridgeError('ERR_PROTOCOL', 'the pages of a history do not follow each other')
    }
    after = next
  }
  throw new FridgeError('ERR_PROTOCOL', 'the pages of a history have no end', {
    fix: 'ask for a shorter span, or another node',
  })
}

/** @throws FridgeError `ERR_PROTOCOL` */
export function bucketIn(row: readonly Cell[]): Bucket {
  const [start, recordedMs, unavailableMs, count, low, high, sum, openings, openMs] = row
  return {
    start: numberIn(start),
    recordedMs: numberIn(recordedMs),
    unavailableMs: numberIn(unavailableMs),
    count: numberIn(count),
    low: low === null ? undefined : numberIn(low),
    high: high === null ? undefined : numberIn(high),
    sum: numberIn(sum),
    openings: numberIn(openings),
    openMs: numberIn(openMs),
  }
}

/** @throws FridgeError `ERR_PROTOCOL` */
export function readingIn([number, at, value]: readonly Cell[]): Reading {
  return { number: numberIn(number), at: numberIn(at), value: numberIn(value) }
}

/** @throws FridgeError `ERR_PROTOCOL` */
export function eventIn([number, at, sensor, type, detail]: readonly Cell[]): RecordedEvent {
  return {
    number: numberIn(number),
    at: numberIn(at),
    sensor: sensor === null ? undefined : String(sensor),
    // A later version may have other types: they are shown as they are called.
    type: String(type) as EventType,
    detail: String(detail),
  }
}

/** @throws FridgeError `ERR_PROTOCOL` */
export function commandIn([
  number,
  at,
  subject,
  command,
  outcome,
]: readonly Cell[]): RecordedCommand {
  return {
    number: numberIn(number),
    at: numberIn(at),
    subject: String(subject),
    command: String(command),
    outcome: String(outcome),
  }
}

/** @throws FridgeError `ERR_PROTOCOL` */
export function spanIn([from, to]: readonly Cell[]): Span {
  return { from: numberIn(from), to: numberIn(to) }
}

function numberIn(cell: Cell | undefined): number {
  if (typeof cell === 'number') return cell
  throw new FridgeError('ERR_PROTOCOL', 'a row of a history has no number where it must')
}
