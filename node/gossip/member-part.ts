import type { KeyObject } from 'node:crypto'
import { renewFrom } from '../identity/certificate-lifetime.ts'
import type { Source } from '../identity/names.ts'
import { isSignature, signText } from '../identity/signature.ts'
import type { Signer } from '../identity/signers.ts'
import type { Update } from './document.ts'
import {
  MEMBER_LIMITS,
  parseProfile,
  parseState,
  parseVitals,
  type Member,
  type Profile,
  type State,
  type Vitals,
} from './member.ts'

/**
 * What a node says of itself, in three parts, each numbered and signed by itself, so that what moves
 * often does not carry along what moves seldom.
 */
export type Part = 'profile' | 'state' | 'vitals'

export const PARTS: readonly Part[] = ['profile', 'state', 'vitals']

/** One part as it was said. */
export type Words =
  | { readonly part: 'profile'; readonly profile: Profile }
  | { readonly part: 'state'; readonly state: State }
  | { readonly part: 'vitals'; readonly vitals: Vitals }

/** What an update of *members* carries: the node's own words, signed with their place. */
export interface PartValue {
  /** JSON of the part. */
  readonly member: string
  readonly certificate: string
  readonly signature: string
}

/** Longest JSON of a part, in UTF-16 units: a thousand links fit. */
const MAX_TEXT = 131_072

const SEPARATOR = '.'

/** Where a part of what a run says of itself stands: the profile in the place of the run itself. */
export function placeOfPart(run: Source, part: Part): Source {
  return part === 'profile' ? run : (`${run}${SEPARATOR}${part}` as Source)
}

/** The run whose part stands at a place, and which part. */
export function partAt(place: Source): { readonly run: Source; readonly part: Part } {
  // The name of a node may have dots, its digits have none.
  const at = place.indexOf(SEPARATOR, place.indexOf('#'))
  if (at === -1) return { run: place, part: 'profile' }
  return { run: place.slice(0, at) as Source, part: place.slice(at + 1) as Part }
}

/** What a node signs: old words cannot be sent again as newer ones, nor one part as another. */
export function signedText(place: Source, sequence: number, text: string): string {
  return `${place} ${sequence}\n${text}`
}

/** Sign a part as the update that its peers are sent. */
export function signPart(
  place: Source,
  sequence: number,
  words: Words,
  { signer, key }: { readonly signer: Signer; readonly key: KeyObject },
): Update {
  const text = JSON.stringify(saidIn(words))
  const value: PartValue = {
    member: text,
    certificate: signer.identity.fingerprint,
    signature: signText(key, 'member', signedText(place, sequence, text)),
  }
  return [value, sequence, place]
}

function saidIn(words: Words): Profile | State | Vitals {
  switch (words.part) {
    case 'profile':
      return words.profile
    case 'state':
      return words.state
    case 'vitals':
      return words.vitals
  }
}

/** @returns what an update says, not yet known to be its node's word, or why it says nothing */
export function readWords([value, , place]: Update): Words | string {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 3) {
    return 'a member is malformed'
  }
  const { member, certificate, signature } = value as Record<string, unknown>
  if (typeof member !== 'string' || member.length > MAX_TEXT) return 'a member is no text'
  if (typeof certificate !== 'string' || !isSignature(signature)) return 'a member is not signed'
  const { part } = partAt(place)
  if (part === 'vitals' && Buffer.byteLength(member) > MEMBER_LIMITS.maxVitals) {
    return 'vitals are too long'
  }
  try {
    return parseWords(part, JSON.parse(member))
  } catch {
    return 'a member is not JSON'
  }
}

function parseWords(part: Part, value: unknown): Words | string {
  switch (part) {
    case 'profile': {
      const profile = parseProfile(value)
      return typeof profile === 'string' ? profile : { part, profile }
    }
    case 'state': {
      const state = parseState(value)
      return typeof state === 'string' ? state : { part, state }
    }
    case 'vitals': {
      const vitals = parseVitals(value)
      return typeof vitals === 'string' ? vitals : { part, vitals }
    }
  }
}

/** When the certificate of a node should be renewed, and when it ends. */
export function periodOf({
  identity,
}: Signer): Pick<Member, 'certificateRenewFrom' | 'certificateEndsAt'> {
  return { certificateRenewFrom: renewFrom(identity), certificateEndsAt: identity.notAfter }
}
