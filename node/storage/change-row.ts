import { hash as hashOf } from 'node:crypto'
import { signaturesOf, type EntrySignatures } from '../identity/signature.ts'
import { readChange, type ChangeId } from '../whitelist/change.ts'
import { isStray, placeOf, type Entry, type Stray } from '../whitelist/entry.ts'
import {
  readEntry,
  type EntryFields,
  type UncheckedEntry,
  type UncheckedStray,
} from '../whitelist/open.ts'

/** A change as the table `changes` holds it. */
export interface ChangeRow extends EntrySignatures {
  /** Where it is filed: for a stray the place of its own. */
  readonly source: string
  readonly sequence: number
  readonly text: string
  readonly hash: string
  /** `idOf` the change. */
  readonly id: string
  readonly subject: string
  /** 1 where a row before it has the same id. */
  readonly repeats: 0 | 1
  /** `sealOf` the row: a bit that flips in a signature is found at the next start, not by a peer. */
  readonly seal: string
  /** JSON of a `StoredProof`; null for what is no stray. */
  readonly stray: string | null
}

/** An entry as a row, or the proof in a row, holds it. */
type StoredEntry = Pick<ChangeRow, 'text' | 'hash' | keyof EntrySignatures>

/** What is kept of a stray beside its entry. */
interface StoredProof {
  readonly against?: StoredEntry
}

/** The columns that are written, in the order of `valuesOf`. */
export const COLUMNS = [
  'source',
  'sequence',
  'text',
  'hash',
  'id',
  'subject',
  'repeats',
  'operatorCertificate',
  'operatorSignature',
  'nodeCertificate',
  'nodeSignature',
  'seal',
  'stray',
] as const satisfies readonly (keyof ChangeRow)[]

/** The row of an entry or a stray, in the order of `COLUMNS`: SQLite takes values by name slower. */
export function valuesOf(
  one: Entry | Stray,
  { id, repeats }: { id: ChangeId; repeats: boolean },
): (string | number | null)[] {
  const { change, text, hash, signatures } = isStray(one) ? one.entry : one
  const { source, sequence } = placeOf(one)
  const stray = isStray(one) ? JSON.stringify(proofOf(one)) : null
  const row: ChangeRow = {
    source,
    sequence,
    text,
    hash,
    id,
    subject: change.subject,
    repeats: repeats ? 1 : 0,
    ...signatures,
    seal: sealOf({ hash, stray, ...signatures }),
    stray,
  }
  return COLUMNS.map(column => row[column])
}

function proofOf({ against }: Stray): StoredProof {
  if (against === undefined) return {}
  const { text, hash, signatures } = against
  return { against: { text, hash, ...signatures } }
}

/** Read a row that this node has written. @returns the entry or the stray, or why it is none */
export function readRow(row: ChangeRow): Entry | Stray | string {
  const entry = readEntryOf(row)
  if (typeof entry === 'string' || row.stray === null) return entry
  // Written by this node alone, and only after it was checked.
  const { against } = JSON.parse(row.stray) as StoredProof
  const proof = against === undefined ? undefined : readEntryOf(against)
  return proof === undefined || typeof proof === 'string' ? { entry } : { entry, against: proof }
}

/** Read the entry in a row, of a stray too. @returns the entry, or why its change cannot be read */
export function readEntryOf(stored: StoredEntry): Entry | string {
  const { text, hash } = stored
  // What a change was parsed into does not survive JSON: the text says it again.
  const change = readChange(text)
  if (typeof change === 'string') return change
  return { change, text, hash, signatures: signaturesOf(stored) }
}

/**
 * A hash over a row's signatures: against accidents, as an attacker who alters a row can seal it
 * again.
 */
export function sealOf(row: EntrySignatures & Pick<ChangeRow, 'hash' | 'stray'>): string {
  const { operatorCertificate, operatorSignature, nodeCertificate, nodeSignature } = row
  const signatures = [operatorCertificate, operatorSignature, nodeCertificate, nodeSignature]
  return digestOf([row.hash, ...signatures, row.stray ?? ''])
}

/** The seal over the values of a row. */
export function digestOf(parts: readonly string[]): string {
  return hashOf('sha256', parts.join('\n'), 'base64url')
}

/** @returns what a row holds, or what is wrong with its form */
export function uncheckedOf(row: ChangeRow): UncheckedEntry | UncheckedStray | string {
  if (row.stray === null) return readEntry(row)
  try {
    const { against } = JSON.parse(row.stray) as { against?: EntryFields }
    const entry = readEntry(row)
    if (typeof entry === 'string' || against === undefined) {
      return typeof entry === 'string' ? entry : { entry }
    }
    const proof = readEntry(against)
    return typeof proof === 'string' ? proof : { entry, against: proof }
  } catch {
    return 'an update carries no entry'
  }
}
