import {
  displaySubject,
  nodeOf,
  parseSubject,
  roleOf,
  type SubjectKind,
} from '../../node/identity/names.ts'
import type { GrantReport, ShowReport, SubjectReport } from '../../node/operators/subjects.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import { formatDuration } from '../duration.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { connectOperator } from '../operator.ts'
import { formatMoment } from '../moment.ts'
import { count, GrowingTable } from '../table.ts'
import type { TargetOptions } from '../target.ts'

/** @param kind show only subjects of this one; default all */
export async function runWhitelistList(
  options: TargetOptions,
  io: CommandIo,
  kind?: SubjectKind,
): Promise<ExitStatus> {
  await using operator = await connectOperator(options, io)
  const table = new GrowingTable(io.out, io.columns)
  let isFirst = true
  // Each page is printed as it comes: however long the list is, one page of it is held.
  for await (const all of operator.subjectPages()) {
    const page = all.filter(({ subject }) => kind === undefined || roleOf(subject) === kind)
    if (page.length === 0) continue
    if (options.json === true) {
      io.out(`${isFirst ? '[' : ','}${JSON.stringify(page).slice(1, -1)}`)
    } else {
      const rows = page.map(report => rowOf(report, io.clock.now()))
      table.print(isFirst ? [HEAD, ...rows] : rows)
    }
    isFirst = false
  }
  if (options.json === true) io.out(isFirst ? '[]' : ']')
  else if (isFirst && kind === 'origin') io.err('no origin is listed: fridge origin add URL')
  else if (isFirst) io.err('the whitelist is empty: fridge whitelist add NAME')
  return EXIT.done
}

const HEAD = ['NAME', 'STANDING', 'BY', 'WHEN', 'ALLOWED']

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
  if (latest === undefined) {
    const { subject, standing, removal } = report
    if (removal === undefined) return [displaySubject(subject), standing, '', '', '']
    const why = removal.reason === undefined ? '' : `(${foreignText(removal.reason)})`
    return [displaySubject(subject), standing, removal.operator, secondOf(removal.at), why]
  }
  return [
    displaySubject(report.subject),
    report.standing,
    latest.operator,
    secondOf(latest.at),
    report.grants.length === 1
      ? termsOf(latest, now)
      : `${termsOf(latest, now)}; one of ${report.grants.length} grants, see show`,
  ]
}

function secondOf(at: number): string {
  return formatMoment(at).replace(/\.\d{3}Z$/, 'Z')
}

function show(report: ShowReport, node: string, io: CommandIo): void {
  const { subject, standing, grants, removals, sessions, nodes } = report
  io.out(`${displaySubject(subject)}: ${standing}, ${count(sessions, 'connection')} to ${node}`)
  for (const grant of grants) {
    const reason = grant.reason === undefined ? '' : ` (${foreignText(grant.reason)})`
    io.out(`  granted by ${grant.operator} at ${formatMoment(grant.at)}${reason}`)
    io.out(
      `    ${termsOf(grant, io.clock.now())}; change ${grant.sequence} of ${nodeOf(grant.source)}`,
    )
  }
  if (grants.length > 1)
    io.out('  made on two sides of a partition: what all of them allow is allowed')
  for (const { operator, at, reason, sequence, source } of removals) {
    const why = reason === undefined ? '' : ` (${foreignText(reason)})`
    io.out(`  removed by ${operator} at ${formatMoment(at)}${why}`)
    io.out(`    change ${sequence} of ${nodeOf(source)}`)
  }
  for (const { name, state } of nodes) io.out(`  ${name}: ${state}`)
}

function termsOf(grant: GrantReport, now: number): string {
  const { sensors, commands, keys, expiresAt } = grant
  const terms = [
    sensors === undefined ? 'all sensors' : `sensors ${sensors.join(' ') || 'none'}`,
    commands === undefined ? 'all commands' : `commands ${commands.join(' ') || 'none'}`,
  ]
  if (keys !== undefined) terms.push(count(keys.length, 'key'))
  if (grant.views !== undefined) terms.push(`views ${grant.views.join(' ') || 'none'}`)
  if (grant.public === true) terms.push('sensors without signing in')
  if (expiresAt !== undefined) {
    terms.push(expiresAt > now ? `${formatDuration(expiresAt - now)} left` : 'expired')
  }
  return terms.join(', ')
}
