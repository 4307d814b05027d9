import { plotSvg } from '../history/plot.ts'
import {
  DOOR,
  parseLimits,
  parseSpan,
  type LimitOptions,
  type SpanOptions,
} from '../history/options.ts'
import { readRecord, type SensorRecord } from '../history/record.ts'
import { openSource, type SourceOptions } from '../history/source.ts'
import { writeOut } from '../history/write-out.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { zoneOf } from '../zone.ts'

export interface HistoryPlotOptions extends LimitOptions, SpanOptions, SourceOptions {
  readonly door?: string
  readonly out?: string
}

const SIZE = { width: 900, height: 340 }

/** Draw a span of a sensor's history. */
export async function runHistoryPlot(
  sensor: string,
  options: HistoryPlotOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const record = await readRecordFor(sensor, options, io)
  await writeOut(plotSvg(record, SIZE), options.out, io)
  return EXIT.done
}

/** Read what a plot and a report show. */
export async function readRecordFor(
  sensor: string,
  options: HistoryPlotOptions,
  io: CommandIo,
): Promise<SensorRecord> {
  const limits = parseLimits(options)
  const now = io.clock.now()
  const zone = zoneOf(options, io.env)
  const span = parseSpan(options, now, zone)
  await using source = await openSource(options, io)
  const { preset, door = DOOR } = options
  return await readRecord(source, { sensor, span, zone, now, limits, preset, door })
}
