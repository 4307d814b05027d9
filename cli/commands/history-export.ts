import { meanOf } from '../../node/history/bucket.ts'
import { bucketIn, historyRows, readingIn } from '../../node/history/page.ts'
import { SENSOR_KINDS } from '../../node/sensors/kinds.ts'
import { oneOf } from '../one-of.ts'
import { MAX_BY_MINUTES_MS, parseSpan, type SpanOptions } from '../history/options.ts'
import { openSource, readKind, type SourceOptions } from '../history/source.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { zoneOf } from '../zone.ts'

export interface HistoryExportOptions extends SpanOptions, SourceOptions {
  readonly by?: string
  readonly format?: string
}

type Fields = Readonly<Record<string, string | number | null>>

const LENGTHS = ['reading', 'minute', 'hour'] as const
const FORMATS = ['csv', 'json'] as const

/** Print every row of a span: a line each, as it is read. */
export async function runHistoryExport(
  sensor: string,
  options: HistoryExportOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const zone = zoneOf(options, io.env)
  const span = parseSpan(options, io.clock.now(), zone)
  const isLong = span.to - span.from > MAX_BY_MINUTES_MS
  const by = oneOf('--by', options.by ?? (isLong ? 'hour' : 'minute'), LENGTHS)
  const format = oneOf('--format', options.format ?? 'csv', FORMATS)
  await using source = await openSource(options, io)
  const { quantity } = SENSOR_KINDS[await readKind(source.ask, sensor, span)]
  const request = { sensor, ...span }
  let isFirst = true
  const print = (fields: Fields): void => {
    if (format === 'json') return io.out(JSON.stringify(fields))
    if (isFirst) io.out(Object.keys(fields).join(','))
    isFirst = false
    io.out(Object.values(fields).map(cellOf).join(','))
  }
  if (by === 'reading') {
    for await (const row of historyRows(source.ask, { ...request, table: 'readings' })) {
      const { number, at, value } = readingIn(row)
      print({ at: zone.iso(at), value, unit: quantity?.unit ?? '', number })
    }
    return EXIT.done
  }
  const table = by === 'minute' ? 'minutes' : 'hours'
  for await (const row of historyRows(source.ask, { ...request, table })) {
    const bucket = bucketIn(row)
    const { start, low, high, count, openings, openMs, recordedMs, unavailableMs } = bucket
    print({
      from: zone.iso(start),
      ...(quantity === undefined
        ? { openings, openMs }
        : {
            lowest: low ?? null,
            highest: high ?? null,
            mean: meanOf(bucket) ?? null,
            unit: quantity.unit,
            readings: count,
          }),
      recordedMs,
      unavailableMs,
    })
  }
  return EXIT.done
}

/** RFC 4180: a cell with a comma, a quote or a line feed stands in quotes. */
function cellOf(value: string | number | null): string {
  const text = value === null ? '' : String(value)
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
