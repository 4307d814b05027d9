import type { NodeConfig } from '../config/config.ts'
import type { Clock } from '../lib/clock.ts'
import { keepNewest } from '../lib/keep-newest.ts'
import { networkOf, RateLimit } from '../lib/rate-limit.ts'

export interface HandshakeLimitOptions {
  readonly tls: Pick<
    NodeConfig['tls'],
    'handshakesPerSecond' | 'handshakeBurst' | 'handshakesPerSecondTotal' | 'handshakeBurstTotal'
  >
  readonly clock: Clock
}

/** Addresses that are remembered to have shown a certificate of the cluster. */
const MAX_KNOWN = 10_000

/**
 * How fast handshakes may begin, of each address and of all together. Addresses from which a
 * certificate of the cluster has been shown share a limit of their own: whoever floods the port
 * from everywhere without one takes nothing from the clients that come back, with a ticket or
 * without. Whether a ticket is any good shows only in the handshake that it would save.
 */
export class HandshakeLimit {
  readonly #ofAddress: RateLimit
  readonly #ofAll: RateLimit
  readonly #known = new Map<string, true>()

  constructor({ tls, clock }: HandshakeLimitOptions) {
    this.#ofAddress = new RateLimit({
      perSecond: tls.handshakesPerSecond,
      burst: tls.handshakeBurst,
      clock,
    })
    this.#ofAll = new RateLimit({
      perSecond: tls.handshakesPerSecondTotal,
      burst: tls.handshakeBurstTotal,
      clock,
    })
  }

  /** @returns whose limit keeps an address from beginning a handshake now, if one does */
  begin(address: string): 'limited' | 'limited in all' | undefined {
    if (!this.#ofAddress.allows(address)) return 'limited'
    const kind = this.#known.has(networkOf(address)) ? 'known' : 'new'
    return this.#ofAll.allows(kind) ? undefined : 'limited in all'
  }

  /** A handshake of an address has ended with a certificate of the cluster. */
  succeeded(address: string): void {
    keepNewest(this.#known, networkOf(address), true, MAX_KNOWN)
  }
}
