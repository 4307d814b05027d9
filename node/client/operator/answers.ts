import {
  isKeyId,
  isName,
  isSource,
  isSubject,
  type Name,
  type Subject,
} from '../../identity/names.ts'
import { readAddress } from '../../lib/address.ts'
import { FridgeError } from '../../lib/errors.ts'
import { foreignText } from '../../lib/foreign-text.ts'
import { isRecord } from '../../lib/record.ts'
import type { TokenReport } from '../../operators/tokens.ts'
import type { Archived, CheckpointReport } from '../../operators/checkpoints.ts'
import type { CommitReport } from '../../operators/commits.ts'
import type { NodeReport, StatusReport } from '../../operators/status.ts'
import type {
  GrantReport,
  NodeProgress,
  RemovalReport,
  ShowReport,
  WholeSubjectReport,
  SubjectReport,
} from '../../operators/subjects.ts'
import { isHash, isReason, isSequence, type ChangeId, type Place } from '../../whitelist/change.ts'
import { readTerms } from '../../whitelist/terms.ts'
import { parseOwnState } from './own-state.ts'

/** A change that was committed, with what is known of its way through the cluster. */
export type CommittedChange = Extract<CommitReport, { outcome: 'committed' }>

/** What a commit became. What it shows of an entry that holds the place is still to be checked. */
export type UnprovenReport =
  | CommittedChange
  | { readonly outcome: 'again'; readonly why: string; readonly taken?: unknown }

/** That one node has applied a change. */
export type NodeConfirmation = CommittedChange['confirmed'][number]

/**
 * What a node answers to an operator, checked in shape: the node might be stolen. Fields that this
 * version does not know are dropped. Each parser returns the answer, or why it is none.
 */

/** Nodes of a cluster: a node keeps 16,384 members, and the last words of 256 that are no more. */
export const MAX_CLUSTER_NODES = 20_000

const LIMITS = {
  /** Names on one page of the list: a node sends 500. */
  maxSubjects: 1_000,
  /** The longest address, in characters. */
  maxAddress: 300,
  /** The longest version, in characters. */
  maxVersion: 64,
  /** The longest text that explains something, in characters. */
  maxText: 1_024,
} as const

const STANDINGS: ReadonlySet<unknown> = new Set<SubjectReport['standing']>([
  'granted',
  'expired',
  'revoked',
  'unknown',
])

const PROGRESS: ReadonlySet<unknown> = new Set<NodeProgress>([
  'caught up',
  'behind',
  'silent',
  'out of reach',
  'left',
])

/** That an answer cannot be read. @param why what a parser says of it */
export function unreadable(node: string, method: string, why: string): FridgeError {
  return new FridgeError(
    'ERR_PROTOCOL',
    `what ${node} answers to ${method} cannot be read: ${why}`,
    {
      fix: 'ask another node with --node HOST:PORT, and look into that one',
    },
  )
}

/** A page of `list`: the names behind `after`, in order, so that a list has an end. */
export function parseSubjectPage(value: unknown, after: Subject | null): SubjectReport[] | string {
  if (!Array.isArray(value) || value.length > LIMITS.maxSubjects) return 'it is no page of names'
  let last: string = after ?? ''
  const page: SubjectReport[] = []
  for (const item of value) {
    const report = parseSubjectReport(item)
    if (typeof report === 'string') return report
    if (report.subject <= last) return 'its names are not in order'
    last = report.subject
    page.push(report)
  }
  return page
}

/** What `show` says of one subject. */
export function parseShowReport(value: unknown, subject: Subject): ShowReport | string {
  const report = parseWholeReport(value, subject)
  if (typeof report === 'string') return report
  const { nodes } = value as Record<string, unknown>
  if (!isListOf(nodes, isNodeState)) return 'its nodes are malformed'
  return { ...report, nodes: nodes.map(({ name, state }) => ({ name, state })) }
}

/** What `subjects` says: of the first of those that were asked for. @returns why it says nothing */
export function parseWholeReports(
  value: unknown,
  asked: readonly Subject[],
): WholeSubjectReport[] | string {
  const isPage = Array.isArray(value) && value.length > 0 && value.length <= asked.length
  if (!isPage) return 'it is no page of names'
  const reports: WholeSubjectReport[] = []
  for (const [index, subject] of asked.slice(0, value.length).entries()) {
    const report = parseWholeReport(value[index], subject)
    if (typeof report === 'string') return report
    reports.push(report)
  }
  return reports
}

/** What `subject` says of one. @returns why it says nothing */
export function parseWholeReport(value: unknown, subject: Subject): WholeSubjectReport | string {
  const report = parseSubjectReport(value)
  if (typeof report === 'string') return report
  if (report.subject !== subject) return 'it is about another name'
  const { removals } = value as Record<string, unknown>
  if (!isListOf(removals, isRemoval)) return 'its removals are malformed'
  return { ...report, removals }
}

/** What `status` says of the cluster. @param node the node that answers, by its certificate */
export function parseStatusReport(value: unknown, node: string): StatusReport | string {
  if (!isRecord(value)) return 'it is no object'
  const { changes, subjects, aloneMs, isolated, nodes } = value
  if (!isName(value['node']) || value['node'] !== node) return 'it is of another node'
  if (!isCount(changes) || !isCount(subjects) || !isCount(aloneMs)) return 'it has bad numbers'
  if (typeof isolated !== 'boolean') return 'it does not say whether the node is isolated'
  if (!Array.isArray(nodes) || nodes.length > MAX_CLUSTER_NODES) return 'its nodes are malformed'
  const reports: NodeReport[] = []
  for (const item of nodes) {
    const report = parseNodeReport(item)
    if (typeof report === 'string') return report
    reports.push(report)
  }
  const own = parseOwnState(value)
  if (typeof own === 'string') return own
  return { node: value['node'], changes, subjects, aloneMs, isolated, ...own, nodes: reports }
}

/** What `checkpoint` says of whether another one is due. */
export function parseCheckpointReport(value: unknown): CheckpointReport | string {
  if (!isRecord(value)) return 'it is no object'
  const { newest, behind, former } = value
  if (!isCount(behind)) return 'it does not say how many changes there are'
  if (!isListOf(former, isKeyId)) return 'the former authorities are malformed'
  if (newest === null) return { newest, behind, former }
  if (!isRecord(newest) || !isName(newest['operator']) || !isCount(newest['at'])) {
    return 'the newest checkpoint is malformed'
  }
  return { newest: { operator: newest['operator'], at: newest['at'] }, behind, former }
}

/** What `archive` says: how many changes were moved. */
export function parseArchived(value: unknown): Archived | string {
  if (!isRecord(value) || !isCount(value['changes'])) return 'it does not say how many there were'
  return { changes: value['changes'] }
}

/** What `token` says: the port at which the node takes it. */
export function parseTokenReport(value: unknown): TokenReport | string {
  if (!isRecord(value) || !isCount(value['port'])) return 'it names no port'
  return { port: value['port'] }
}

/** What `commit` says in the end. @param place the place in the text that was signed */
export function parseCommitReport(value: unknown, place: Place): UnprovenReport | string {
  if (!isRecord(value)) return 'it is no object'
  const { outcome, why, taken, source, sequence, confirmed, silent, unreachable, left = [] } = value
  if (outcome === 'again' && typeof why === 'string') {
    const words = foreignText(why.slice(0, LIMITS.maxText))
    return { outcome, why: words, ...(taken !== undefined && { taken }) }
  }
  if (outcome !== 'committed') return 'it has no outcome'
  if (source !== place.source || sequence !== place.sequence) return 'it is about another change'
  if (!isListOf(silent, isName) || !isListOf(unreachable, isName) || !isListOf(left, isName)) {
    return 'the nodes that have not confirmed are malformed'
  }
  if (!Array.isArray(confirmed) || confirmed.length > MAX_CLUSTER_NODES) {
    return 'the nodes that have confirmed are malformed'
  }
  const confirmations: NodeConfirmation[] = []
  for (const item of confirmed) {
    const confirmation = parseNodeConfirmation(item)
    if (typeof confirmation === 'string') return confirmation
    confirmations.push(confirmation)
  }
  return { outcome, ...place, confirmed: confirmations, silent, unreachable, left }
}

/** That one node has applied a change: what `commit` reports while it waits, and again in the end. */
export function parseNodeConfirmation(value: unknown): NodeConfirmation | string {
  if (!isRecord(value)) return 'a confirmation is no object'
  const { node, afterMs, tookMs, cut } = value
  if (!isName(node)) return 'a confirmation names no node'
  if (!isDuration(afterMs)) return 'a confirmation does not say when it came'
  if (tookMs !== undefined && !isDuration(tookMs)) return 'a confirmation has a bad duration'
  if (cut !== undefined && !isCount(cut)) return 'a confirmation has a bad number'
  return {
    node,
    afterMs,
    ...(tookMs !== undefined && { tookMs }),
    ...(cut !== undefined && { cut }),
  }
}

function parseSubjectReport(value: unknown): SubjectReport | string {
  if (!isRecord(value)) return 'a name is no object'
  const { subject, standing, grants, revocations, sessions, removal } = value
  if (!isSubject(subject)) return 'a name is malformed'
  if (!STANDINGS.has(standing)) return `it does not say how ${subject} stands`
  if (!isCount(sessions)) return `the connections of ${subject} are no number`
  if (!isListOf(revocations, isHash)) return `the revocations of ${subject} are malformed`
  if (removal !== undefined && !isRemoval(removal)) return `the removal of ${subject} is malformed`
  if (!Array.isArray(grants)) return `the grants of ${subject} are malformed`
  const parsed: GrantReport[] = []
  for (const item of grants) {
    const grant = parseGrantReport(item)
    if (grant === undefined) return `a grant of ${subject} is malformed`
    parsed.push(grant)
  }
  return {
    subject,
    standing: standing as SubjectReport['standing'],
    grants: parsed,
    revocations: revocations as readonly ChangeId[],
    sessions,
    ...(removal && { removal }),
  }
}

function isRemoval(value: unknown): value is RemovalReport {
  return parseGrantReport(value) !== undefined
}

function parseGrantReport(value: unknown): GrantReport | undefined {
  if (!isRecord(value)) return undefined
  const { source, sequence, operator, at, reason } = value
  const terms = readTerms(value)
  if (!isSource(source) || !isSequence(sequence) || !isName(operator)) return undefined
  if (!isCount(at) || typeof terms === 'string') return undefined
  if (reason !== undefined && !isReason(reason)) return undefined
  return { source, sequence, operator, at, ...(reason !== undefined && { reason }), ...terms }
}

function parseNodeReport(value: unknown): NodeReport | string {
  if (!isRecord(value)) return 'a node is no object'
  const { name, reachable, left, addresses, version, links } = value
  const { startedAt, changes, clients, certificateRenewFrom, certificateEndsAt } = value
  if (!isName(name)) return 'a node has no name'
  if (typeof reachable !== 'boolean') return `it does not say whether ${name} is in reach`
  if (left !== undefined && left !== true) return `it does not say how ${name} went`
  if (!isListOf(addresses, isAddress)) return `the addresses of ${name} are malformed`
  if (typeof version !== 'string' || version.length > LIMITS.maxVersion) {
    return `the version of ${name} is malformed`
  }
  if (!isListOf(links, isName)) return `the links of ${name} are malformed`
  if (!isCount(startedAt)) return `${name} has bad numbers`
  for (const number of [changes, clients]) {
    if (number !== undefined && !isCount(number)) return `${name} has bad numbers`
  }
  if (!isCount(certificateRenewFrom) || !isCount(certificateEndsAt)) return `${name} has bad dates`
  const dates = { startedAt, certificateRenewFrom, certificateEndsAt }
  return {
    name,
    reachable,
    ...(left !== undefined && { left }),
    addresses,
    version: foreignText(version),
    links,
    ...dates,
    ...(isCount(changes) && { changes }),
    ...(isCount(clients) && { clients }),
  }
}

function isNodeState(
  value: unknown,
): value is { readonly name: Name; readonly state: NodeProgress } {
  return isRecord(value) && isName(value['name']) && PROGRESS.has(value['state'])
}

function isListOf<T>(value: unknown, is: (item: unknown) => item is T): value is readonly T[] {
  return Array.isArray(value) && value.length <= MAX_CLUSTER_NODES && value.every(is)
}

function isAddress(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= LIMITS.maxAddress &&
    readAddress(value) !== undefined
  )
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isDuration(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER
}
