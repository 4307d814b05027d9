import { nodeOf } from '../identity/names.ts'
import { isSignature, type EntrySignatures } from '../identity/signature.ts'
import { objectionTo, type Signers } from '../identity/signers.ts'
import { parseChange, type Place } from './change.ts'
import { entryHash, isStray, placeOf, type Entry, type Stray } from './entry.ts'

/** An entry from outside: it has the form of one, and nothing of it has been checked. */
export type UncheckedEntry = Pick<Entry, 'text' | 'signatures'>

/** A stray from outside, of whose entries nothing has been checked. */
export interface UncheckedStray {
  readonly entry: UncheckedEntry
  readonly against?: UncheckedEntry
}

/** The fields of an entry as they come from outside: sent by a peer or a node, or in a database. */
export type EntryFields = Readonly<Record<'text' | keyof EntrySignatures, unknown>>

const FINGERPRINT = /^[0-9a-f]{64}$/

/** Read the fields of an entry. @returns the entry, or why they have not the form of one */
export function readEntry(fields: EntryFields): UncheckedEntry | string {
  const { text } = fields
  const { operatorCertificate, operatorSignature, nodeCertificate, nodeSignature } = fields
  if (typeof text !== 'string') return 'an update carries no change'
  if (!isFingerprint(operatorCertificate) || !isFingerprint(nodeCertificate)) {
    return 'an update does not name its signers'
  }
  if (!isSignature(operatorSignature) || !isSignature(nodeSignature)) {
    return 'an update is not signed'
  }
  const signatures = { operatorCertificate, operatorSignature, nodeCertificate, nodeSignature }
  return { text, signatures }
}

function isFingerprint(value: unknown): value is string {
  return typeof value === 'string' && FINGERPRINT.test(value)
}

/**
 * Check that an entry or a stray stands at the place where it was found, and that all its
 * signatures hold.
 * @returns the entry or the stray, or what is wrong with it
 */
export async function openAt(
  { source, sequence }: Place,
  unchecked: UncheckedEntry | UncheckedStray,
  signers: Signers,
): Promise<Entry | Stray | string> {
  const one = await (isStray(unchecked)
    ? openStray(unchecked, signers)
    : openEntry(unchecked, signers))
  if (typeof one === 'string') return one
  const place = placeOf(one)
  if (place.source === source && place.sequence === sequence) return one
  return 'a change is not at the place that it names'
}

async function openStray(unchecked: UncheckedStray, signers: Signers): Promise<Stray | string> {
  const entry = await openEntry(unchecked.entry, signers)
  if (typeof entry === 'string') return entry
  if (unchecked.against === undefined) return { entry }
  const against = await openEntry(unchecked.against, signers)
  return typeof against === 'string' ? against : { entry, against }
}

/** Check the text and both signatures. @returns the entry, or what is wrong with it */
export async function openEntry(
  { text, signatures }: UncheckedEntry,
  signers: Signers,
): Promise<Entry | string> {
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
  const hash = entryHash(text, signatures)
  const [isOperators, isNodes] = await Promise.all([
    signers.verify(operator, 'change', text, signatures.operatorSignature),
    signers.verify(node, 'entry', hash, signatures.nodeSignature),
  ])
  if (!isOperators) return `change ${sequence} of ${source} is not signed by its operator`
  if (!isNodes) return `change ${sequence} of ${source} is not signed by its node`
  return { change, text, hash, signatures }
}
