import type { RefusalReason, Rights } from './admission.ts'
import type { OriginParty, Party } from './party.ts'

/** One live connection of an admitted client, operator or page. */
export interface Session {
  /** Who is there; of a page where nobody has signed in, its origin. */
  readonly identity: Party
  /** The origin of its page: it counts under that as well, and the rights of both are intersected. */
  readonly origin?: OriginParty
  /**
   * End it and, where its protocol has a place for it, say why. Nothing is sent after that.
   * @param party whose admission has ended
   */
  cut(reason: RefusalReason, party: Party): void
  /** Apply changed rights without ending what is still allowed. */
  narrow(rights: Rights): void
  /** End it because the node stops. */
  leave(): void
}

/** A sentence for people on each reason (PROTOCOL.md, "Farewell"). */
export function explain(reason: RefusalReason, { subject }: Pick<Party, 'subject'>): string {
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
