import type { RefusalReason, Rights } from './admission.ts'
import type { Identity } from '../identity/identity.ts'

/** One live connection of an admitted client or operator. */
export interface Session {
  readonly identity: Identity
  /** End it and, where its protocol has a place for it, say why. Nothing is sent after that. */
  cut(reason: RefusalReason): void
  /** Apply changed rights without ending what is still allowed. */
  narrow(rights: Rights): void
  /** End it because the node stops. */
  leave(): void
}

/** A sentence for people on each reason (PROTOCOL.md, "Farewell"). */
export function explain(reason: RefusalReason, { subject }: Identity): string {
  switch (reason) {
    case 'revoked':
      return `${subject} has been removed from the whitelist`
    case 'not on the whitelist':
      return `${subject} is not on the whitelist`
    case 'expired':
      return `the grant of ${subject} has expired`
    case 'wrong key':
      return `the grant of ${subject} is for another key`
    case 'certificate expired':
      return `the certificate of ${subject} has expired`
    case 'not trusted':
      return `the authority that signed the certificate of ${subject} is not trusted any more`
    case 'isolated':
      return 'the node has lost its peers and admits nobody meanwhile'
    case 'node removed':
      return 'the node was removed from the cluster: connect to another one'
    case 'not ready':
      return 'the node cannot follow the list at present and admits nobody further meanwhile'
  }
}
