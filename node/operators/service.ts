import { setImmediate as nextTurn } from 'node:timers/promises'
import { callRoll } from '../gossip/roll-call.ts'
import { awaitConfirmations, type Proof } from '../gossip/confirmations.ts'
import type { Archiving } from '../gossip/archiving.ts'
import type { History } from '../history/history.ts'
import { parseHistoryRequest } from '../history/page.ts'
import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import type { Members } from '../gossip/members.ts'
import {
  isSubject,
  nameOf,
  roleOf,
  type Name,
  type Source,
  type Subject,
} from '../identity/names.ts'
import { changeMethods, pageOf, type ChangePage } from './changes.ts'
import { checkpointMethods, readCheckpointRequest } from './checkpoints.ts'
import { forgetMethods } from './forget.ts'
import { statusOf, type NodeReport, type StatusOptions, type StatusReport } from './status.ts'
import { vitalsPages } from './vitals.ts'
import type { Quota } from './quota.ts'
import type { Turns } from './turns.ts'
import type { Sessions } from '../sessions/sessions.ts'
import {
  encodeChange,
  isReason,
  isWish,
  parseChange,
  readTerms,
  type Change,
  type ChangeId,
  type ChangeRequest,
  type Terms,
} from '../whitelist/change.ts'
import type { StoredChanges } from '../storage/stored-changes.ts'
import type { StandingGrant, SubjectState } from '../whitelist/merge.ts'
import type { Commit } from '../gossip/commit.ts'
import type { Replica } from '../gossip/replica.ts'
import { isSignature } from '../identity/signature.ts'
import type { Signer, Signers } from '../identity/signers.ts'
import type { RpcMethod } from '../wire/rpc.ts'

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

/** What `show` answers: a subject, and which nodes hold all that this answer rests on. */
export interface ShowReport extends SubjectReport {
  /** The removals that no other has seen, whether or not a grant has seen them since. */
  readonly removals: readonly RemovalReport[]
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

/** What a commit answers. */
export type CommitReport =
  /** `taken` shows the entry that holds the place of the text, if one does. */
  | { readonly outcome: 'again'; readonly why: string; readonly taken?: ChangePage }
  | ({ readonly outcome: 'committed'; readonly source: Source; readonly sequence: number } & Proof)

/**
 * One answer of `list`: so many subjects, or fewer that are this long in JSON. An answer must stay
 * far below what a connection may buffer, and one grant can name 64 keys.
 */
const PAGE = { maxSubjects: 500, maxSize: 262_144 } as const

/**
 * What a checkpoint takes of an operator's quota, in bytes: every node looks through its whole log
 * for each. 64 at once, then 8 a minute.
 */
const CHECKPOINT_COST = 131_072

/** The longest wait for confirmations, in milliseconds. */
const MAX_WAIT_MS = 10 * 60_000

/** The longest wait for what nodes say that they hold, in milliseconds. */
const ROLL_CALL_MS = 1_000

export interface OperatorServiceOptions extends StatusOptions {
  readonly operator: Signer
  readonly replica: Replica
  /** The log of changes, to be read. */
  readonly storedChanges: StoredChanges
  readonly archiving: Archiving
  readonly members: Members
  readonly signers: Pick<Signers, 'verify' | 'formerAuthorities'>
  readonly sessions: Sessions
  readonly history: Pick<History, 'page'>
  /** By which alarms are told to the operator, and acknowledged by it. */
  readonly alarmMethods: ReadonlyMap<string, RpcMethod>
  readonly clock: Clock
  /** Shared by all operators of the node, like `quota`. */
  readonly turns: Turns
  readonly quota: Quota
}

/** The methods that an operator may call (PROTOCOL.md, "Operators"). */
export function operatorMethods(options: OperatorServiceOptions): Map<string, RpcMethod> {
  const { replica, members, clock, operator, turns } = options
  const { name } = operator.identity
  return new Map<string, RpcMethod>([
    [
      'propose',
      async ([value], _progress, signal) => {
        const checkpoint = readCheckpointRequest(value, name)
        if (checkpoint !== undefined) {
          // What takes long is done before the place is kept, and known from then on.
          await replica.proposeCheckpoint(checkpoint)
          await turns.take(name, { removes: undefined, signal })
          return encodeChange(await replica.proposeCheckpoint(checkpoint))
        }
        const request = asRequest(value, name)
        await turns.take(name, { removes: removedOperator(request), signal })
        return encodeChange(replica.propose(request))
      },
    ],
    [
      'commit',
      async ([text, signature, waitMs], progress, signal): Promise<CommitReport> => {
        if (typeof text !== 'string' || !isSignature(signature) || !isDuration(waitMs)) {
          throw malformed('commit')
        }
        assertBelongs(options)
        const committedAt = clock.monotonic()
        const commit = await commitInTurn(options, text, signature)
        if (commit.outcome === 'again') {
          const { why, taken } = commit
          return { outcome: 'again', why, ...(taken && { taken: pageOf(taken, options) }) }
        }
        const { source, sequence } = commit.entry.change
        const proof = await awaitConfirmations(
          { source, sequence },
          {
            confirmations: replica.confirmations,
            members,
            clock,
            timeoutMs: waitMs,
            committedAt,
            onConfirmed: progress,
            signal,
          },
        )
        return { outcome: 'committed', source, sequence, ...proof }
      },
    ],
    [
      'frontier',
      async ([subject]): Promise<FrontierReport> => {
        if (!isSubject(subject)) throw malformed('frontier')
        const seen = replica.whitelist.frontier(subject)
        if (roleOf(subject) === 'client') return { seen }
        const upTo = Array.from(replica.whitelist.upTo(subject), ([source, { sequence, hash }]) => [
          source,
          [sequence, hash],
        ])
        return { seen, upTo: Object.fromEntries(upTo) as NonNullable<FrontierReport['upTo']> }
      },
    ],
    ['list', pagesOf(options)],
    [
      'show',
      async ([subject]): Promise<ShowReport> => {
        if (!isSubject(subject)) throw malformed('show')
        const { changes, nodes } = await status(options)
        return {
          ...report(subject, options),
          removals: removalsOf(subject, replica),
          nodes: nodes.map(node => ({ name: node.name, state: progressOf(node, changes) })),
        }
      },
    ],
    ['status', async () => status(options)],
    ['vitals', vitalsPages(options)],
    [
      'history',
      async ([value]) => {
        const request = parseHistoryRequest(value)
        if (typeof request === 'string') throw new FridgeError('ERR_PROTOCOL', request)
        return options.history.page(request)
      },
    ],
    ...options.alarmMethods,
    ...changeMethods(options),
    ...checkpointMethods(options),
    ...forgetMethods(options),
  ])
}

/** The cluster, with what each node says that it holds. */
async function status(options: OperatorServiceOptions): Promise<StatusReport> {
  const { replica, members, clock } = options
  const { confirmations } = replica
  const held = await callRoll({ confirmations, members, clock, timeoutMs: ROLL_CALL_MS })
  return statusOf(options, held)
}

/** @throws FridgeError `ERR_REVOKED` when this node is out: no peer takes a change from it */
function assertBelongs({ ownRemoval, members }: OperatorServiceOptions): void {
  if (!ownRemoval.isOut) return
  const why = ownRemoval.isForked ? 'has signed two changes at one place' : 'has been revoked'
  throw new FridgeError('ERR_REVOKED', `node/${members.self.name} ${why}: ask another node`)
}

/** Commit a change where it is the operator's turn and it may add so much to the log. */
async function commitInTurn(
  { replica, operator, turns, quota }: OperatorServiceOptions,
  text: string,
  signature: string,
): Promise<Commit> {
  const { name } = operator.identity
  const parsed = parseChange(text)
  const kind = parsed.ok ? parsed.change.kind : 'grant'
  const cost = kind === 'checkpoint' ? CHECKPOINT_COST : Buffer.byteLength(text)
  const giveBack = quota.take(name, kind, cost)
  let commit: Commit | undefined
  try {
    commit = await turns.commit(name, async () => replica.commit(text, operator, signature))
    if (commit !== undefined) return commit
    const taken = parsed.ok ? replica.whyAgain(parsed.change) : undefined
    return { outcome: 'again', why: 'it is the turn of another operator', ...taken }
  } finally {
    if (commit?.outcome !== 'committed') giveBack()
  }
}

/** The operator that a request removes, if it removes one. */
function removedOperator({ kind, subject }: ChangeRequest): Name | undefined {
  return kind === 'revocation' && roleOf(subject) === 'operator' ? nameOf(subject) : undefined
}

function malformed(method: string): FridgeError {
  return new FridgeError('ERR_PROTOCOL', `the arguments of ${method} are malformed`)
}

function isDuration(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_WAIT_MS
}

function asRequest(value: unknown, operator: Name): ChangeRequest {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed('propose')
  const { kind, subject, wish, reason, terms, ...rest } = value as Record<string, unknown>
  const isWellFormed =
    Object.keys(rest).length === 0 &&
    isSubject(subject) &&
    isWish(wish) &&
    (reason === undefined || isReason(reason))
  if (!isWellFormed) throw malformed('propose')
  const asked = { subject, operator, wish, ...(reason !== undefined && { reason }) }
  if (kind === 'revocation' && terms === undefined) return { kind, ...asked }
  if (kind !== 'grant' || typeof terms !== 'object' || terms === null) throw malformed('propose')
  const read = readTerms(terms as Record<string, unknown>)
  if (typeof read === 'string') throw new FridgeError('ERR_PROTOCOL', read)
  return { kind, ...asked, terms: read }
}

/** Pages of subjects in order of their names: sorted once, when the first page is asked for. */
function pagesOf(options: OperatorServiceOptions): RpcMethod {
  const { replica } = options
  let sorted: Subject[] = []
  return async ([after]): Promise<SubjectReport[]> => {
    if (after !== null && !isSubject(after)) throw malformed('list')
    if (after === null) {
      sorted = Array.from(replica.whitelist.subjects(), ([subject]) => subject).sort()
    }
    const start = after === null ? 0 : sorted.indexOf(after) + 1
    const page: SubjectReport[] = []
    let size = 0
    for (const subject of sorted.slice(start, start + PAGE.maxSubjects)) {
      const next = report(subject, options)
      // What keeps a name out stands in the log: other work goes on between two looks into it.
      if (next.removal !== undefined) await nextTurn()
      size += JSON.stringify(next).length
      if (size > PAGE.maxSize && page.length > 0) break
      page.push(next)
    }
    return page
  }
}

function report(
  subject: Subject,
  { replica, sessions, clock }: OperatorServiceOptions,
): SubjectReport {
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
