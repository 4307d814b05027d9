import type { Duplex } from 'node:stream'
import type { Identity } from '../identity/identity.ts'
import type { Name } from '../identity/names.ts'
import type { Clock, Random } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Documents, Holder, LinkEnd, LinkTimes } from './link.ts'
import type { RememberedPeer } from './remembered-peers.ts'
import type { Removals } from './removals.ts'

/** A connected byte stream, and the identity in the certificate that the peer showed. */
export interface Dialed {
  readonly socket: Duplex
  readonly peer: Identity
  /** What of its own certificate this end showed. */
  readonly own: Holder
  /** Where a connection came from that the peer made, for people. */
  readonly from?: string | undefined
}

export interface OverlayOptions {
  readonly self: Name
  readonly documents: Documents
  /** Addresses that are dialed for ever, `HOST:PORT`. */
  readonly seeds: readonly string[]
  /** Where nodes could be reached before this run. Default none. */
  readonly remembered?: readonly RememberedPeer[]
  /**
   * The addresses that a name stands for, all of them; an address stands for itself. Default: none
   * is a name. @throws when it is not known
   */
  readonly resolve?: (address: string) => Promise<readonly string[]>
  /** Reach another node. @throws when it cannot be reached or is none */
  readonly dial: (address: string, signal: AbortSignal) => Promise<Dialed>
  /** Whether a node may gossip: not if its name was revoked. */
  readonly admits: (peer: Identity) => boolean
  /** Which nodes were removed, and what proves it to them. Default: none was. */
  readonly removals?: Removals
  /** A peer has shown to this node that it is out, and hung up. */
  readonly onProof?: (proof: unknown, peer: Name) => void
  /** A link has ended after the hello of its peer, or because its peer broke the protocol. */
  readonly onLinkEnded?: (end: LinkEnd) => void
  readonly times: LinkTimes & { readonly redialMinMs: number; readonly redialMaxMs: number }
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}
