import type { Clock } from './clock.ts'
import { keepNewest } from './keep-newest.ts'

export interface TokenBucketsOptions {
  /** Tokens that a key gains a second. */
  readonly perSecond: number
  /** How many it has at most, and at first. */
  readonly burst: number
  /** Keys that are remembered at once: the one that was not used for longest is forgotten. */
  readonly max: number
  readonly clock: Pick<Clock, 'monotonic'>
}

/** A token bucket for each key: how often who is named by it may do something. */
export class TokenBuckets<K> {
  readonly #options: TokenBucketsOptions
  readonly #buckets = new Map<K, { tokens: number; at: number }>()

  constructor(options: TokenBucketsOptions) {
    this.#options = options
  }

  /** Take a token of a key. @returns whether it had one */
  take(key: K): boolean {
    const { perSecond, burst, max, clock } = this.#options
    const now = clock.monotonic()
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now }
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1_000) * perSecond)
    bucket.at = now
    keepNewest(this.#buckets, key, bucket, max)
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }
}
