import { awaitConfirmations, type Proof } from '../gossip/confirmations.ts'
import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import type { Member, Twin } from '../gossip/member.ts'
import type { Isolation } from '../gossip/isolation.ts'
import type { Members } from '../gossip/members.ts'
import type { OwnName } from '../gossip/own-name.ts'
import { twinsAmong } from '../gossip/twins.ts'
import type { OwnRemoval } from '../gossip/own-removal.ts'
import type { Removal } from '../gossip/removal-proof.ts'
import {
  isSubject,
  nameOf,
  nodeOf,
  roleOf,
  type Name,
  type Source,
  type Subject,
} from '../identity/names.ts'
import { changeMethods } from './changes.ts'
import { forgetMethods } from './forget.ts'
import type { Quota } from './quota.ts'
import type { Turns } from './turns.ts'
import type { Sessions } from '../sessions/sessions.ts'
import {
  encodeChange,
  isReason,
  parseChange,
  readTerms,
  type ChangeRequest,
  type Grant,
  type Terms,
} from '../whitelist/change.ts'
import type { StoredChanges } from '../storage/stored-changes.ts'
import type { SubjectState } from '../whitelist/merge.ts'
import type { Commit, Replica } from '../gossip/replica.ts'
import { isSignature } from '../identity/signature.ts'
import type { Signer, Signers } from '../identity/signers.ts'
import type { RpcMethod } from '../wire/rpc.ts'

/** One subject as operators are shown it. */
export interface SubjectReport {
  readonly subject: Subject
  readonly standing: 'granted' | 'expired' | 'revoked' | 'unknown'
  /** The grants that stand; of several, made on two sides of a partition, all must allow a thing. */
  readonly grants: readonly GrantReport[]
  /** The places of the revocations, compressed to the latest of each source. */
  readonly marks: Readonly<Record<Source, number>>
  /** How many live connections this node has of it. */
  readonly sessions: number
}

/** How far a node has come. */
export type NodeProgress = 'caught up' | 'behind' | 'out of reach' | 'left'

/** What `show` answers: a subject, and which nodes hold all that this answer rests on. */
export interface ShowReport extends SubjectReport {
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

/** One node as `status` shows it. Of one that the answering node has not heard since its start only the name is known. */
export interface NodeReport {
  readonly name: Name
  readonly reachable: boolean
  /** Whether it was stopped in order; absent where it was not. */
  readonly left?: true
  readonly addresses: readonly string[]
  readonly version: string
  readonly startedAt: number
  readonly links: readonly Name[]
  readonly changes: number
  readonly clients: number
  /** From when on its certificate should be renewed, in milliseconds since 1970. */
  readonly certificateRenewFrom: number
  /** The last moment of its certificate, in milliseconds since 1970. */
  readonly certificateEndsAt: number
}

/** What `status` shows: the cluster as one node sees it. */
export interface StatusReport {
  /** The node that answered. */
  readonly node: Name
  /** How many changes it holds. */
  readonly changes: number
  /** How many subjects it knows. */
  readonly subjects: number
  /** How long that node has been without any peer, in milliseconds; 0 while it has one. */
  readonly aloneMs: number
  /** Whether that is longer than `isolatedAfterMs`: its view of the list may be stale. */
  readonly isolated: boolean
  /** Nodes that run twice under one name, and where each of the two is. */
  readonly twins?: readonly Twin[]
  /** What peers say that turn the node which answered away, because another runs under its name. */
  readonly nameInUse?: string
  /** Who removed the node that answered; absent while it belongs to its cluster. */
  readonly removed?: Removal
  readonly nodes: readonly NodeReport[]
}

/** What a commit answers. */
export type CommitReport =
  | { readonly outcome: 'again'; readonly why: string }
  | ({ readonly outcome: 'committed'; readonly source: Source; readonly sequence: number } & Proof)

/**
 * One answer of `list`: so many subjects, or fewer that are this long in JSON. An answer must stay
 * far below what a connection may buffer, and one grant can name 64 keys.
 */
const PAGE = { maxSubjects: 500, maxSize: 262_144 } as const

/** The longest wait for confirmations, in milliseconds. */
const MAX_WAIT_MS = 10 * 60_000

export interface OperatorServiceOptions {
  readonly operator: Signer
  readonly replica: Replica
  /** The log of changes, to be read. */
  readonly storedChanges: StoredChanges
  readonly members: Members
  readonly signers: Pick<Signers, 'verify'>
  /** Whether this node itself was removed: then it shows what it holds, and changes nothing. */
  readonly ownRemoval: Pick<OwnRemoval, 'removal'>
  /** Whether another machine runs under the name of this one. */
  readonly ownName: Pick<OwnName, 'inUse'>
  readonly sessions: Sessions
  readonly clock: Clock
  readonly isolation: Pick<Isolation, 'aloneMs' | 'isIsolated'>
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
        if (commit.outcome === 'again') return commit
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
    ['list', pagesOf(options)],
    [
      'show',
      async ([subject]): Promise<ShowReport> => {
        if (!isSubject(subject)) throw malformed('show')
        const { changes, nodes } = status(options)
        return {
          ...report(subject, options),
          nodes: nodes.map(node => ({ name: node.name, state: progressOf(node, changes) })),
        }
      },
    ],
    ['status', async () => status(options)],
    ...changeMethods(options),
    ...forgetMethods(options),
  ])
}

/** @throws FridgeError `ERR_REVOKED` when this node was removed: no peer takes a change from it */
function assertBelongs({ ownRemoval, members }: OperatorServiceOptions): void {
  if (ownRemoval.removal === undefined) return
  throw new FridgeError(
    'ERR_REVOKED',
    `node/${members.self.name} has been revoked: ask another node`,
  )
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
  const giveBack = quota.take(name, kind, Buffer.byteLength(text))
  let commit: Commit | undefined
  try {
    commit = await turns.commit(name, async () => replica.commit(text, operator, signature))
    return commit ?? { outcome: 'again', why: 'it is the turn of another operator' }
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
  const { kind, subject, reason, terms, ...rest } = value as Record<string, unknown>
  const isWellFormed =
    Object.keys(rest).length === 0 &&
    isSubject(subject) &&
    (reason === undefined || isReason(reason))
  if (!isWellFormed) throw malformed('propose')
  const why = reason === undefined ? {} : { reason }
  if (kind === 'revocation' && terms === undefined) return { kind, subject, operator, ...why }
  if (kind !== 'grant' || typeof terms !== 'object' || terms === null) throw malformed('propose')
  const read = readTerms(terms as Record<string, unknown>)
  if (typeof read === 'string') throw new FridgeError('ERR_PROTOCOL', read)
  return { kind, subject, operator, terms: read, ...why }
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
  const state = replica.whitelist.state(subject)
  return {
    subject,
    standing: standingOf(state, clock.now()),
    grants: state.grants.map(reportGrant),
    marks: Object.fromEntries(state.marks) as Record<Source, number>,
    sessions: sessions.countOf(subject),
  }
}

/** All grants that stand must allow a thing, so the first that expires ends it. */
function standingOf({ grants, marks }: SubjectState, now: number): SubjectReport['standing'] {
  if (grants.some(({ terms }) => (terms.expiresAt ?? Infinity) <= now)) return 'expired'
  if (grants.length > 0) return 'granted'
  return marks.size > 0 ? 'revoked' : 'unknown'
}

/** How far a node has come, by the changes that the node which answers holds. */
function progressOf({ reachable, left, changes }: NodeReport, all: number): NodeProgress {
  if (left === true) return 'left'
  if (!reachable) return 'out of reach'
  return changes >= all ? 'caught up' : 'behind'
}

function reportGrant({ source, sequence, operator, at, reason, terms }: Grant): GrantReport {
  return { source, sequence, operator, at, ...(reason === undefined ? {} : { reason }), ...terms }
}

/** What is known of a node that this run has not heard: nothing. */
const UNHEARD: Omit<Member, 'name' | 'source' | 'applied'> = {
  addresses: [],
  version: '',
  startedAt: 0,
  links: [],
  changes: 0,
  clients: 0,
  certificateRenewFrom: 0,
  certificateEndsAt: 0,
}

function status(options: OperatorServiceOptions): StatusReport {
  const { replica, members, ownRemoval, ownName, isolation } = options
  const twins = [...twinsAmong(members.live().values()).values()]
  const describe = (
    member: Omit<Member, 'source' | 'applied'>,
    reachable: boolean,
  ): NodeReport => ({
    name: member.name,
    reachable,
    ...(!reachable && member.left && { left: member.left }),
    addresses: member.addresses,
    version: member.version,
    startedAt: member.startedAt,
    links: member.links.map(nodeOf).sort(),
    changes: member.changes,
    clients: member.clients,
    certificateRenewFrom: member.certificateRenewFrom,
    certificateEndsAt: member.certificateEndsAt,
  })
  return {
    node: members.self.name,
    changes: replica.whitelist.changes,
    subjects: replica.whitelist.size,
    aloneMs: Math.round(isolation.aloneMs),
    isolated: isolation.isIsolated,
    ...(twins.length > 0 && { twins }),
    ...(ownName.inUse !== undefined && { nameInUse: ownName.inUse }),
    ...(ownRemoval.removal !== undefined && { removed: ownRemoval.removal }),
    nodes: [
      ...Array.from(members.live().values(), member => describe(member, true)),
      ...Array.from(members.left().values(), member => describe(member, false)),
      ...Array.from(members.unreachable(), ([name, member]) =>
        describe(member ?? { name, ...UNHEARD }, false),
      ),
    ].sort((a, b) => (a.name < b.name ? -1 : 1)),
  }
}
