import { isIPv6 } from 'node:net'
import type { Clock } from './clock.ts'

export interface HandshakeLimitOptions {
  /** Handshakes a second that one address may start, in the long run. */
  readonly perSecond: number
  /** How many it may start at once. */
  readonly burst: number
  readonly clock: Clock
}

/** Addresses that are remembered at once; the memory of a scan from everywhere stays bounded. */
const MAX_ADDRESSES = 10_000

/** A token bucket for each address: a handshake costs a signature, so it must not be free to ask for. */
export class HandshakeLimit {
  readonly #options: HandshakeLimitOptions
  readonly #buckets = new Map<string, { tokens: number; at: number }>()

  constructor(options: HandshakeLimitOptions) {
    this.#options = options
  }

  /** Whether one more handshake may start from an address now. */
  allows(remoteAddress: string): boolean {
    const address = networkOf(remoteAddress)
    const { perSecond, burst, clock } = this.#options
    const now = clock.monotonic()
    const bucket = this.#buckets.get(address) ?? { tokens: burst, at: now }
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1_000) * perSecond)
    bucket.at = now
    // Behind all others again: the first in the map is the one not heard of for longest.
    this.#buckets.delete(address)
    this.#buckets.set(address, bucket)
    if (this.#buckets.size > MAX_ADDRESSES) {
      const [oldest] = this.#buckets.keys()
      if (oldest !== undefined) this.#buckets.delete(oldest)
    }
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }
}

/** A whole /64 of IPv6 is one address: who has one of them has them all (RFC 6177). */
function networkOf(address: string): string {
  if (!isIPv6(address) || address.includes('.')) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const behind = tail === '' ? 0 : tail.split(':').length
    groups.push(...Array<string>(8 - groups.length - behind).fill('0'))
  }
  return groups.concat('0').slice(0, 4).join(':')
}
