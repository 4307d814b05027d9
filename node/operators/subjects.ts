import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Replica } from '../gossip/replica.ts'
import { isAuthor, isSubject, type Name, type Source, type Subject } from '../identity/names.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Change, ChangeId } from '../whitelist/change.ts'
import type { SubjectState } from '../whitelist/merge.ts'
import type { StandingGrant } from '../whitelist/standing-grants.ts'
import type { Terms } from '../whitelist/terms.ts'
import type { RpcMethod } from '../wire/rpc.ts'
import { BATCH_LIMITS } from './batch-limits.ts'
import { malformed } from './malformed.ts'
import { askStatus, type AskOptions, type NodeReport } from './status.ts'

/** One subject as operators are shown it. */
export interface SubjectReport {
  readonly subject: Subject
  readonly standing: 'granted' | 'expired' | 'revoked' | 'unknown'
  /** The grants that stand; of several, made on two sides of a partition, all must allow a thing. */
  readonly grants: readonly GrantReport[]
  /** The ids of the revocations that no other has seen. */
  readonly revocations: readonly ChangeId[]
  /** How many live connections this node has of it. */
  readonly sessions: number
  /** The newest of the removals that keep it out. */
  readonly removal?: RemovalReport
}

/** How far a node has come. */
export type NodeProgress = 'caught up' | 'behind' | 'silent' | 'out of reach' | 'left'

/** One removal as operators are shown it. */
export type RemovalReport = Omit<GrantReport, keyof Terms>

/** What `subject` answers. */
export interface WholeSubjectReport extends SubjectReport {
  /** The removals that no other has seen, whether or not a grant has seen them since. */
  readonly removals: readonly RemovalReport[]
}

/** What `show` answers: a subject, and which nodes hold all that this answer rests on. */
export interface ShowReport extends WholeSubjectReport {
  readonly nodes: readonly { readonly name: Name; readonly state: NodeProgress }[]
}

/** One standing grant as operators are shown it. */
export interface GrantReport extends Terms {
  readonly source: Source
  readonly sequence: number
  readonly operator: Name
  readonly at: number
  readonly reason?: string
}

/** What `frontier` answers: what a change of a subject that is proposed now rests on. */
export interface FrontierReport {
  readonly seen: readonly ChangeId[]
  /** Of an operator or a node: its last grant in each source. */
  readonly upTo?: Readonly<Record<Source, readonly [sequence: number, hash: string]>>
}

/**
 * One answer of `list`: so many subjects, or fewer that are this long in JSON. An answer must stay
 * far below what a connection may buffer, and one grant can name 64 keys.
 */
const PAGE = { maxSubjects: 500, maxSize: 262_144 } as const

export interface SubjectMethodsOptions extends AskOptions {
  readonly replica: Replica
  readonly sessions: Pick<Sessions, 'countOf'>
}

/** What of these a list of subjects needs. */
export type ListedOptions = Pick<SubjectMethodsOptions, 'replica' | 'sessions' | 'clock'>

/** The methods by which operators read what the list says of a subject (PROTOCOL.md, "Operators"). */
export function subjectMethods(options: SubjectMethodsOptions): [string, RpcMethod][] {
  const { replica } = options
  return [
    [
      'frontier',
      async ([subject]): Promise<FrontierReport> => {
        if (!isSubject(subject)) throw malformed('frontier')
        return frontierOf(subject, replica)
      },
    ],
    [
      'frontiers',
      async ([subjects]): Promise<FrontierReport[]> =>
        firstThatFit(readSubjects(subjects, 'frontiers'), subject => frontierOf(subject, replica)),
    ],
    ['list', pagesOf(options)],
    [
      'subject',
      async ([subject]): Promise<WholeSubjectReport> => {
        if (!isSubject(subject)) throw malformed('subject')
        return wholeReport(subject, options)
      },
    ],
    [
      'subjects',
      async ([subjects]): Promise<WholeSubjectReport[]> =>
        firstThatFit(readSubjects(subjects, 'subjects'), subject => wholeReport(subject, options)),
    ],
    [
      'show',
      async ([subject]): Promise<ShowReport> => {
        if (!isSubject(subject)) throw malformed('show')
        const { changes, nodes } = await askStatus(options)
        return {
          ...wholeReport(subject, options),
          nodes: nodes.map(node => ({ name: node.name, state: progressOf(node, changes) })),
        }
      },
    ],
  ]
}

/**
 * Pages of subjects in order of their names. The first is picked out, so that nobody waits until a
 * long list is in order for its first row; all are sorted once, when the second is asked for.
 */
export function pagesOf(options: ListedOptions): RpcMethod {
  const { replica } = options
  let unsorted: Subject[] = []
  let sorted: Subject[] = []
  const from = (after: Subject | null): readonly Subject[] => {
    if (after === null) {
      unsorted = Array.from(replica.whitelist.subjects(), ([subject]) => subject)
      sorted = []
      return firstOf(unsorted, PAGE.maxSubjects)
    }
    if (sorted.length === 0) sorted = unsorted.sort()
    const start = sorted.indexOf(after) + 1
    return sorted.slice(start, start + PAGE.maxSubjects)
  }
  return async ([after]): Promise<SubjectReport[]> => {
    if (after !== null && !isSubject(after)) throw malformed('list')
    return firstThatFit(from(after), subject => report(subject, options))
  }
}

/** What there is to say of some subjects, in their order, up to the size of a page: at least of one. */
async function firstThatFit<T extends object>(
  subjects: readonly Subject[],
  say: (subject: Subject) => T,
): Promise<T[]> {
  const page: T[] = []
  let size = 0
  for (const subject of subjects) {
    const next = say(subject)
    // What keeps a name out stands in the log: other work goes on between two looks into it.
    if ('removal' in next) await nextTurn()
    size += JSON.stringify(next).length
    if (size > PAGE.maxSize && page.length > 0) break
    page.push(next)
  }
  return page
}

/** @throws FridgeError `ERR_PROTOCOL` when they are no subjects, or too many */
function readSubjects(value: unknown, method: string): readonly Subject[] {
  const isList = Array.isArray(value) && value.length <= BATCH_LIMITS.maxChanges
  if (!isList || !value.every(isSubject)) throw malformed(method)
  return value
}

function frontierOf(subject: Subject, { whitelist }: Replica): FrontierReport {
  const seen = whitelist.frontier(subject)
  if (!isAuthor(subject)) return { seen }
  const upTo = Array.from(whitelist.upTo(subject), ([source, { sequence, hash }]) => [
    source,
    [sequence, hash],
  ])
  return { seen, upTo: Object.fromEntries(upTo) as NonNullable<FrontierReport['upTo']> }
}

/** The first of texts in their order, in one pass over them. */
function firstOf<T extends string>(texts: readonly T[], count: number): T[] {
  const first: T[] = []
  let last: T | undefined
  for (const text of texts) {
    if (last !== undefined && text >= last) continue
    first.push(text)
    // Seldom: what is behind the last one that counts is passed over.
    if (first.length < 4 * count) continue
    first.sort().splice(count)
    last = first.at(-1)
  }
  return first.sort().slice(0, count)
}

function wholeReport(subject: Subject, options: ListedOptions): WholeSubjectReport {
  return { ...report(subject, options), removals: removalsOf(subject, options.replica) }
}

function report(subject: Subject, { replica, sessions, clock }: ListedOptions): SubjectReport {
  const state = replica.stateOf(subject)
  const standing = standingOf(state, clock.now())
  const removal = standing === 'revoked' ? newestOf(removalsOf(subject, replica)) : undefined
  return {
    subject,
    standing,
    grants: state.grants.map(reportGrant),
    revocations: [...state.revocations].slice(0, MAX_REMOVALS),
    sessions: sessions.countOf(subject),
    ...(removal && { removal }),
  }
}

/** All grants that stand must allow a thing, so the first that expires ends it. */
function standingOf({ grants, revocations }: SubjectState, now: number): SubjectReport['standing'] {
  if (grants.some(({ change }) => (change.terms.expiresAt ?? Infinity) <= now)) return 'expired'
  if (grants.length > 0) return 'granted'
  return revocations.size > 0 ? 'revoked' : 'unknown'
}

/** How far a node has come, by the changes that the node which answers holds. */
function progressOf({ reachable, left, changes }: NodeReport, all: number): NodeProgress {
  if (left === true) return 'left'
  if (!reachable) return 'out of reach'
  if (changes === undefined) return 'silent'
  return changes >= all ? 'caught up' : 'behind'
}

function reportGrant({ change }: StandingGrant): GrantReport {
  return { ...reportPlace(change), ...change.terms }
}

function reportPlace({ source, sequence, operator, at, reason }: Change): RemovalReport {
  return { source, sequence, operator, at, ...(reason === undefined ? {} : { reason }) }
}

function newestOf(removals: readonly RemovalReport[]): RemovalReport | undefined {
  return removals.toSorted((a, b) => b.at - a.at)[0]
}

/** The answer has to fit into a frame, whatever a stolen key has done. */
const MAX_REMOVALS = 100

function removalsOf(subject: Subject, { whitelist }: Replica): RemovalReport[] {
  const { revocations } = whitelist.state(subject)
  if (revocations.size === 0) return []
  const changes = whitelist.changesOf(subject)
  return Array.from(revocations)
    .slice(0, MAX_REMOVALS)
    .map(id => changes.get(id))
    .filter(entry => entry !== undefined)
    .map(({ change }) => reportPlace(change))
}
