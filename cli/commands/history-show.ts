import { addBucket, HOUR_MS, MINUTE_MS, startOf, type Bucket } from '../../node/history/bucket.ts'
import { bucketIn, commandIn, eventIn, historyRows, spanIn } from '../../node/history/page.ts'
import type { Span } from '../../node/history/reader.ts'
import { gapsIn, summarize } from '../../node/history/summary.ts'
import { formatReading, SENSOR_KINDS, type SensorKind } from '../../node/sensors/kinds.ts'
import { formatDuration } from '../duration.ts'
import { parseSpan, type SpanOptions } from '../history/record.ts'
import { openSource, type HistorySource, type SourceOptions } from '../history/source.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import { formatTable } from '../table.ts'
import { oneOf } from './history-export.ts'

export interface HistoryShowOptions extends SpanOptions, SourceOptions {
  readonly by?: string
  readonly events?: boolean
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
  const span = parseSpan(options, io.clock.now())
  const lengthMs = lengthOf(options.by, span)
  await using source = await openSource(options, io)
  if (options.commands === true) return await showCommands(source, { sensor, span }, options, io)
  if (options.events === true) return await showEvents(source, { sensor, span }, options, io)
  return await showSums(source, { sensor, span, lengthMs }, options, io)
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
}

async function showSums(
  { ask }: HistorySource,
  { sensor, span, lengthMs }: Question & { readonly lengthMs: number },
  { json = false }: HistoryShowOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const { kind } = await ask({ sensor, table: 'signed', ...span, after: null })
  const table = lengthMs === MINUTE_MS ? 'minutes' : 'hours'
  const read = await Array.fromAsync(historyRows(ask, { sensor, table, ...span }), bucketIn)
  const buckets = lengthMs === DAY_MS ? joinDays(read) : read
  if (json) {
    for (const bucket of buckets) io.out(JSON.stringify(bucket))
    return buckets.length === 0 ? EXIT.notDone : EXIT.done
  }
  if (buckets.length === 0) {
    io.out(`nothing was recorded of ${sensor} from ${momentOf(span.from)} to ${momentOf(span.to)}`)
    return EXIT.notDone
  }
  const { quantity } = SENSOR_KINDS[kind]
  const head =
    quantity === undefined ? ['openings', 'open'] : ['lowest', 'highest', 'mean', 'readings']
  const rows = buckets.map(bucket => [
    momentOf(bucket.start).slice(0, lengthMs === DAY_MS ? 10 : 16),
    ...sumsOf(kind, bucket),
    bucket.unavailableMs === 0 ? '' : formatDuration(bucket.unavailableMs),
  ])
  for (const line of formatTable([['from (UTC)', ...head, 'unavailable'], ...rows])) io.out(line)
  // Of hours, also where days are shown: a mean kinetic temperature of means is too low.
  const total = summarize(read)
  const stretches = await Array.fromAsync(
    historyRows(ask, { sensor, table: 'stretches', ...span }),
    spanIn,
  )
  io.out('')
  if (quantity !== undefined && total.lowest !== undefined && total.highest !== undefined) {
    const [low, high, mean] = [total.lowest.value, total.highest.value, total.mean ?? 0]
    const kinetic =
      quantity.unit === 'C' ? `, mean kinetic ${formatReading(kind, total.kineticMean ?? 0)}` : ''
    io.out(
      `${formatReading(kind, low)} to ${formatReading(kind, high)}, mean ${formatReading(kind, mean)}${kinetic}`,
    )
  }
  for (const { from, to } of gapsIn(span, stretches)) {
    io.out(`not recorded from ${momentOf(from)} to ${momentOf(to)} (${formatDuration(to - from)})`)
  }
  return EXIT.done
}

function sumsOf(kind: SensorKind, { low, high, sum, count, openings, openMs }: Bucket): string[] {
  if (SENSOR_KINDS[kind].quantity === undefined) {
    return [String(openings), openMs === 0 ? '' : formatDuration(openMs)]
  }
  if (low === undefined || high === undefined) return ['', '', '', '0']
  const values = [low, high, sum / count].map(value => formatReading(kind, value))
  return [...values, String(count)]
}

function joinDays(hours: readonly Bucket[]): Bucket[] {
  const days: Bucket[] = []
  for (const hour of hours) {
    const start = startOf(hour.start, DAY_MS)
    const day = days.at(-1)
    if (day?.start === start) addBucket(day, hour)
    else days.push({ ...hour, start })
  }
  return days
}

async function showEvents(
  { ask }: HistorySource,
  { sensor, span }: Question,
  { json = false }: HistoryShowOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  let shown = 0
  for await (const row of historyRows(ask, { sensor, table: 'events', ...span })) {
    const event = eventIn(row)
    const { at, type, detail } = event
    shown += 1
    const whose = event.sensor ?? 'the node'
    const why = detail === '' ? '' : `: ${foreignText(detail)}`
    io.out(
      json
        ? JSON.stringify({ ...event, sensor: event.sensor ?? null })
        : `${secondOf(at)}  ${whose}  ${foreignText(type)}${why}`,
    )
  }
  return shown === 0 ? EXIT.notDone : EXIT.done
}

async function showCommands(
  { ask, node }: HistorySource,
  { sensor, span }: Question,
  { json = false }: HistoryShowOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  let shown = 0
  for await (const row of historyRows(ask, { sensor, table: 'commands', ...span })) {
    const call = commandIn(row)
    shown += 1
    const words = [call.subject, call.command, call.outcome].map(foreignText).join('  ')
    io.out(
      json
        ? JSON.stringify({ node: node ?? null, ...call })
        : `${secondOf(call.at)}  ${node === undefined ? '' : `${node}  `}${words}`,
    )
  }
  return shown === 0 ? EXIT.notDone : EXIT.done
}

function momentOf(moment: number): string {
  return new Date(moment).toISOString().slice(0, 16).replace('T', ' ')
}

function secondOf(moment: number): string {
  return new Date(moment).toISOString().slice(0, 19).replace('T', ' ')
}
