import {
  parseName,
  sourceOf,
  subjectOf,
  type Source,
  type Subject,
} from '../../node/identity/names.ts'
import {
  encodeChange,
  type Change,
  type ChangeRequest,
  type Grant,
  type Revocation,
  type Terms,
} from '../../node/whitelist/change.ts'
import { entryHash, type Entry } from '../../node/whitelist/entry.ts'
import type { EntrySignatures } from '../../node/identity/signature.ts'

export const OPERATOR = parseName('olga')

/** The moment at which changes are made where it does not matter. */
export const NOON = Date.UTC(2026, 0, 1, 12)

/** A source of the node `name`: its `run`-th start. */
export function testSource(name: string, run = 1): Source {
  return sourceOf(parseName(name), run.toString(16).padStart(16, '0'))
}

export function client(name: string): Subject {
  return subjectOf('client', parseName(name))
}

interface GrantFields {
  readonly subject?: Subject
  /** Pairs of a source and the greatest sequence that was seen of it. */
  readonly seen?: Iterable<readonly [Source, number]>
  readonly terms?: Terms
  readonly reason?: string
}

export function grantAt(source: Source, sequence: number, fields: GrantFields = {}): Grant {
  const { subject = client('amber'), seen = [], terms = {}, reason } = fields
  return {
    kind: 'grant',
    subject,
    source,
    sequence,
    operator: OPERATOR,
    at: NOON,
    ...(reason === undefined ? {} : { reason }),
    seen: new Map(seen),
    terms,
  }
}

export function revocationAt(
  source: Source,
  sequence: number,
  subject: Subject = client('amber'),
): Revocation {
  return { kind: 'revocation', subject, source, sequence, operator: OPERATOR, at: NOON }
}

export function requestOf(kind: 'grant' | 'revocation', subject: Subject): ChangeRequest {
  return kind === 'grant'
    ? { kind, subject, operator: OPERATOR, terms: {} }
    : { kind, subject, operator: OPERATOR }
}

/** The entries of one source: `count` revocations, linked, from sequence 1 on. Not signed. */
export function revocationsOf(source: Source, count: number): Entry[] {
  const subjects = Array.from({ length: count }, (_, index) => client(`client-${index}`))
  return chain(subjects.map((subject, index) => revocationAt(source, index + 1, subject)))
}

/** What stands under entries where nobody checks it. */
const SIGNATURES: EntrySignatures = {
  operatorCertificate: 'a'.repeat(64),
  operatorSignature: 'b'.repeat(86),
  nodeCertificate: 'c'.repeat(64),
  nodeSignature: 'd'.repeat(86),
}

/** Link the changes of one source, in their order. Their signatures are none. */
export function chain(changes: readonly Change[]): Entry[] {
  let previous = ''
  return changes.map(change => {
    const text = encodeChange(change)
    const hash = entryHash(previous, text)
    const entry: Entry = { change, text, previous, hash, signatures: SIGNATURES }
    previous = entry.hash
    return entry
  })
}
