import { MAX_ADVERTISED, readAddress } from '../lib/address.ts'
import { isName, isSource, nodeOf, type Name, type Source } from '../identity/names.ts'
import { isSequence } from '../whitelist/change.ts'

/** Two nodes that run under one name, as a third has met them. */
export interface Twin {
  readonly name: Name
  /** Where the one is that the third is linked to. */
  readonly kept: string
  /** Where the one is that it turns away. */
  readonly refused: string
}

/** What a node says of itself in the *members* document (PROTOCOL.md, "Members"). */
export interface Member {
  readonly name: Name
  /** This run of the node. */
  readonly source: Source
  /** Where it can be reached, `HOST:PORT`. */
  readonly addresses: readonly string[]
  /** The version of fridge that it runs. */
  readonly version: string
  /** The latest version of the texts of changes that it reads; absent where it knows the first alone. */
  readonly reads?: number
  /** When it started, by its own wall clock, in milliseconds. */
  readonly startedAt: number
  /** The runs of other nodes that it has a live link to: which nodes are alive follows from these. */
  readonly links: readonly Source[]
  /** How many changes it holds. Equal numbers, once gossip has settled, are equal lists. */
  readonly changes: number
  /** From when on its certificate should be renewed, in milliseconds since 1970. */
  readonly certificateRenewFrom: number
  /** The last moment of its certificate, in milliseconds since 1970. */
  readonly certificateEndsAt: number
  /** How many client connections it serves. */
  readonly clients: number
  /** How far it has come with the sources of which it lately applied changes. */
  readonly applied: Readonly<Record<Source, number>>
  /** Whether it stops in order, and these are its last words; absent before. */
  readonly left?: true
  /** Nodes that it has met twice under one name; absent where there is none. */
  readonly twins?: readonly Twin[]
}

export const MEMBER_LIMITS = {
  maxAddresses: MAX_ADVERTISED,
  maxLinks: 1_024,
  maxApplied: 32,
  maxVersion: 64,
  maxTwins: 8,
  maxFrom: 300,
} as const

function isApplied(value: unknown): value is Record<Source, number> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const entries = Object.entries(value)
  return (
    entries.length <= MEMBER_LIMITS.maxApplied &&
    entries.every(([source, sequence]) => isSource(source) && isSequence(sequence))
  )
}

/** A member with no more than its peers take of it. */
export function withinLimits(member: Member): Member {
  const { addresses, links, version, applied } = member
  return {
    ...member,
    addresses: addresses.slice(0, MEMBER_LIMITS.maxAddresses),
    links: links.slice(0, MEMBER_LIMITS.maxLinks),
    version: version.slice(0, MEMBER_LIMITS.maxVersion),
    applied: Object.fromEntries(Object.entries(applied).slice(-MEMBER_LIMITS.maxApplied)),
  }
}

/** @returns the member, or why the value is none */
export function parseMember(value: unknown): Member | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'a member is not an object'
  }
  // Fields that this version does not know are passed over: nodes are upgraded one by one.
  const { name, source, addresses, version, startedAt, links, changes, clients } = value as Record<
    string,
    unknown
  >
  const { applied, certificateRenewFrom, certificateEndsAt, left, twins, reads } = value as Record<
    string,
    unknown
  >
  if (!isName(name) || !isSource(source) || nodeOf(source) !== name)
    return 'a member has no valid name'
  if (!isListOf(addresses, MEMBER_LIMITS.maxAddresses, isAddress))
    return 'a member has bad addresses'
  if (typeof version !== 'string' || version.length > MEMBER_LIMITS.maxVersion) {
    return 'a member has no valid version'
  }
  if (!isCount(startedAt) || !isCount(changes) || !isCount(clients))
    return 'a member has bad numbers'
  if (!isCount(certificateRenewFrom) || !isCount(certificateEndsAt)) {
    return 'a member has bad dates'
  }
  if (!isListOf(links, MEMBER_LIMITS.maxLinks, isSource)) return 'a member has bad links'
  if (!isApplied(applied)) return 'a member has bad sources'
  if (twins !== undefined && !isListOf(twins, MEMBER_LIMITS.maxTwins, isTwin)) {
    return 'a member has bad twins'
  }
  if (reads !== undefined && !isSequence(reads)) return 'a member does not say what it reads'
  if (left !== undefined && left !== true) return 'a member has left in no order'
  const counts = { startedAt, changes, clients, certificateRenewFrom, certificateEndsAt }
  return {
    name,
    source,
    addresses,
    version,
    links,
    applied,
    ...counts,
    ...(reads !== undefined && { reads }),
    ...(left !== undefined && { left }),
    ...(twins !== undefined && { twins }),
  }
}

function isListOf<T>(value: unknown, max: number, is: (item: unknown) => item is T): value is T[] {
  return Array.isArray(value) && value.length <= max && value.every(is)
}

function isTwin(value: unknown): value is Twin {
  if (typeof value !== 'object' || value === null) return false
  const { name, kept, refused } = value as Record<string, unknown>
  return isName(name) && isFrom(kept) && isFrom(refused)
}

function isFrom(value: unknown): boolean {
  return typeof value === 'string' && value.length <= MEMBER_LIMITS.maxFrom
}

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 300 && readAddress(value) !== undefined
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
