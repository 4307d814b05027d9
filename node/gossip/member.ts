import { MAX_ADVERTISED, readAddress } from '../lib/address.ts'
import { isRecord } from '../lib/record.ts'
import { isTallyKey } from './tally.ts'
import { isName, isSource, type Name, type Source } from '../identity/names.ts'

/** Two nodes that run under one name, as a third has met them. */
export interface Twin {
  readonly name: Name
  /** Where the one is that the third is linked to. */
  readonly kept: string
  /** Where the one is that it turns away. */
  readonly refused: string
}

/** What a node says of itself that changes seldom. */
export interface Profile {
  /** Where it can be reached, `HOST:PORT`. */
  readonly addresses: readonly string[]
  /** The version of fridge that it runs. */
  readonly version: string
  /** The latest version of the texts of changes that it reads; absent where it knows the first alone. */
  readonly reads?: number
  /** When it started, by its own wall clock, in milliseconds. */
  readonly startedAt: number
  /** The key of this run for tallies; absent where it makes none. */
  readonly tallyKey?: string
}

/** What a node says of itself that changes often. */
export interface State {
  /** When it said so, by its own wall clock, in milliseconds. */
  readonly saidAt: number
  /**
   * The runs of other nodes that it has a live link to, the fastest first: which nodes are alive
   * follows from these, and along which links updates go.
   */
  readonly links: readonly Source[]
  /** Whether it stops in order, and these are its last words; absent before. */
  readonly left?: true
  /** Nodes that it has met twice under one name; absent where there is none. */
  readonly twins?: readonly Twin[]
}

/**
 * The newest values of a node's sensors and its alarms: an object of JSON, at most
 * `MEMBER_LIMITS.maxVitals` bytes of it. Gossip carries it and does not look into it, so whoever
 * shows it must read it as what a stranger has sent.
 */
export type Vitals = Readonly<Record<string, unknown>>

/** What a node says of itself in the *members* document (PROTOCOL.md, "Members"). */
export interface Member extends Profile, State {
  readonly name: Name
  /** This run of the node. */
  readonly source: Source
  /** From when on its certificate should be renewed, in milliseconds since 1970. */
  readonly certificateRenewFrom: number
  /** The last moment of its certificate, in milliseconds since 1970. */
  readonly certificateEndsAt: number
  /** Absent where it has said none. */
  readonly vitals?: Vitals
}

export const MEMBER_LIMITS = {
  maxAddresses: MAX_ADVERTISED,
  maxLinks: 1_024,
  maxVersion: 64,
  maxTwins: 8,
  maxFrom: 300,
  maxVitals: 1_024,
} as const

/** A profile with no more than its peers take of it. */
export function profileWithinLimits(profile: Profile): Profile {
  const { addresses, version, reads, startedAt, tallyKey } = profile
  return {
    addresses: addresses.slice(0, MEMBER_LIMITS.maxAddresses),
    version: version.slice(0, MEMBER_LIMITS.maxVersion),
    startedAt,
    ...(reads !== undefined && { reads }),
    ...(tallyKey !== undefined && { tallyKey }),
  }
}

/** A state with no more than its peers take of it. */
export function stateWithinLimits(state: State): State {
  return { ...state, links: state.links.slice(0, MEMBER_LIMITS.maxLinks) }
}

/** @returns the profile, or why the value is none */
export function parseProfile(value: unknown): Profile | string {
  if (!isRecord(value)) return 'a profile is not an object'
  // Fields that this version does not know are passed over: nodes are upgraded one by one.
  const { addresses, version, reads, startedAt, tallyKey } = value
  if (!isListOf(addresses, MEMBER_LIMITS.maxAddresses, isAddress)) {
    return 'a profile has bad addresses'
  }
  if (typeof version !== 'string' || version.length > MEMBER_LIMITS.maxVersion) {
    return 'a profile has no valid version'
  }
  if (reads !== undefined && !isVersion(reads)) return 'a profile does not say what it reads'
  if (!isCount(startedAt)) return 'a profile has no valid start'
  if (tallyKey !== undefined && !isTallyKey(tallyKey)) return 'a profile has no valid key'
  return {
    addresses,
    version,
    startedAt,
    ...(reads !== undefined && { reads }),
    ...(tallyKey !== undefined && { tallyKey }),
  }
}

/** @returns the state, or why the value is none */
export function parseState(value: unknown): State | string {
  if (!isRecord(value)) return 'a state is not an object'
  const { saidAt, links, left, twins } = value
  if (!isCount(saidAt)) return 'a state has no valid time'
  if (!isListOf(links, MEMBER_LIMITS.maxLinks, isSource)) return 'a state has bad links'
  if (twins !== undefined && !isListOf(twins, MEMBER_LIMITS.maxTwins, isTwin)) {
    return 'a state has bad twins'
  }
  if (left !== undefined && left !== true) return 'a state has left in no order'
  return {
    saidAt,
    links,
    ...(left !== undefined && { left }),
    ...(twins !== undefined && { twins }),
  }
}

/** @returns the vitals, of which nothing else is known, or why the value is none */
export function parseVitals(value: unknown): Vitals | string {
  return isRecord(value) ? value : 'vitals are not an object'
}

function isListOf<T>(value: unknown, max: number, is: (item: unknown) => item is T): value is T[] {
  return Array.isArray(value) && value.length <= max && value.every(is)
}

function isTwin(value: unknown): value is Twin {
  if (!isRecord(value)) return false
  const { name, kept, refused } = value
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

/** A version of texts: 1 or more. */
function isVersion(value: unknown): value is number {
  return isCount(value) && value > 0
}
