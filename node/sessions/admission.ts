import type { Identity } from '../identity/identity.ts'
import { subjectOf, type Subject } from '../identity/names.ts'
import { isCertified, type Party } from './party.ts'
import type { Terms, View } from '../whitelist/terms.ts'
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

/**
 * Whether the node whose issuing key has signed a certificate may still vouch for its holder: with
 * the node goes its key, and all that a thief signs with it.
 */
export function isIssuerIn(
  { issuedBy }: Pick<Identity, 'issuedBy'>,
  stateOf: (subject: Subject) => Pick<SubjectState, 'revocations'>,
): boolean {
  return issuedBy === undefined || stateOf(subjectOf('node', issuedBy)).revocations.size === 0
}

/** What an admitted client may do; undefined narrows nothing. */
export interface Rights {
  readonly sensors: ReadonlySet<string> | undefined
  readonly commands: ReadonlySet<string> | undefined
  /** What else is shown on a page. */
  readonly views: ReadonlySet<View> | undefined
}

export interface Admitted {
  readonly admitted: true
  readonly rights: Rights
  /** When this ends by itself, wall-clock milliseconds; perhaps never. */
  readonly until: number
  /** Of an origin: whether its pages read these sensors before anybody signs in. */
  readonly isPublic: boolean
}

export type Admission = Admitted | { readonly admitted: false; readonly reason: RefusalReason }

/**
 * Decide on one party of a connection. Refusal is the default for clients and origins: they need a
 * grant that stands, and a browser one that names its key, since no authority vouches for it. Nodes
 * and operators are admitted by their certificate unless they are revoked, and so is the page that
 * this node serves itself. Where several grants stand, made on two sides of a partition, all of them
 * must allow a thing: narrowing wins as removing does.
 *
 * @param now wall-clock milliseconds: expiry is the one thing that reads it
 */
export function admit(party: Party, state: SubjectState, now: number): Admission {
  const endsAt = isCertified(party) ? party.notAfter : Infinity
  if (now >= endsAt) return { admitted: false, reason: 'certificate expired' }
  if (state.grants.length === 0) {
    if (state.revocations.size > 0) return { admitted: false, reason: 'revoked' }
    if (needsGrant(party)) return { admitted: false, reason: 'not on the whitelist' }
  }
  let until = endsAt
  const allTerms = state.grants.map(({ change }) => change.terms)
  for (const terms of allTerms) {
    if (!isForKey(terms, party)) return { admitted: false, reason: 'wrong key' }
    until = Math.min(until, terms.expiresAt ?? Infinity)
  }
  if (now >= until) return { admitted: false, reason: 'expired' }
  return {
    admitted: true,
    until,
    rights: {
      sensors: allowedByAll(allTerms, ({ sensors }) => sensors),
      commands: allowedByAll(allTerms, ({ commands }) => commands),
      // Of these a grant that says nothing allows none.
      views: allowedByAll(allTerms, ({ views = [] }) => views),
    },
    isPublic: allTerms.length > 0 && allTerms.every(terms => terms.public === true),
  }
}

function needsGrant(party: Party): boolean {
  return party.role === 'client' || (party.role === 'origin' && !party.isOwn)
}

function isForKey({ keys }: Terms, party: Party): boolean {
  if (party.role === 'origin') return true
  // What no authority vouches for is known by its key alone.
  return keys === undefined ? isCertified(party) : keys.includes(party.keyId)
}

/** What a page of an admitted origin may do before anybody signs in there: read what is public. */
export function publicRights({ rights, isPublic }: Admitted): Rights {
  return { sensors: isPublic ? rights.sensors : NOTHING, commands: NOTHING, views: NOTHING }
}

const NOTHING: ReadonlySet<never> = new Set()

/** What two parties of one connection may do together. */
export function intersect(a: Rights, b: Rights): Rights {
  return {
    sensors: common(a.sensors, b.sensors),
    commands: common(a.commands, b.commands),
    views: common(a.views, b.views),
  }
}

function common<N extends string>(
  a: ReadonlySet<N> | undefined,
  b: ReadonlySet<N> | undefined,
): ReadonlySet<N> | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a.intersection(b)
}

/** Whether rights, of sensors, commands or views, cover a name. */
export function allows(names: ReadonlySet<string> | undefined, name: string): boolean {
  return names === undefined || names.has(name)
}

function allowedByAll<N extends string>(
  allTerms: readonly Terms[],
  namesOf: (terms: Terms) => readonly N[] | undefined,
): ReadonlySet<N> | undefined {
  let allowed: ReadonlySet<N> | undefined
  for (const terms of allTerms) {
    const names = namesOf(terms)
    if (names === undefined) continue
    const all = new Set(names)
    allowed = allowed === undefined ? all : allowed.intersection(all)
  }
  return allowed
}
