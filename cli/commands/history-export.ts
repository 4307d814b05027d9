import { meanOf } from '../../node/history/bucket.ts'
import {
  bucketIn,
  historyRows,
  readingIn,
  type Cell,
  type HistoryTable,
} from '../../node/history/page.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { SENSOR_KINDS, type SensorKind } from '../../node/sensors/kinds.ts'
import { MAX_BY_MINUTES_MS, parseSpan, type SpanOptions } from '../history/options.ts'
import { openSource, readKind, type SourceOptions } from '../history/source.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { oneOf } from '../one-of.ts'
import { zoneOf, type Zone } from '../zone.ts'

export interface HistoryExportOptions extends SpanOptions, SourceOptions {
  readonly by?: string
  readonly format?: string
}

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
  const format = formatOf(options)
  await using source = await openSource(options, io)
  const kind = await readKind(source, sensor, span)
  const { table, columns, fieldsOf } =
    by === 'reading' ? readings(kind, zone) : sums(by, kind, zone)
  if (format === 'csv') io.out(columns.join(','))
  let printed = 0
  for await (const row of historyRows(source.ask, { sensor, ...span, table })) {
    const fields = fieldsOf(row)
    printed += 1
    io.out(
      format === 'json'
        ? JSON.stringify(Object.fromEntries(columns.map((name, at) => [name, fields[at]])))
        : fields.map(cellOf).join(','),
    )
  }
  if (printed > 0) return EXIT.done
  const [from, to] = [zone.minute(span.from), zone.minute(span.to)]
  const kept = by === 'reading' ? 'no reading is kept' : 'nothing was recorded'
  io.err(`${kept} of ${sensor} from ${from} to ${to} (${zone.name})`)
  return EXIT.done
}

/** @throws FridgeError `ERR_USAGE` */
function formatOf({ format, json }: HistoryExportOptions): (typeof FORMATS)[number] {
  const named = oneOf('--format', format ?? (json === true ? 'json' : 'csv'), FORMATS)
  if (named === 'json' || json !== true) return named
  throw new FridgeError('ERR_USAGE', '--json and --format csv were both given', {
    fix: 'give one of them',
  })
}

/** The rows of one export: where they are read, and what is printed of each. */
interface Rows {
  readonly table: HistoryTable
  readonly columns: readonly string[]
  readonly fieldsOf: (row: readonly Cell[]) => Cell[]
}

function readings(kind: SensorKind, zone: Zone): Rows {
  const unit = SENSOR_KINDS[kind].quantity?.unit ?? ''
  return {
    table: 'readings',
    columns: ['at', 'value', 'unit', 'number'],
    fieldsOf: row => {
      const { number, at, value } = readingIn(row)
      return [zone.iso(at), value, unit, number]
    },
  }
}

function sums(by: 'minute' | 'hour', kind: SensorKind, zone: Zone): Rows {
  const table = by === 'minute' ? 'minutes' : 'hours'
  const { quantity } = SENSOR_KINDS[kind]
  if (quantity === undefined) {
    return {
      table,
      columns: ['from', 'openings', 'openMs', 'recordedMs', 'unavailableMs'],
      fieldsOf: row => {
        const { start, openings, openMs, recordedMs, unavailableMs } = bucketIn(row)
        return [zone.iso(start), openings, openMs, recordedMs, unavailableMs]
      },
    }
  }
  const values = ['lowest', 'highest', 'mean', 'unit', 'readings']
  return {
    table,
    columns: ['from', ...values, 'recordedMs', 'unavailableMs'],
    fieldsOf: row => {
      const bucket = bucketIn(row)
      const { start, low, high, count, recordedMs, unavailableMs } = bucket
      const mean = meanOf(bucket) ?? null
      const measured = [low ?? null, high ?? null, mean, quantity.unit, count]
      return [zone.iso(start), ...measured, recordedMs, unavailableMs]
    },
  }
}

/** RFC 4180: a cell with a comma, a quote or a line feed stands in quotes. */
function cellOf(value: Cell): string {
  const text = value === null ? '' : String(value)
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
