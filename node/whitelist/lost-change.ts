import { isName, isSubject, WHOLE_LIST, type Name, type Subject } from '../identity/names.ts'
import type { Change } from './change.ts'
import { readTerms, type Terms } from './terms.ts'

/**
 * A change that a node had accepted and gave up, because it was resumed from an earlier state or runs
 * twice: no peer can take it any more. Of a grant with its terms.
 */
export interface LostChange extends Terms {
  readonly kind: Change['kind']
  readonly subject: Subject
  readonly operator: Name
  /** When it was accepted, in milliseconds since 1970. */
  readonly at: number
}

const KINDS: ReadonlySet<unknown> = new Set<Change['kind']>(['grant', 'revocation', 'checkpoint'])

export function lostChangeOf(change: Change): LostChange {
  const { kind, subject, operator, at } = change
  return { kind, subject, operator, at, ...(change.kind === 'grant' && change.terms) }
}

/** A lost change from a file or from a node. @returns undefined when it is malformed */
export function readLostChange(value: unknown): LostChange | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const fields = value as Readonly<Record<string, unknown>>
  const { kind, subject, operator, at } = fields
  const isThere = kind === 'checkpoint' ? subject === WHOLE_LIST : isSubject(subject)
  const terms = readTerms(fields)
  if (!KINDS.has(kind) || !isThere || !isName(operator) || typeof terms === 'string') {
    return undefined
  }
  if (!Number.isSafeInteger(at) || (at as number) < 0) return undefined
  return {
    kind: kind as LostChange['kind'],
    subject: subject as Subject,
    operator,
    at: at as number,
    ...(kind === 'grant' && terms),
  }
}
