import { awaitConfirmations, type AwaitOptions, type Proof } from '../gossip/confirmations.ts'
import type { Again } from '../gossip/commit.ts'
import type { Members } from '../gossip/members.ts'
import type { OwnRemoval } from '../gossip/own-removal.ts'
import type { Replica } from '../gossip/replica.ts'
import { isSubject, nameOf, roleOf, type Name, type Source } from '../identity/names.ts'
import { isSignature } from '../identity/signature.ts'
import type { Signer } from '../identity/signers.ts'
import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import type { StoredChanges } from '../storage/stored-changes.ts'
import {
  encodeChange,
  isReason,
  isWish,
  parseChange,
  type Change,
  type ChangeRequest,
  type Place,
} from '../whitelist/change.ts'
import { misfitOf, readTerms } from '../whitelist/terms.ts'
import type { RpcMethod } from '../wire/rpc.ts'
import { pageOf, type ChangePage } from './changes.ts'
import { readCheckpointRequest } from './checkpoints.ts'
import { malformed } from './malformed.ts'
import type { Quota } from './quota.ts'
import { assertReadByAll } from './readers.ts'
import type { Turns } from './turns.ts'

/** What a commit answers. */
export type CommitReport =
  /** `taken` shows the entry that holds the place of the text, if one does. */
  | { readonly outcome: 'again'; readonly why: string; readonly taken?: ChangePage }
  | ({ readonly outcome: 'committed'; readonly source: Source; readonly sequence: number } & Proof)

/**
 * What a checkpoint takes of an operator's quota, in bytes: every node looks through its whole log
 * for each. 64 at once, then 8 a minute.
 */
const CHECKPOINT_COST = 131_072

/** The longest wait for confirmations, in milliseconds. */
const MAX_WAIT_MS = 10 * 60_000

export interface CommitMethodsOptions {
  readonly operator: Signer
  readonly replica: Replica
  readonly storedChanges: StoredChanges
  readonly members: Members
  /** Whether this node itself is out: then it changes nothing. */
  readonly ownRemoval: Pick<OwnRemoval, 'isForked' | 'isOut'>
  readonly clock: Clock
  /** Shared by all operators of the node, like `quota`. */
  readonly turns: Turns
  readonly quota: Quota
}

/** The methods by which operators change the list (PROTOCOL.md, "Operators"). */
export function commitMethods(options: CommitMethodsOptions): [string, RpcMethod][] {
  const { replica, members, clock, operator, turns } = options
  const { name } = operator.identity
  return [
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
        assertReadByAll(request, members)
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
        const parsed = parseChange(text)
        const kind = parsed.ok ? parsed.change.kind : 'grant'
        const commit = await commitInTurn(options, {
          kind,
          cost: kind === 'checkpoint' ? CHECKPOINT_COST : Buffer.byteLength(text),
          first: parsed.ok ? parsed.change : undefined,
          commit: async () => replica.commit(text, operator, signature),
        })
        if (commit.outcome === 'again') return reportAgain(commit, options)
        const wait = { timeoutMs: waitMs, committedAt, onConfirmed: progress, signal }
        return reportCommitted(options, commit.entry.change, wait)
      },
    ],
  ]
}

/** @throws FridgeError `ERR_REVOKED` when this node is out: no peer takes a change from it */
export function assertBelongs({ ownRemoval, members }: CommitMethodsOptions): void {
  if (!ownRemoval.isOut) return
  const why = ownRemoval.isForked ? 'has signed two changes at one place' : 'has been revoked'
  throw new FridgeError('ERR_REVOKED', `node/${members.self.name} ${why}: ask another node`)
}

/** What is to be committed in an operator's turn. */
interface InTurn<T> {
  readonly kind: Change['kind']
  /** What it adds to the log, in bytes. */
  readonly cost: number
  /** The change at the first place that is to be taken; undefined where a text is no change. */
  readonly first: Change | undefined
  readonly commit: () => Promise<T>
}

/** Commit where it is the operator's turn and it may add so much to the log. */
export async function commitInTurn<T extends { readonly outcome: string }>(
  { replica, operator, turns, quota }: CommitMethodsOptions,
  { kind, cost, first, commit }: InTurn<T>,
): Promise<T | Again> {
  const { name } = operator.identity
  const giveBack = quota.take(name, kind, cost)
  let outcome: T | undefined
  try {
    outcome = await turns.commit(name, commit)
    if (outcome !== undefined) return outcome
    const taken = first && replica.whyAgain(first)
    return { outcome: 'again', why: 'it is the turn of another operator', ...taken }
  } finally {
    if (outcome?.outcome !== 'committed') giveBack()
  }
}

/** Wait until all nodes have applied what stands at a place, as `commit` answers it. */
export async function reportCommitted(
  { replica, members, clock }: CommitMethodsOptions,
  { source, sequence }: Place,
  wait: Pick<AwaitOptions, 'timeoutMs' | 'committedAt' | 'onConfirmed' | 'signal'>,
): Promise<CommitReport> {
  const { confirmations } = replica
  const proof = await awaitConfirmations(
    { source, sequence },
    { confirmations, members, clock, ...wait },
  )
  return { outcome: 'committed', source, sequence, ...proof }
}

/** What an operator is told that is to propose anew. */
export function reportAgain({ why, taken }: Again, options: CommitMethodsOptions): CommitReport {
  return { outcome: 'again', why, ...(taken && { taken: pageOf(taken, options) }) }
}

/** The operator that a request removes, if it removes one. */
function removedOperator({ kind, subject }: ChangeRequest): Name | undefined {
  return kind === 'revocation' && roleOf(subject) === 'operator' ? nameOf(subject) : undefined
}

/** Whether an operator may wait so long, in milliseconds. */
export function isDuration(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_WAIT_MS
}

/** What an operator asks for. @throws FridgeError `ERR_PROTOCOL` when that cannot be read */
export function asRequest(value: unknown, operator: Name): ChangeRequest {
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
  const why = typeof read === 'string' ? read : misfitOf(subject, read)
  if (typeof read === 'string' || why !== undefined)
    throw new FridgeError('ERR_PROTOCOL', why ?? '')
  return { kind, ...asked, terms: read }
}
