import { reportPage } from '../history/report-page.ts'
import { writeOut } from '../history/write-out.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { readRecordFor, type HistoryPlotOptions } from './history-plot.ts'

export type HistoryReportOptions = HistoryPlotOptions

/** Write a report on a span of a sensor's history. */
export async function runHistoryReport(
  sensor: string,
  options: HistoryReportOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const record = await readRecordFor(sensor, options, io)
  await writeOut(reportPage(record, io.clock.now()).trimEnd(), options.out, io)
  return EXIT.done
}
