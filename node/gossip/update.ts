import type { Update } from './document.ts'
import { nodeOf } from '../identity/names.ts'
import {
  entryHash,
  isStray,
  parseChange,
  placeOf,
  type Entry,
  type EntrySignatures,
  type Stray,
} from '../whitelist/change.ts'
import { isSignature } from '../identity/signature.ts'
import { objectionTo, type Signers } from '../identity/signers.ts'

/** What one update of the whitelist carries beside its place (PROTOCOL.md, "Updates"). */
export interface UpdateValue extends EntrySignatures {
  /** The canonical text of the change. */
  readonly change: string
  /** The hash of the entry before it. */
  readonly previous: string
}

const HASH = /^[A-Za-z0-9_-]{43}$/
const FINGERPRINT = /^[0-9a-f]{64}$/
const FIELDS = 6

/** What the update of a stray carries. */
export interface StrayValue {
  readonly stray: UpdateValue
  readonly against?: UpdateValue
}

export function isStrayValue(value: UpdateValue | StrayValue): value is StrayValue {
  return 'stray' in value
}

/** Why the value of an update has no valid shape; undefined if it has. */
export function problemOfValue(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'an update carries no object'
  }
  if (!('stray' in value)) return problemOfEntry(value)
  const { stray, against, ...rest } = value as Record<string, unknown>
  if (Object.keys(rest).length > 0) return 'a stray has unknown fields'
  return problemOfEntry(stray) ?? (against === undefined ? undefined : problemOfEntry(against))
}

function problemOfEntry(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'an update carries no entry'
  }
  const fields = value as Record<string, unknown>
  const {
    change,
    previous,
    operatorCertificate,
    operatorSignature,
    nodeCertificate,
    nodeSignature,
  } = fields
  if (Object.keys(fields).length !== FIELDS) return 'an update has missing or unknown fields'
  if (typeof change !== 'string') return 'an update carries no change'
  if (previous !== '' && (typeof previous !== 'string' || !HASH.test(previous))) {
    return 'an update does not link to the one before'
  }
  if (!isFingerprint(operatorCertificate) || !isFingerprint(nodeCertificate)) {
    return 'an update does not name its signers'
  }
  if (!isSignature(operatorSignature) || !isSignature(nodeSignature)) {
    return 'an update is not signed'
  }
  return undefined
}

function isFingerprint(value: unknown): value is string {
  return typeof value === 'string' && FINGERPRINT.test(value)
}

/** An entry or a stray as peers are sent it. */
export function asUpdate(one: Entry | Stray): Update {
  const { source, sequence } = placeOf(one)
  if (!isStray(one)) return [valueOf(one), sequence, source]
  const { entry, against } = one
  const value: StrayValue = {
    stray: valueOf(entry),
    ...(against === undefined ? {} : { against: valueOf(against) }),
  }
  return [value, sequence, source]
}

function valueOf(entry: Entry): UpdateValue {
  const { text, previous } = entry
  const { operatorCertificate, operatorSignature, nodeCertificate, nodeSignature } = entry
  return {
    change: text,
    previous,
    operatorCertificate,
    operatorSignature,
    nodeCertificate,
    nodeSignature,
  }
}

/**
 * Read an update and check that it stands where it says and that both signatures hold.
 * @param update its value has no `problemOfValue`
 * @returns the entry, or why the link that it came over must end
 */
export async function openUpdate(
  [value, sequence, source]: Update,
  signers: Signers,
): Promise<Entry | Stray | string> {
  const one = await openValue(value as UpdateValue | StrayValue, signers)
  if (typeof one === 'string') return one
  const place = placeOf(one)
  if (place.source === source && place.sequence === sequence) return one
  return 'a change is not at the place that it names'
}

async function openValue(
  value: UpdateValue | StrayValue,
  signers: Signers,
): Promise<Entry | Stray | string> {
  if (!isStrayValue(value)) return openEntry(value, signers)
  const entry = await openEntry(value.stray, signers)
  if (typeof entry === 'string' || value.against === undefined) {
    return typeof entry === 'string' ? entry : { entry }
  }
  const against = await openEntry(value.against, signers)
  return typeof against === 'string' ? against : { entry, against }
}

async function openEntry(value: UpdateValue, signers: Signers): Promise<Entry | string> {
  const { change: text, previous, ...signatures } = value
  const parsed = parseChange(text)
  if (!parsed.ok) return parsed.why
  const { change } = parsed
  const { source, sequence } = change
  const operator = signers.get(signatures.operatorCertificate)
  const node = signers.get(signatures.nodeCertificate)
  if (operator === undefined) return 'the certificate of an operator was not sent'
  if (node === undefined) return 'the certificate of a node was not sent'
  const objection =
    objectionTo(operator, 'operator', change.operator, change.at) ??
    objectionTo(node, 'node', nodeOf(source), change.at)
  if (objection !== undefined) return objection
  const hash = entryHash(previous, text)
  const [isOperators, isNodes] = await Promise.all([
    signers.verify(operator, 'change', text, signatures.operatorSignature),
    signers.verify(node, 'entry', hash, signatures.nodeSignature),
  ])
  if (!isOperators) return `change ${sequence} of ${source} is not signed by its operator`
  if (!isNodes) return `change ${sequence} of ${source} is not signed by its node`
  return { change, text, previous, hash, ...signatures }
}
