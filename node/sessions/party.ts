import type { Identity } from '../identity/identity.ts'
import type { KeyId, Subject } from '../identity/names.ts'

/** The holder of a key that only the list vouches for: a browser. */
export interface BrowserParty {
  readonly role: 'client'
  readonly subject: Subject
  readonly keyId: KeyId
}

/** Where a page comes from. A browser says it; a program may say whatever it likes. */
export interface OriginParty {
  readonly role: 'origin'
  readonly subject: Subject
  /** Whether it is the page of this very node, which is let in unless it was removed. */
  readonly isOwn: boolean
}

/** Whom admission decides about. */
export type Party = Identity | BrowserParty | OriginParty

/** Whether an authority vouches for a party. */
export function isCertified(party: Party): party is Identity {
  return 'fingerprint' in party
}
