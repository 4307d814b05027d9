import type { RefusalReason } from './admission.ts'
import type { Role } from '../identity/names.ts'
import type { Change } from '../whitelist/change.ts'

/** Why a peer that connected was not let in. A closed set, because each is a series of its own. */
export type NotAdmitted =
  | RefusalReason
  | 'too many connections'
  | 'unknown signer'
  | 'no ALPN'
  | 'another trust domain'
  | 'names nobody'
  | 'has equivocated'

/** Why a page was not let in. */
export type PageNotAdmitted = RefusalReason | 'no origin' | 'too many pages'

/** Why a live connection of a client or an operator was ended here. */
export type Cut = RefusalReason | 'broke the protocol' | 'too slow' | 'dead'

/** What became of a connection that asked for a handshake. */
export type HandshakeOutcome =
  | 'full'
  | 'resumed'
  /** No certificate that verifies, no TLS at all, or out of time. */
  | 'failed'
  /** Past `tls.handshakesPerSecond` of its address. */
  | 'limited'
  /** Past `tls.handshakesPerSecondTotal`. */
  | 'limited in all'
  /** Past `limits.maxConnections`. */
  | 'dropped'

/** Why a link between nodes ended: the words of PROTOCOL.md, "Farewell", and what has none. */
const LINK_ENDS = [
  'asleep',
  'busy',
  'certificate expired',
  'closed',
  'dead',
  'duplicate',
  'leaving',
  'lost',
  'name in use',
  'not trusted',
  'refused',
  'replaced',
  'revoked',
  'self',
  'too slow',
  'other',
] as const

export type LinkEndReason = (typeof LINK_ENDS)[number]

/** A reason for the end of a link, as the other end may have said it: any text. */
export function linkEndReason(said: string): LinkEndReason {
  return LINK_ENDS.find(reason => reason === said) ?? 'other'
}

/**
 * What a node has counted since it started: plain numbers, so that counting costs an addition. They
 * only grow; `metrics.ts` reads them.
 */
export class Counts {
  readonly handshakes = noHandshakes()
  /** Of the port for browsers: its handshakes, and what became of pages that asked to join. */
  readonly web = {
    handshakes: noHandshakes(),
    accepted: { own: 0, listed: 0 },
    refused: {
      ...noRefusals(),
      'no origin': 0,
      'too many pages': 0,
    } satisfies Record<PageNotAdmitted, number>,
  }
  /** Of the port where clients get certificates. */
  readonly enrolment = { handshakes: noHandshakes() }
  readonly accepted: Record<Role, number> = { client: 0, operator: 0, node: 0 }
  readonly refused: Record<NotAdmitted, number> = {
    ...noRefusals(),
    'too many connections': 0,
    'unknown signer': 0,
    'no ALPN': 0,
    'another trust domain': 0,
    'names nobody': 0,
    'has equivocated': 0,
  }
  readonly cut: Record<Cut, number> = {
    ...noRefusals(),
    'broke the protocol': 0,
    'too slow': 0,
    dead: 0,
  }
  /** How often a client was read more slowly, past `limits.maxFramesPerSecond`. */
  throttled = 0
  readonly linksEnded = Object.fromEntries(LINK_ENDS.map(reason => [reason, 0])) as Record<
    LinkEndReason,
    number
  >
  readonly applied: Record<Change['kind'], number> = {
    grant: 0,
    revocation: 0,
    checkpoint: 0,
  }
  /** When a peer and this node last held all that the other held, milliseconds since 1970. */
  lastSyncAt: number | undefined
}

function noHandshakes(): Record<HandshakeOutcome, number> {
  return { full: 0, resumed: 0, failed: 0, limited: 0, 'limited in all': 0, dropped: 0 }
}

function noRefusals(): Record<RefusalReason, number> {
  return {
    revoked: 0,
    'not on the whitelist': 0,
    expired: 0,
    'wrong key': 0,
    'certificate expired': 0,
    'not trusted': 0,
    isolated: 0,
    'node removed': 0,
    'not ready': 0,
  }
}
