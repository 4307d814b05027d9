import type { Command } from 'commander'
import { examples, type CommandContext } from '../command.ts'
import { addSourceOptions } from '../history/source.ts'
import { runHistoryExport, type HistoryExportOptions } from './history-export.ts'
import { runHistoryPlot, type HistoryPlotOptions } from './history-plot.ts'
import { runHistoryReport, type HistoryReportOptions } from './history-report.ts'
import { runHistoryShow, type HistoryShowOptions } from './history-show.ts'
import { runHistoryVerify, type HistoryVerifyOptions } from './history-verify.ts'

/** Fill `fridge history`. */
export function fillHistory(history: Command, context: CommandContext): void {
  fillRows(history, context)
  fillPictures(history, context)
  fillVerify(history, context)
}

function fillRows(history: Command, { io, action }: CommandContext): void {
  const show = history
    .command('show')
    .description('print what a sensor said, in sums')
    .argument('<sensor>', 'as the configuration of its node calls it')
  addLimits(addSpan(show))
    .option('--by <length>', 'minute, hour or day (default by the length of the span)')
    .option('--events', 'instead: every move, failure, alarm, start and stop')
    .option('--alarms', 'instead, or as well: the alarms, with who has taken note of them')
    .option('--commands', 'instead, or as well: who called which command; for operators')
    .option('--json', 'print JSON, an object a line')
    .addHelpText(
      'after',
      examples(
        'fridge history show temperature --from 30d',
        'fridge history show temperature --from 7d --preset vaccine-refrigerator',
        'fridge history show door --events --from 2026-03-01 --to 2026-03-02',
        'fridge history show temperature --commands --from 90d --data data/node-1',
      ),
    )
    .action(
      action((sensor: string, options: HistoryShowOptions) => runHistoryShow(sensor, options, io)),
    )

  const write = history
    .command('export')
    .description('print every row of a span, as CSV or JSON')
    .argument('<sensor>')
  addSpan(write)
    .option('--by <length>', 'reading, minute or hour (default minute; hour beyond 32 days)')
    .option('--format <format>', 'csv or json, an object a line (default csv)')
    .option('--json', 'the same as --format json')
    .addHelpText(
      'after',
      examples('fridge history export temperature --from 2026-03-01 --to 2026-04-01 > march.csv'),
    )
    .action(
      action((sensor: string, options: HistoryExportOptions) =>
        runHistoryExport(sensor, options, io),
      ),
    )
}

function fillPictures(history: Command, { io, action }: CommandContext): void {
  const plot = history
    .command('plot')
    .description('draw a span, as SVG: lowest, highest, mean, limits, gaps, openings of the door')
    .argument('<sensor>')
  addLimits(addSpan(plot))
    .option('--out <file>', 'where the picture goes (default stdout)')
    .addHelpText('after', examples('fridge history plot temperature --from 7d --out week.svg'))
    .action(
      action((sensor: string, options: HistoryPlotOptions) => runHistoryPlot(sensor, options, io)),
    )

  const report = history
    .command('report')
    .description('write a report for an inspection, as one HTML file that prints well')
    .argument('<sensor>')
  addLimits(addSpan(report))
    .option('--out <file>', 'where the report goes (default stdout)')
    .addHelpText(
      'after',
      examples(
        'fridge history report temperature --from 30d --preset vaccine-refrigerator --out march.html',
        'fridge history report temperature --high 8 --high-for 60m --low 2 --low-for 15m > week.html',
      ),
    )
    .action(
      action((sensor: string, options: HistoryReportOptions) =>
        runHistoryReport(sensor, options, io),
      ),
    )
}

function fillVerify(history: Command, { io, action }: CommandContext): void {
  history
    .command('verify')
    .description('find what was altered, added or removed in the history of a node, and its gaps')
    .option('--data <dir>', 'the data folder of the node, running or not')
    .option('--config <file>', 'the configuration of the node, which names its folders')
    .option('--certs <dir>', 'certificate folder (default ./certs); it needs only its ca')
    .option('--digest <digest>', 'one that was noted before, as a report has it: it must be there')
    .option('--json', 'print JSON')
    .addHelpText('after', VERIFY_HELP)
    .action(action((options: HistoryVerifyOptions) => runHistoryVerify(options, io)))
}

function addSpan(command: Command): Command {
  return addSourceOptions(command)
    .option('--from <moment>', '8h, 30d (ago), 2026-03-01, 2026-03-01T08:30 (default 7d)')
    .option('--to <moment>', 'until then (default now)')
    .option('--utc', 'moments in UTC (default in the zone of TZ, or of this machine)')
}

function addLimits(command: Command): Command {
  return command
    .option('--preset <name>', 'limits: vaccine-refrigerator, vaccine-freezer or food')
    .option('--high <value>', 'the highest that is well')
    .option('--high-for <duration>', 'how long it may be passed (default not at all)')
    .option('--low <value>', 'the lowest that is well')
    .option('--low-for <duration>', 'how long it may be passed (default not at all)')
    .option('--door <sensor>', 'the door to show beside it (default door)')
}

const VERIFY_HELP = `
Each hour of a history is closed by a digest over all of its rows, chained to the hour before and
signed by the node; the certificate under it must lead to ca/certificate.pem. Readings are kept for
7 days, minutes for 400, hours for ten years, unless the configuration says otherwise: what is still
kept is compared with what was signed.

What it cannot see: that the newest hours were cut off, because an older copy looks the same, unless
you give a --digest that was noted later; what came in since the last full hour; and what somebody
does who has stolen the node's key.

Exit status: 0 sound, 1 not sound.
${examples('fridge history verify --data data/node-1')}`
