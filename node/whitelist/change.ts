import { hash } from 'node:crypto'
import {
  isKeyId,
  isName,
  isRun,
  isSource,
  isSubject,
  WHOLE_LIST,
  isAuthor,
  roleOf,
  type KeyId,
  type Name,
  type Source,
  type Subject,
} from '../identity/names.ts'
import { misfitOf, NO_TERMS, readTerms, type Terms } from './terms.ts'

/** Where a change stands: the `sequence`-th change (1, 2, 3…) of `source`. Never reused. */
export interface Place {
  readonly source: Source
  readonly sequence: number
}

declare const brand: unique symbol

/**
 * What others name when they have seen a change: it says what the change is, so that nobody can
 * name one that does not exist yet. 43 characters of base64url (PROTOCOL.md, "Changes").
 */
export type ChangeId = string & { readonly [brand]: 'ChangeId' }

/** The newest entry of a source, or one up to which something reaches: its place and its hash. */
export interface Head {
  readonly sequence: number
  readonly hash: string
}

/** For each source the last entry that still counts. */
export type UpTo = ReadonlyMap<Source, Head>

interface ChangeBase extends Place {
  readonly subject: Subject
  /** The hash of the entry before it in its source; `''` for the first. */
  readonly previous: string
  /** The operator who made it. */
  readonly operator: Name
  /** When, by the accepting node's wall clock, in milliseconds. For people: it decides nothing. */
  readonly at: number
  /** What one command of the operator asks for: 128 random bits, drawn on the operator's machine. */
  readonly wish: string
  /** Why, at most 500 characters. */
  readonly reason?: string
  /**
   * What stood of the subject in sight of the author, sorted: the grants, or where there was none
   * the revocations behind which there was no other. Whatever those had seen is seen as well.
   */
  readonly seen: readonly ChangeId[]
}

/** Lets a subject in, as far as it has seen every revocation of that subject. */
export interface Grant extends ChangeBase {
  readonly kind: 'grant'
  readonly terms: Terms
}

/** Shuts a subject out until a grant has seen it. */
export interface Revocation extends ChangeBase {
  readonly kind: 'revocation'
  /**
   * For an operator or a node: the last grant in each source that it signed, or accepted, in sight
   * of the revocation. Its grants beyond these are void.
   */
  readonly upTo?: UpTo
}

/**
 * States what the list was at given heads. Behind it those who no longer count add nothing
 * (PROTOCOL.md, "Checkpoints").
 */
export interface Checkpoint extends ChangeBase {
  readonly kind: 'checkpoint'
  /** Not in its text. */
  readonly subject: typeof WHOLE_LIST
  /** Empty, and not in its text: it has seen all that is at or below its heads. */
  readonly seen: readonly ChangeId[]
  /** The newest entry of each source that its author held, and the strays that it held. */
  readonly heads: UpTo
  /** The root over all that stood there, SHA-256 in base64url. */
  readonly state: string
  /** How many subjects that root is over. */
  readonly subjects: number
  /** The keys of the authorities whose word counts for what was signed before alone, sorted. */
  readonly former: readonly KeyId[]
}

export type Change = Grant | Revocation | Checkpoint

/** What identifies a change apart from its place: what an operator asks a node for. */
export type ChangeRequest = Pick<ChangeBase, 'subject' | 'operator' | 'wish' | 'reason'> &
  ({ readonly kind: 'grant'; readonly terms: Terms } | { readonly kind: 'revocation' })

/** What an operator asks for that wants a checkpoint. */
export type CheckpointRequest = Pick<Checkpoint, 'kind' | 'operator' | 'wish' | 'reason'>

/** Limits of one change (PROTOCOL.md, "Changes"). */
export const CHANGE_LIMITS = {
  /** Longest canonical text, in UTF-16 units. */
  maxText: 262_144,
  maxReason: 500,
  /** Of the changes that one has seen, and of the sources in `upTo` and `heads`. */
  maxSeen: 1_024,
  /** Former authorities in a checkpoint. */
  maxFormer: 64,
} as const

/**
 * The versions that canonical texts start with. A change is of the first that can say it, so that
 * whoever knows no later one reads all that it could read before.
 */
const VERSIONS = { names: 2, origins: 3, views: 4 } as const

/** The latest version of texts that this node reads (PROTOCOL.md, "Versions"). */
export const READS_VERSION = VERSIONS.views

/** The version of texts that a change about a subject needs. @param terms of a grant */
export function versionOf(subject: Subject, terms: Pick<Terms, 'views'> = {}): number {
  if (terms.views !== undefined) return VERSIONS.views
  return roleOf(subject) === 'origin' ? VERSIONS.origins : VERSIONS.names
}

/**
 * The canonical text of a change: JSON without white space, keys in the order below, absent
 * fields left out. These bytes, in UTF-8, are what is signed, hashed,
 * stored and sent (PROTOCOL.md, "Changes").
 */
export function encodeChange(change: Change): string {
  const fields: Record<string, unknown> = {
    fridge: versionOf(change.subject, change.kind === 'grant' ? change.terms : {}),
    kind: change.kind,
    ...(change.kind !== 'checkpoint' && { subject: change.subject }),
    source: change.source,
    sequence: change.sequence,
    previous: change.previous,
    operator: change.operator,
    at: change.at,
    wish: change.wish,
  }
  if (change.reason !== undefined) fields['reason'] = change.reason
  if (change.kind === 'checkpoint') {
    const { heads, state, subjects, former } = change
    return JSON.stringify({ ...fields, heads: headFields(heads), state, subjects, former })
  }
  fields['seen'] = change.seen
  if (change.kind === 'grant') {
    const { sensors, commands, keys, expiresAt, public: isPublic, views } = change.terms
    if (sensors !== undefined) fields['sensors'] = sensors
    if (commands !== undefined) fields['commands'] = commands
    if (keys !== undefined) fields['keys'] = keys
    if (expiresAt !== undefined) fields['expiresAt'] = expiresAt
    if (isPublic !== undefined) fields['public'] = isPublic
    if (views !== undefined) fields['views'] = views
  } else if (change.upTo !== undefined) {
    fields['upTo'] = headFields(change.upTo)
  }
  return JSON.stringify(fields)
}

/** Heads of sources as they are written, in the order of their sources. */
export function headFields(heads: UpTo): Record<string, readonly [number, string]> {
  const sorted = [...heads].sort(bySource)
  return Object.fromEntries(
    sorted.map(([source, { sequence, hash }]) => [source, [sequence, hash]]),
  )
}

function bySource(a: readonly [string, Head], b: readonly [string, Head]): number {
  return a[0] < b[0] ? -1 : 1
}

/**
 * The id of a change. That of a grant or a checkpoint is the hash of its entry. That of a revocation leaves out
 * its place: however often one wish was signed, it is one revocation, so that a text that a node
 * kept back changes nothing for whoever has seen another one of the same wish.
 */
export function idOf({ change, hash: entryHash }: { change: Change; hash: string }): ChangeId {
  if (change.kind !== 'revocation') return entryHash as ChangeId
  const { subject, operator, wish, seen } = change
  const text = JSON.stringify({ subject, operator, wish, seen })
  return hash('sha256', `revocation\n${text}`, 'base64url') as ChangeId
}

/** Whether a text is a change, and if not why. */
export type ParsedChange = { ok: true; change: Change } | { ok: false; why: string }

/**
 * Read a canonical text from outside. Anything that `encodeChange` would not have written,
 * down to the order of keys, is refused: one change has one text, so one hash and one signature.
 */
export function parseChange(text: unknown): ParsedChange {
  if (typeof text !== 'string') return { ok: false, why: 'a change is not a text' }
  if (text.length > CHANGE_LIMITS.maxText) return { ok: false, why: 'a change is too long' }
  const change = readChange(text)
  if (typeof change === 'string') return { ok: false, why: change }
  if (encodeChange(change) !== text) return { ok: false, why: 'a change is not canonical' }
  return { ok: true, change }
}

/**
 * Read a text that this node has already checked once, from its own disk.
 * @returns the change, or why it is none
 */
export function readChange(text: string): Change | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'a change is not JSON'
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'a change is not an object'
  }
  const fields = value as Record<string, unknown>
  const { kind, source, sequence, previous, operator, at, wish, reason } = fields
  const subject = kind === 'checkpoint' ? WHOLE_LIST : fields['subject']
  if (kind !== 'checkpoint' && !isSubject(subject)) return 'a change has no valid subject'
  const terms = kind === 'grant' ? readTerms(fields) : NO_TERMS
  if (typeof terms === 'string') return terms
  if (fields['fridge'] !== versionOf(subject as Subject, terms)) {
    return 'a change is of another version'
  }
  if (!isSource(source) || !isRun(source)) return 'a change has no valid source'
  if (!isSequence(sequence)) return 'a change has no valid sequence'
  if (sequence === 1 ? previous !== '' : !isHash(previous)) {
    return 'a change does not link to the one before'
  }
  if (!isName(operator)) return 'a change has no valid operator'
  if (!isCount(at)) return 'a change has no valid time'
  if (!isWish(wish)) return 'a change has no valid wish'
  if (reason !== undefined && !isReason(reason)) return 'a change has no valid reason'
  const seen = kind === 'checkpoint' ? [] : fields['seen']
  if (!isSeen(seen)) return 'a change has no valid list of what it has seen'
  const base = {
    subject: subject as Subject,
    source,
    sequence,
    previous: previous as string,
    operator,
    at,
    wish,
    ...(reason === undefined ? {} : { reason }),
    seen,
  }
  if (kind === 'checkpoint') return readCheckpoint(base, fields)
  const isGranted = !isAuthor(base.subject)
  if (kind === 'revocation') {
    if (isGranted) return { kind, ...base }
    const upTo = readUpTo(fields['upTo'])
    if (upTo === undefined) return 'a revocation does not say up to where'
    return { kind, ...base, upTo }
  }
  if (kind !== 'grant') return 'a change is of an unknown kind'
  if (!isGranted) return 'only clients and origins are granted anything'
  const misfit = misfitOf(base.subject, terms)
  if (misfit !== undefined) return misfit
  return { kind, ...base, terms }
}

function readCheckpoint(
  base: Omit<ChangeBase, 'subject' | 'seen'>,
  { heads, state, subjects, former }: Readonly<Record<string, unknown>>,
): Checkpoint | string {
  const read = readHeads(heads)
  if (read === undefined) return 'a checkpoint has no valid heads'
  if (!isHash(state) || !isCount(subjects)) return 'a checkpoint does not say what the list was'
  if (!isFormer(former)) return 'a checkpoint has no valid list of former authorities'
  const kind = 'checkpoint'
  return { ...base, kind, subject: WHOLE_LIST, seen: [], heads: read, state, subjects, former }
}

/** Keys of authorities, sorted, none twice. */
function isFormer(value: unknown): value is readonly KeyId[] {
  return (
    Array.isArray(value) &&
    value.length <= CHANGE_LIMITS.maxFormer &&
    value.every((key: unknown, index) => isKeyId(key) && (index === 0 || key > value[index - 1]))
  )
}

const HASH = /^[A-Za-z0-9_-]{43}$/
const WISH = /^[A-Za-z0-9_-]{22}$/

export function isHash(value: unknown): value is string {
  return typeof value === 'string' && HASH.test(value)
}

/** A wish: 128 random bits in base64url. */
export function isWish(value: unknown): value is string {
  return typeof value === 'string' && WISH.test(value)
}

/** Ids of changes, sorted, none twice. */
export function isSeen(value: unknown): value is readonly ChangeId[] {
  return (
    Array.isArray(value) &&
    value.length <= CHANGE_LIMITS.maxSeen &&
    value.every((id: unknown, index) => isHash(id) && (index === 0 || id > value[index - 1]))
  )
}

/** How far the grants of an author count, from outside. @returns undefined when it is malformed */
export function readUpTo(value: unknown): UpTo | undefined {
  const upTo = readHeads(value)
  return upTo?.keys().every(isRun) === true ? upTo : undefined
}

/**
 * The newest entries of sources, and strays where they stand, from outside.
 * @returns undefined when it is malformed
 */
export function readHeads(value: unknown): UpTo | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const entries = Object.entries(value)
  if (entries.length > CHANGE_LIMITS.maxSeen) return undefined
  const upTo = new Map<Source, Head>()
  for (const [source, last] of entries) {
    if (!isSource(source) || !Array.isArray(last)) return undefined
    const [sequence, hash, ...rest] = last as unknown[]
    if (rest.length > 0 || !isSequence(sequence) || !isHash(hash)) return undefined
    if (!isRun(source) && sequence > 1) return undefined
    upTo.set(source, { sequence, hash })
  }
  return upTo
}

/** A sequence: an integer from 1 to 2^53 - 1. */
export function isSequence(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1
}

/** Wall-clock milliseconds, or a number of things. */
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** A reason: 1 to 500 characters, well-formed Unicode, no control characters but line breaks. */
export function isReason(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length >= 1 &&
    value.length <= CHANGE_LIMITS.maxReason &&
    value.isWellFormed() &&
    // eslint-disable-next-line no-control-regex
    !/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/.test(value)
  )
}
