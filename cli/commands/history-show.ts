import { addBucket, HOUR_MS, MINUTE_MS, type Bucket } from '../../node/history/bucket.ts'
import type { Limit } from '../../node/history/limits.ts'
import { bucketIn, historyRows, spanIn } from '../../node/history/page.ts'
import type { Span } from '../../node/history/reader.ts'
import { gapsIn, summarize } from '../../node/history/summary.ts'
import { formatReading, SENSOR_KINDS, type SensorKind } from '../../node/sensors/kinds.ts'
import { formatDuration } from '../duration.ts'
import { noteExcursions, readAlarms, type NotedExcursion } from '../history/alarms.ts'
import { readExcursions, type Passed } from '../history/excursions.ts'
import {
  alarmLine,
  describeNote,
  listAlarms,
  listCommands,
  listEvents,
} from '../history/listings.ts'
import {
  checkLimits,
  DOOR,
  parseLimits,
  parseSpan,
  type LimitOptions,
  type SpanOptions,
} from '../history/options.ts'
import { readDoor } from '../history/record.ts'
import { openSource, readKind, type HistorySource, type SourceOptions } from '../history/source.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { formatTable } from '../table.ts'
import { oneOf } from '../one-of.ts'
import { zoneOf, type Zone } from '../zone.ts'

export interface HistoryShowOptions extends LimitOptions, SpanOptions, SourceOptions {
  readonly by?: string
  readonly door?: string
  readonly events?: boolean
  readonly alarms?: boolean
  readonly commands?: boolean
}

const DAY_MS = 24 * HOUR_MS
const LENGTHS = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS } as const

/** Print a span of a sensor's history for a person, or as JSON. */
export async function runHistoryShow(
  sensor: string,
  options: HistoryShowOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const now = io.clock.now()
  const zone = zoneOf(options, io.env)
  const span = parseSpan(options, now, zone)
  const limits = parseLimits(options)
  const lengthMs = lengthOf(options.by, span)
  const { json = false, preset, door = DOOR } = options
  const listing = { sensor, span, zone, json }
  await using source = await openSource(options, io)
  const lists = [
    ...(options.events === true ? [listEvents] : []),
    ...(options.alarms === true ? [listAlarms] : []),
    ...(options.commands === true ? [listCommands] : []),
  ]
  if (lists.length === 0) {
    return await showSums(source, { ...listing, now, lengthMs, limits, preset, door }, io)
  }
  let shown = 0
  for (const list of lists) shown += await list(source, listing, io)
  if (shown === 0) io.err(`none of that was recorded of ${sensor} ${spanWords(listing)}`)
  return EXIT.done
}

function spanWords({ span, zone }: { readonly span: Span; readonly zone: Zone }): string {
  return `from ${zone.minute(span.from)} to ${zone.minute(span.to)} (${zone.name})`
}

/** @throws FridgeError `ERR_USAGE` */
function lengthOf(by: string | undefined, { from, to }: Span): number {
  if (by !== undefined) return LENGTHS[oneOf('--by', by, ['minute', 'hour', 'day'])]
  if (to - from <= 2 * HOUR_MS) return MINUTE_MS
  return to - from <= 3 * DAY_MS ? HOUR_MS : DAY_MS
}

interface Question {
  readonly sensor: string
  readonly span: Span
  readonly zone: Zone
  readonly now: number
  readonly lengthMs: number
  readonly limits: readonly Limit[]
  /** The name of the preset that they are of, where they are. */
  readonly preset: string | undefined
  readonly door: string
  readonly json: boolean
}

async function showSums(
  source: HistorySource,
  question: Question,
  io: CommandIo,
): Promise<ExitStatus> {
  const { ask } = source
  const { sensor, span, zone, lengthMs, json } = question
  const kind = await readKind(source, sensor, span)
  checkLimits(question.limits, question.preset, { sensor, kind })
  const table = lengthMs === MINUTE_MS ? 'minutes' : 'hours'
  const read = await Array.fromAsync(historyRows(ask, { sensor, table, ...span }), bucketIn)
  const buckets = lengthMs === DAY_MS ? joinDays(read, zone) : read
  if (buckets.length === 0) {
    io.err(`nothing was recorded of ${sensor} ${spanWords(question)}`)
    return EXIT.done
  }
  if (json) {
    for (const bucket of buckets) io.out(JSON.stringify(bucket))
    return EXIT.done
  }
  const { quantity } = SENSOR_KINDS[kind]
  const head =
    quantity === undefined ? ['openings', 'open'] : ['lowest', 'highest', 'mean', 'readings']
  const rows = buckets.map(bucket => [
    lengthMs === DAY_MS ? zone.day(bucket.start) : zone.minute(bucket.start),
    ...sumsOf(kind, bucket),
    bucket.unavailableMs === 0 ? '' : formatDuration(bucket.unavailableMs),
  ])
  const titles = [`from (${zone.name})`, ...head, 'unavailable']
  for (const line of formatTable([titles, ...rows])) io.out(line)
  io.out('')
  // Of hours, also where days are shown: a mean kinetic temperature of means is too low.
  for (const line of totalLines(kind, read)) io.out(line)
  for await (const line of noteLines(source, { ...question, kind, table })) io.out(line)
  return EXIT.done
}

function totalLines(kind: SensorKind, buckets: readonly Bucket[]): string[] {
  const { lowest, highest, mean = 0, kineticMean = 0 } = summarize(buckets)
  if (lowest === undefined || highest === undefined) return []
  const value = (one: number): string => formatReading(kind, one)
  const kinetic =
    SENSOR_KINDS[kind].quantity?.unit === 'C' ? `, mean kinetic ${value(kineticMean)}` : ''
  return [`${value(lowest.value)} to ${value(highest.value)}, mean ${value(mean)}${kinetic}`]
}

/** What is to be said beside the sums: the door, what was passed, alarms, and what was not recorded. */
async function* noteLines(
  { ask, node }: HistorySource,
  question: Question & { readonly kind: SensorKind; readonly table: 'minutes' | 'hours' },
): AsyncGenerator<string> {
  const { sensor, kind, span, zone, now, limits, table } = question
  const door =
    question.door === sensor
      ? undefined
      : await readDoor(ask, { sensor: question.door, table, span })
  if (door !== undefined) {
    const open = door.openMs === 0 ? '' : `, open for ${formatDuration(door.openMs)} in all`
    yield `${door.sensor} opened ${door.openings === 1 ? 'once' : `${door.openings} times`}${open}`
  }
  const alarms = await readAlarms(ask, { node, sensor, kind }, { span, now })
  if (limits.length > 0) {
    const passed = await readExcursions(ask, { sensor, span, zone, limits })
    const excursions = noteExcursions(passed.excursions, alarms)
    if (excursions.length === 0) yield notPassedLine(passed)
    for (const excursion of excursions) yield excursionLine(kind, excursion, { span, zone })
  }
  for (const alarm of alarms) yield alarmLine(alarm, span, zone)
  const stretches = historyRows(ask, { sensor, table: 'stretches', ...span })
  for (const { from, to } of gapsIn(span, await Array.fromAsync(stretches, spanIn), now)) {
    const duration = formatDuration(to - from)
    yield `not recorded from ${zone.minute(from)} to ${zone.minute(to)} (${duration})`
  }
}

function notPassedLine({ passedMs }: Passed): string {
  if (passedMs === 0) return 'no limit was passed'
  return `no limit was passed for longer than it may be; outside for ${formatDuration(passedMs)} in all`
}

function excursionLine(
  kind: SensorKind,
  { limit, since, until, extreme, alarms }: NotedExcursion,
  { span, zone }: Pick<Question, 'span' | 'zone'>,
): string {
  const lasted = formatDuration((until ?? span.to) - since)
  const ended = until === undefined ? ', not over' : ''
  const [value, worst] = [limit.value, extreme].map(one => formatReading(kind, one))
  const side = limit.side === 'high' ? 'above' : 'below'
  const notes = alarms.flatMap(({ acknowledged }) => acknowledged ?? [])
  const who =
    notes.length === 0 ? 'not acknowledged' : notes.map(note => describeNote(note, zone)).join(', ')
  return `${side} ${value} from ${zone.minute(since)} for ${lasted}${ended}, at worst ${worst}; ${who}`
}

function sumsOf(kind: SensorKind, { low, high, sum, count, openings, openMs }: Bucket): string[] {
  if (SENSOR_KINDS[kind].quantity === undefined) {
    return [String(openings), openMs === 0 ? '' : formatDuration(openMs)]
  }
  if (low === undefined || high === undefined) return ['', '', '', '0']
  const values = [low, high, sum / count].map(value => formatReading(kind, value))
  return [...values, String(count)]
}

/** Hours as the days of a zone; where that is set by half an hour, one may begin in the day before. */
function joinDays(hours: readonly Bucket[], zone: Zone): Bucket[] {
  const days: Bucket[] = []
  for (const hour of hours) {
    const start = zone.startOfDay(hour.start)
    const day = days.at(-1)
    if (day?.start === start) addBucket(day, hour)
    else days.push({ ...hour, start })
  }
  return days
}
