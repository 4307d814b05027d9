import type { Identity } from '../identity/identity.ts'
import type { Terms } from '../whitelist/change.ts'
import type { SubjectState } from '../whitelist/merge.ts'

/** Why a client, an operator or a node is not let in, or let in no longer. Said on the wire, in logs and by the CLI. */
export type RefusalReason =
  | 'revoked'
  | 'not on the whitelist'
  | 'expired'
  | 'wrong key'
  | 'certificate expired'
  | 'not trusted'
  | 'isolated'
  | 'node removed'
  | 'not ready'

/** What an admitted client may do; undefined narrows nothing. */
export interface Rights {
  readonly sensors: ReadonlySet<string> | undefined
  readonly commands: ReadonlySet<string> | undefined
}

export type Admission =
  | {
      readonly admitted: true
      readonly rights: Rights
      /** When this ends by itself, wall-clock milliseconds. */
      readonly until: number
    }
  | { readonly admitted: false; readonly reason: RefusalReason }

/**
 * Decide on one connection. Refusal is the default for clients: they need a grant that stands.
 * Nodes and operators are admitted by their certificate unless they are revoked. Where several
 * grants stand, made on two sides of a partition, all of them must allow a thing: narrowing wins
 * as removing does.
 *
 * @param now wall-clock milliseconds: expiry is the one thing that reads it
 */
export function admit(identity: Identity, state: SubjectState, now: number): Admission {
  if (now >= identity.notAfter) return { admitted: false, reason: 'certificate expired' }
  if (state.grants.length === 0) {
    if (state.revocations.size > 0) return { admitted: false, reason: 'revoked' }
    if (identity.role === 'client') return { admitted: false, reason: 'not on the whitelist' }
  }
  let until = identity.notAfter
  const allTerms = state.grants.map(({ change }) => change.terms)
  for (const terms of allTerms) {
    if (terms.keys !== undefined && !terms.keys.includes(identity.keyId)) {
      return { admitted: false, reason: 'wrong key' }
    }
    until = Math.min(until, terms.expiresAt ?? Infinity)
  }
  if (now >= until) return { admitted: false, reason: 'expired' }
  return {
    admitted: true,
    until,
    rights: {
      sensors: allowedByAll(allTerms, ({ sensors }) => sensors),
      commands: allowedByAll(allTerms, ({ commands }) => commands),
    },
  }
}

/** Whether rights, of sensors or of commands, cover a name. */
export function allows(names: ReadonlySet<string> | undefined, name: string): boolean {
  return names === undefined || names.has(name)
}

function allowedByAll(
  allTerms: readonly Terms[],
  namesOf: (terms: Terms) => readonly string[] | undefined,
): ReadonlySet<string> | undefined {
  let allowed: ReadonlySet<string> | undefined
  for (const terms of allTerms) {
    const names = namesOf(terms)
    if (names === undefined) continue
    const all = new Set(names)
    allowed = allowed === undefined ? all : allowed.intersection(all)
  }
  return allowed
}
