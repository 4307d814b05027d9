import {
  isKeyId,
  isName,
  isRun,
  isSource,
  isSubject,
  MAX_SOURCES,
  roleOf,
  type KeyId,
  type Name,
  type Source,
  type Subject,
} from '../identity/names.ts'

/** Where a change stands: the `sequence`-th change (1, 2, 3…) of `source`. Never reused. */
export interface Place {
  readonly source: Source
  readonly sequence: number
}

/**
 * What an author had seen of one subject: for each source the greatest sequence among the
 * changes of that subject. A missing source is 0.
 */
export type Seen = ReadonlyMap<Source, number>

/** What a grant narrows; what is absent is not narrowed. */
export interface Terms {
  /** Names of the sensors that may be read. */
  readonly sensors?: readonly string[]
  /** Names of the commands that may be called. */
  readonly commands?: readonly string[]
  /** Keys that the certificate must have one of. */
  readonly keys?: readonly KeyId[]
  /** The end of the grant, wall-clock milliseconds. */
  readonly expiresAt?: number
}

interface ChangeBase extends Place {
  readonly subject: Subject
  /** The operator who made it. */
  readonly operator: Name
  /** When, by the accepting node's wall clock, in milliseconds. For people: it decides nothing. */
  readonly at: number
  /** Why, at most 500 characters. */
  readonly reason?: string
}

/** Lets a subject in, as far as it has seen every revocation of that subject. */
export interface Grant extends ChangeBase {
  readonly kind: 'grant'
  readonly seen: Seen
  readonly terms: Terms
}

/** Shuts a subject out. Its place is its mark. */
export interface Revocation extends ChangeBase {
  readonly kind: 'revocation'
  /**
   * For an operator or a node: how far each source had been heard where the revocation was
   * accepted, its own place included. What that operator signed, or that node accepted, beyond
   * these places is void.
   */
  readonly upTo?: Seen
}

export type Change = Grant | Revocation

/** What identifies a change apart from its place: what an operator asks a node for. */
export type ChangeRequest =
  | { kind: 'grant'; subject: Subject; operator: Name; reason?: string; terms: Terms }
  | { kind: 'revocation'; subject: Subject; operator: Name; reason?: string }

/** Limits of one change (PROTOCOL.md, "Changes"). */
export const CHANGE_LIMITS = {
  /** Longest canonical text, in UTF-16 units. */
  maxText: 1_048_576,
  maxReason: 500,
  maxSeen: MAX_SOURCES,
  maxTerms: 64,
} as const

/** The version that canonical texts start with. */
const VERSION = 1

/**
 * The canonical text of a change: JSON without white space, keys in the order below, absent
 * fields left out, `seen` sorted by source. These bytes, in UTF-8, are what is signed, hashed,
 * stored and sent (PROTOCOL.md, "Changes").
 */
export function encodeChange(change: Change): string {
  const fields: Record<string, unknown> = {
    fridge: VERSION,
    kind: change.kind,
    subject: change.subject,
    source: change.source,
    sequence: change.sequence,
    operator: change.operator,
    at: change.at,
  }
  if (change.reason !== undefined) fields['reason'] = change.reason
  if (change.kind === 'grant') {
    const { sensors, commands, keys, expiresAt } = change.terms
    fields['seen'] = Object.fromEntries([...change.seen].sort(bySource))
    if (sensors !== undefined) fields['sensors'] = sensors
    if (commands !== undefined) fields['commands'] = commands
    if (keys !== undefined) fields['keys'] = keys
    if (expiresAt !== undefined) fields['expiresAt'] = expiresAt
  } else if (change.upTo !== undefined) {
    fields['upTo'] = Object.fromEntries([...change.upTo].sort(bySource))
  }
  return JSON.stringify(fields)
}

function bySource(a: readonly [string, number], b: readonly [string, number]): number {
  return a[0] < b[0] ? -1 : 1
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
  if (fields['fridge'] !== VERSION) return 'a change is of an unknown version'
  const { kind, subject, source, sequence, operator, at, reason } = fields
  if (!isSubject(subject)) return 'a change has no valid subject'
  if (!isSource(source) || !isRun(source)) return 'a change has no valid source'
  if (!isSequence(sequence)) return 'a change has no valid sequence'
  if (!isName(operator)) return 'a change has no valid operator'
  if (!isTime(at)) return 'a change has no valid time'
  if (reason !== undefined && !isReason(reason)) return 'a change has no valid reason'
  const base = {
    subject,
    source,
    sequence,
    operator,
    at,
    ...(reason === undefined ? {} : { reason }),
  }
  const isClient = roleOf(subject) === 'client'
  if (kind === 'revocation') {
    if (isClient) return { kind, ...base }
    const upTo = readSeen(fields['upTo'])
    if (upTo === undefined) return 'a revocation does not say up to where'
    if (upTo.get(source) !== sequence) return 'a revocation does not stand at its own place'
    return { kind, ...base, upTo }
  }
  if (kind !== 'grant') return 'a change is of an unknown kind'
  if (!isClient) return 'only clients are granted anything'
  const seen = readSeen(fields['seen'])
  if (seen === undefined) return 'a grant has no valid list of what it has seen'
  if ((seen.get(source) ?? 0) >= sequence) return 'a grant has seen its own future'
  const terms = readTerms(fields)
  if (typeof terms === 'string') return terms
  return { kind, ...base, seen, terms }
}

const NOTHING_SEEN: Seen = new Map()

function readSeen(value: unknown): Seen | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const entries = Object.entries(value)
  if (entries.length === 0) return NOTHING_SEEN
  if (entries.length > CHANGE_LIMITS.maxSeen) return undefined
  const seen = new Map<Source, number>()
  for (const [source, sequence] of entries) {
    if (!isSource(source) || !isSequence(sequence)) return undefined
    seen.set(source, sequence)
  }
  return seen
}

const NO_TERMS: Terms = {}

/** The terms among the fields of a grant or of a request. @returns the terms, or why they are none */
export function readTerms(fields: Readonly<Record<string, unknown>>): Terms | string {
  const { sensors, commands, keys, expiresAt } = fields
  if (sensors !== undefined && !isListOf(sensors, isTermName)) return 'the sensors are not valid'
  if (commands !== undefined && !isListOf(commands, isTermName)) return 'the commands are not valid'
  if (keys !== undefined && !isListOf(keys, isKeyId)) return 'the keys are not valid'
  if (expiresAt !== undefined && !isTime(expiresAt)) return 'the expiry is not valid'
  if (
    sensors === undefined &&
    commands === undefined &&
    keys === undefined &&
    expiresAt === undefined
  ) {
    return NO_TERMS
  }
  return {
    ...(sensors === undefined ? {} : { sensors }),
    ...(commands === undefined ? {} : { commands }),
    ...(keys === undefined ? {} : { keys }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  }
}

function isListOf<T extends string>(
  value: unknown,
  isItem: (item: unknown) => item is T,
): value is readonly T[] {
  return (
    Array.isArray(value) &&
    value.length <= CHANGE_LIMITS.maxTerms &&
    value.every(isItem) &&
    new Set(value).size === value.length
  )
}

const TERM_NAME = /^[A-Za-z][A-Za-z0-9-]{0,63}$/

function isTermName(value: unknown): value is string {
  return typeof value === 'string' && TERM_NAME.test(value)
}

/** A sequence: an integer from 1 to 2^53 - 1. */
export function isSequence(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1
}

function isTime(value: unknown): value is number {
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
