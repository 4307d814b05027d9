import { renewFrom } from '../identity/certificate-lifetime.ts'
import { isSignature } from '../identity/signature.ts'
import type { Signer } from '../identity/signers.ts'
import { parseMember, type Member } from './member.ts'

/** Longest JSON of a member, in UTF-16 units: a thousand links fit. */
const MAX_MEMBER_TEXT = 131_072

/** What an update of *members* carries: the node's own words, signed with their sequence. */
export interface MemberValue {
  /** JSON of the member. */
  readonly member: string
  readonly certificate: string
  readonly signature: string
}

/** What a node signs of its entry: an older one cannot be sent again as a newer one. */
export function signedText(sequence: number, member: string): string {
  return `${sequence}\n${member}`
}

/** @returns the member that a value carries, or why it carries none */
export function readMember(value: unknown): Member | string {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 3) {
    return 'a member is malformed'
  }
  const { member, certificate, signature } = value as Record<string, unknown>
  if (typeof member !== 'string' || member.length > MAX_MEMBER_TEXT) return 'a member is no text'
  if (typeof certificate !== 'string' || !isSignature(signature)) return 'a member is not signed'
  try {
    return parseMember(JSON.parse(member))
  } catch {
    return 'a member is not JSON'
  }
}

/** When the certificate of a node should be renewed, and when it ends. */
export function periodOf({
  identity,
}: Signer): Pick<Member, 'certificateRenewFrom' | 'certificateEndsAt'> {
  return { certificateRenewFrom: renewFrom(identity), certificateEndsAt: identity.notAfter }
}
