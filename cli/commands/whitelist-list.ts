import {
  displaySubject,
  nodeOf,
  parseName,
  parseSubject,
  roleOf,
  type SubjectKind,
} from '../../node/identity/names.ts'
import type { GrantReport, ShowReport, SubjectReport } from '../../node/operators/subjects.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import { formatRemaining, parseDuration } from '../duration.ts'
import { likelyMeant } from './removal-doubt.ts'
import { certificateFolder } from './certs-options.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { connectOperator } from '../operator.ts'
import { formatMoment } from '../moment.ts'
import { count, GrowingTable } from '../table.ts'
import type { TargetOptions } from '../target.ts'
import { termsOfAll } from './kept-terms.ts'

export interface WhitelistListOptions extends TargetOptions {
  /** Only who was removed. Default false. */
  readonly revoked?: boolean
  /** Only whose grants end within this duration. */
  readonly expiring?: string
  /** Only whose newest change was signed by this operator. */
  readonly by?: string
}

/** @param kind show only subjects of this one; default all */
export async function runWhitelistList(
  options: WhitelistListOptions,
  io: CommandIo,
  kind?: SubjectKind,
): Promise<ExitStatus> {
  const isAsked = filterOf(options, io.clock.now())
  await using operator = await connectOperator(options, io)
  const table = new GrowingTable(io.out, io.columns)
  let isFirst = true
  let wasThere = false
  // Each page is printed as it comes: however long the list is, one page of it is held.
  for await (const all of operator.subjectPages()) {
    wasThere ||= all.length > 0
    const page = all.filter(
      one => (kind === undefined || roleOf(one.subject) === kind) && isAsked(one),
    )
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
  else if (isFirst && wasThere && isFiltered(options)) io.err('nobody on the list is so')
  else if (isFirst && kind === 'origin') io.err('no origin is listed: fridge origin add URL')
  else if (isFirst) io.err('the whitelist is empty: fridge whitelist add NAME')
  return EXIT.done
}

export interface WhitelistShowOptions extends TargetOptions {
  readonly proof?: boolean
}

const HEAD = ['NAME', 'STANDING', 'BY', 'WHEN', 'ALLOWED']

/** Exit status: 0 the name is let in, 1 it is not. */
export async function runWhitelistShow(
  name: string,
  options: WhitelistShowOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const subject = parseSubject(name)
  await using operator = await connectOperator(options, io)
  const report = await operator.show(subject)
  const proof = options.proof === true ? await operator.proof(subject) : undefined
  if (options.json === true) io.out(JSON.stringify({ ...report, ...(proof && { proof }) }))
  else {
    show(report, operator.node, io)
    const meant = await likelyMeant(report, operator, certificateFolder(options, io))
    if (meant !== undefined) io.out(`  did you mean ${meant}?`)
  }
  let isProven = true
  if (proof !== undefined && options.json !== true) {
    // It reads databases and configurations as well: who wants no proof does not wait for that.
    const { printProof } = await import('./whitelist-proof.ts')
    isProven = await printProof(proof, subject, options, io)
  }
  return report.standing === 'granted' && isProven ? EXIT.done : EXIT.notDone
}

function isFiltered({ revoked, expiring, by }: WhitelistListOptions): boolean {
  return revoked !== undefined || expiring !== undefined || by !== undefined
}

/** @throws FridgeError `ERR_USAGE` */
function filterOf(
  { revoked, expiring, by }: WhitelistListOptions,
  now: number,
): (report: SubjectReport) => boolean {
  const until = expiring === undefined ? undefined : now + parseDuration(expiring)
  const operator = by === undefined ? undefined : parseName(by.replace(/^operator\//, ''))
  return ({ standing, grants, removal }) => {
    if (revoked === true && standing !== 'revoked') return false
    if (until !== undefined) {
      const { expiresAt = Infinity } = termsOfAll(grants)
      if (standing !== 'granted' || expiresAt > until) return false
    }
    if (operator === undefined) return true
    return (latestOf(grants) ?? removal)?.operator === operator
  }
}

function latestOf(grants: readonly GrantReport[]): GrantReport | undefined {
  return grants.toSorted((a, b) => b.at - a.at)[0]
}

function rowOf(report: SubjectReport, now: number): string[] {
  const latest = latestOf(report.grants)
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
      ? describeTerms(latest, now)
      : `${describeTerms(latest, now)}; one of ${report.grants.length} grants, see show`,
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
      `    ${describeTerms(grant, io.clock.now())}; change ${grant.sequence} of ${nodeOf(grant.source)}`,
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

function describeTerms(grant: GrantReport, now: number): string {
  const { sensors, commands, keys, expiresAt } = grant
  const terms = [
    sensors === undefined ? 'all sensors' : `sensors ${sensors.join(' ') || 'none'}`,
    commands === undefined ? 'all commands' : `commands ${commands.join(' ') || 'none'}`,
  ]
  if (keys !== undefined) terms.push(count(keys.length, 'key'))
  if (grant.views !== undefined) terms.push(`views ${grant.views.join(' ') || 'none'}`)
  if (grant.public === true) terms.push('sensors without signing in')
  if (expiresAt !== undefined) {
    terms.push(expiresAt > now ? `${formatRemaining(expiresAt - now)} left` : 'expired')
  }
  return terms.join(', ')
}
