import { displaySubject, nodeOf, parseSubject } from '../../node/identity/names.ts'
import type { GrantReport, ShowReport, SubjectReport } from '../../node/operators/service.ts'
import { formatDuration } from '../duration.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { connectOperator } from '../operator.ts'
import { printable } from '../printable.ts'
import { count, formatTable } from '../table.ts'
import type { TargetOptions } from '../target.ts'

export async function runWhitelistList(options: TargetOptions, io: CommandIo): Promise<ExitStatus> {
  await using operator = await connectOperator(options, io)
  const reports = await Array.fromAsync(operator.subjects())
  if (options.json === true) io.out(JSON.stringify(reports))
  else if (reports.length === 0) io.err('the whitelist is empty: fridge whitelist add NAME')
  else {
    const rows = reports.map(report => rowOf(report, io.clock.now()))
    for (const line of formatTable([['NAME', 'STANDING', 'BY', 'WHEN', 'ALLOWED'], ...rows]))
      io.out(line)
  }
  return EXIT.done
}

/** Exit status: 0 the name is let in, 1 it is not. */
export async function runWhitelistShow(
  name: string,
  options: TargetOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const subject = parseSubject(name)
  await using operator = await connectOperator(options, io)
  const report = await operator.show(subject)
  if (options.json === true) io.out(JSON.stringify(report))
  else show(report, operator.node, io)
  return report.standing === 'granted' ? EXIT.done : EXIT.notDone
}

function rowOf(report: SubjectReport, now: number): string[] {
  const [latest] = report.grants.toSorted((a, b) => b.at - a.at)
  if (latest === undefined) return [displaySubject(report.subject), report.standing, '', '', '']
  const when = new Date(latest.at).toISOString().slice(0, 19)
  return [
    displaySubject(report.subject),
    report.standing,
    latest.operator,
    `${when}Z`,
    report.grants.length === 1
      ? termsOf(latest, now)
      : `${termsOf(latest, now)}; one of ${report.grants.length} grants, see show`,
  ]
}

function show(report: ShowReport, node: string, io: CommandIo): void {
  const { subject, standing, grants, removals, sessions, nodes } = report
  io.out(`${displaySubject(subject)}: ${standing}, ${count(sessions, 'connection')} to ${node}`)
  for (const grant of grants) {
    const reason = grant.reason === undefined ? '' : ` (${printable(grant.reason)})`
    io.out(`  granted by ${grant.operator} at ${new Date(grant.at).toISOString()}${reason}`)
    io.out(
      `    ${termsOf(grant, io.clock.now())}; change ${grant.sequence} of ${nodeOf(grant.source)}`,
    )
  }
  if (grants.length > 1)
    io.out('  made on two sides of a partition: what all of them allow is allowed')
  for (const { operator, at, reason, sequence, source } of removals) {
    const why = reason === undefined ? '' : ` (${printable(reason)})`
    io.out(`  removed by ${operator} at ${new Date(at).toISOString()}${why}`)
    io.out(`    change ${sequence} of ${nodeOf(source)}`)
  }
  for (const { name, state } of nodes) io.out(`  ${name}: ${state}`)
}

function termsOf({ sensors, commands, keys, expiresAt }: GrantReport, now: number): string {
  const terms = [
    sensors === undefined ? 'all sensors' : `sensors ${sensors.join(' ') || 'none'}`,
    commands === undefined ? 'all commands' : `commands ${commands.join(' ') || 'none'}`,
  ]
  if (keys !== undefined) terms.push(count(keys.length, 'key'))
  if (expiresAt !== undefined) {
    terms.push(expiresAt > now ? `${formatDuration(expiresAt - now)} left` : 'expired')
  }
  return terms.join(', ')
}
