import type { KeyObject } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { displaySubject, nodeOf, subjectOf, type Source } from '../identity/names.ts'
import { signText } from '../identity/signature.ts'
import { objectionTo, type Signer } from '../identity/signers.ts'
import { FridgeError } from '../lib/errors.ts'
import {
  CHANGE_LIMITS,
  type Change,
  type ChangeRequest,
  type Checkpoint,
} from '../whitelist/change.ts'
import { entryHash, type Entry } from '../whitelist/entry.ts'
import type { Held } from '../whitelist/equivocation.ts'

/** How far the clock of an operator's machine and a node's may be apart at a commit. */
const MAX_COMMIT_AGE_MS = 10 * 60_000

/** What became of a change that was to be committed. */
export type Commit = { readonly outcome: 'committed'; readonly entry: Entry } | Again

/** It is to be proposed anew; `taken` is the entry that holds its place, if one does. */
export interface Again {
  readonly outcome: 'again'
  readonly why: string
  readonly taken?: Entry
}

/** A change as its operator has signed it. */
interface SignedChange {
  readonly text: string
  readonly operator: Signer
  readonly operatorSignature: string
}

/** The entry of a change at the place of a node, which signs it as well. */
export function signedEntry(
  change: Change,
  { text, operator, operatorSignature }: SignedChange,
  { signer, key }: { readonly signer: Signer; readonly key: KeyObject },
): Entry {
  const certificates = {
    operatorCertificate: operator.identity.fingerprint,
    nodeCertificate: signer.identity.fingerprint,
  }
  const hash = entryHash(text, certificates)
  const nodeSignature = signText(key, 'entry', hash)
  return { change, text, hash, signatures: { ...certificates, operatorSignature, nodeSignature } }
}

/** @throws FridgeError `ERR_CONFLICT` when no grant can have seen all revocations of its subject */
export function assertProposable({ kind, subject }: ChangeRequest, list: Held['list']): void {
  const { grants, revocations } = list.state(subject)
  if (kind !== 'grant' || grants.length > 0 || revocations.size <= CHANGE_LIMITS.maxSeen) return
  const name = displaySubject(subject)
  throw new FridgeError('ERR_CONFLICT', `${name} was removed too often at once`, {
    fix: `gather that in one removal: fridge whitelist remove ${name}, then add it`,
  })
}

interface CommitPlace {
  /** The source in which the node accepts changes now. */
  readonly source: Source
  /** Whether peers hold changes of the node that it does not. */
  readonly isBehind: boolean
  readonly now: number
}

/** Why a change cannot be committed at a node as it was proposed; undefined if it can. */
export function whyNotHere(
  change: Change,
  { source, isBehind, now }: CommitPlace,
): string | undefined {
  if (change.source !== source) return 'it was proposed by another node, or before a restart'
  if (isBehind) return 'this node is taking in changes of its own from its peers'
  const isOld = Math.abs(now - change.at) > MAX_COMMIT_AGE_MS
  return isOld ? 'it was proposed too long ago' : undefined
}

/**
 * Judge the signers of a change as every peer will: one that peers refuse would end each link of the
 * node for ever.
 * @throws FridgeError `ERR_REFUSED`
 */
export function assertSignable(change: Change, operator: Signer, node: Signer): void {
  const objection =
    objectionTo(operator, 'operator', change.operator, change.at) ??
    objectionTo(node, 'node', nodeOf(change.source), change.at)
  if (objection !== undefined) throw new FridgeError('ERR_REFUSED', objection)
}

/**
 * Whether operator and node may still change anything.
 * @throws FridgeError `ERR_REVOKED` when one of them was revoked, or the node has forked
 */
export function assertStanding(
  { operator, source }: Change,
  list: Pick<Held['list'], 'hasEquivocated' | 'state'>,
): void {
  const name = nodeOf(source)
  if (list.hasEquivocated(name)) {
    throw new FridgeError('ERR_REVOKED', `node/${name} has signed two changes at one place`, {
      fix: `ask another node; give this one a new key under a new name`,
    })
  }
  for (const author of [subjectOf('operator', operator), subjectOf('node', name)]) {
    if (list.state(author).revocations.size > 0) {
      throw new FridgeError('ERR_REVOKED', `${author} has been revoked`)
    }
  }
}

/** What an operator is told of changes that the node of their source could not store: all are of one kind. */
export function notRecorded(changes: readonly [Change, ...Change[]], why: string): FridgeError {
  const [{ kind, subject, source }] = changes
  const isBatch = changes.length > 1
  const removal = isBatch ? 'the removals are' : 'the removal is'
  const what = kind === 'revocation' ? `${removal} NOT recorded` : 'nothing was changed'
  const meanwhile = kind === 'revocation' ? ', though connections to this node were cut' : ''
  const name = isBatch ? `these ${changes.length} names` : displaySubject(subject)
  const whom = kind === 'checkpoint' ? '' : `, for ${name}`
  return new FridgeError(
    'ERR_DATABASE',
    `node/${nodeOf(source)} cannot store changes (${why}): ${what}${meanwhile}. Free space there, or run the command on another node with --node HOST:PORT${whom}`,
  )
}

/** What a checkpoint says of the list. */
export type Statement = Pick<Checkpoint, 'heads' | 'state' | 'subjects' | 'former'>

/** A log with what else decides whether a change is proposed as it is. */
export interface Proposing extends Held {
  /** What was proposed here last as a checkpoint. */
  readonly stated: Statement | undefined
}

/** Why a change must be proposed anew, if it must: it would not be proposed as it is now. */
export function whyAgain(
  change: Change,
  { list, store, stated }: Proposing,
): { readonly why: string; readonly taken?: Entry } | undefined {
  const { subject, source, sequence, previous, seen } = change
  const name = displaySubject(subject)
  if (sequence !== list.heard(source) + 1 || previous !== list.headHash(source)) {
    const [taken] = store.ofSource(source, sequence)
    const isThere = taken?.change.sequence === sequence
    return { why: 'its place has been taken', ...(isThere && { taken }) }
  }
  if (change.kind === 'checkpoint') {
    const { heads, state, subjects, former } = change
    const isStated = isDeepStrictEqual({ heads, state, subjects, former }, stated)
    return isStated ? undefined : { why: 'this node has not proposed that checkpoint' }
  }
  // An operator that is told to try again goes on with what its removal had seen at first.
  const isCurrent =
    change.kind === 'grant'
      ? isDeepStrictEqual(seen, list.frontier(subject))
      : list.holdsSeen(change)
  if (!isCurrent) return { why: `${name} was changed meanwhile` }
  if (change.kind === 'revocation' && change.upTo !== undefined) {
    if (!isDeepStrictEqual(change.upTo, list.upTo(subject))) {
      return { why: `${name} has made other grants meanwhile` }
    }
  }
  return undefined
}
