import { isIPv6 } from 'node:net'
import type { Clock } from './clock.ts'
import { TokenBuckets } from './token-buckets.ts'

export interface RateLimitOptions {
  /** Attempts a second that one address may make, in the long run. */
  readonly perSecond: number
  /** How many it may make at once. */
  readonly burst: number
  readonly clock: Clock
}

/** Addresses that are remembered at once; the memory of a scan from everywhere stays bounded. */
const MAX_ADDRESSES = 10_000

/**
 * A token bucket for each address, of IPv6 for each /64: for what costs the node more than the
 * address that asks for it, as a handshake costs a signature.
 */
export class RateLimit {
  readonly #buckets: TokenBuckets<string>

  constructor(options: RateLimitOptions) {
    this.#buckets = new TokenBuckets({ ...options, max: MAX_ADDRESSES })
  }

  /** Whether an address may make one more attempt now. */
  allows(remoteAddress: string): boolean {
    return this.#buckets.take(networkOf(remoteAddress))
  }
}

/** A whole /64 of IPv6 counts as one address: it belongs to one site (RFC 6177). */
export function networkOf(address: string): string {
  if (!isIPv6(address) || address.includes('.')) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const behind = tail === '' ? 0 : tail.split(':').length
    groups.push(...Array<string>(8 - groups.length - behind).fill('0'))
  }
  return groups.concat('0').slice(0, 4).join(':')
}
