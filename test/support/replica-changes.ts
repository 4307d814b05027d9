import { hash } from 'node:crypto'
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
  type ChangeId,
  type ChangeRequest,
  type Grant,
  type Revocation,
} from '../../node/whitelist/change.ts'
import type { Terms } from '../../node/whitelist/terms.ts'
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
  /** What it has seen. Default nothing. */
  readonly seen?: readonly ChangeId[]
  readonly terms?: Terms
  readonly reason?: string
}

/** What identifies the wish of a change that is made up: another one for each place. */
export function wishOf(seed: string): string {
  return hash('sha256', seed, 'base64url').slice(0, 22)
}

/** What stands before a place where nobody follows the link. */
function unlinked(sequence: number): string {
  return sequence === 1 ? '' : 'A'.repeat(43)
}

export function grantAt(source: Source, sequence: number, fields: GrantFields = {}): Grant {
  const { subject = client('amber'), seen = [], terms = {}, reason } = fields
  return {
    kind: 'grant',
    subject,
    source,
    sequence,
    previous: unlinked(sequence),
    operator: OPERATOR,
    at: NOON,
    wish: wishOf(`${source} ${sequence}`),
    ...(reason === undefined ? {} : { reason }),
    seen: [...seen].sort(),
    terms,
  }
}

export function revocationAt(
  source: Source,
  sequence: number,
  subject: Subject = client('amber'),
  seen: readonly ChangeId[] = [],
): Revocation {
  return {
    kind: 'revocation',
    subject,
    source,
    sequence,
    previous: unlinked(sequence),
    operator: OPERATOR,
    at: NOON,
    wish: wishOf(`${source} ${sequence}`),
    seen: [...seen].sort(),
  }
}

let wishes = 0

/** What an operator asks for; each time another wish. */
export function requestOf(kind: 'grant' | 'revocation', subject: Subject): ChangeRequest {
  wishes += 1
  const asked = { subject, operator: OPERATOR, wish: wishOf(`request ${wishes}`) }
  return kind === 'grant' ? { kind, ...asked, terms: {} } : { kind, ...asked }
}

/** The entries of one source: `count` revocations, linked, from sequence 1 on. Not signed. */
export function revocationsOf(source: Source, count: number): Entry[] {
  const subjects = Array.from({ length: count }, (_, index) => client(`client-${index}`))
  return chain(subjects.map((subject, index) => revocationAt(source, index + 1, subject)))
}

/** What stands under entries where nobody checks it. */
export const SIGNATURES: EntrySignatures = {
  operatorCertificate: 'a'.repeat(64),
  operatorSignature: 'b'.repeat(86),
  nodeCertificate: 'c'.repeat(64),
  nodeSignature: 'd'.repeat(86),
}

/**
 * Link the changes of one source, in their order, whatever they name as the one before.
 * Their signatures are none.
 */
export function chain(
  changes: readonly Change[],
  previous = '',
  signatures: EntrySignatures = SIGNATURES,
): Entry[] {
  let last = previous
  return changes.map(unlinked => {
    const change = { ...unlinked, previous: last }
    const text = encodeChange(change)
    const entry: Entry = { change, text, hash: entryHash(text, signatures), signatures }
    last = entry.hash
    return entry
  })
}
