import type { Random } from './clock.ts'

/** How long to wait before the next attempt. */
export interface Backoff {
  /** The longest wait after the first failure, ms; doubled for each failure that follows. */
  readonly firstMs: number
  /** The longest wait of all, ms. */
  readonly maxMs: number
  /**
   * The shortest wait, ms. Default half of the longest one after as many failures. A small fixed one
   * spreads attempts widest, where many begin at the same moment and cost each other.
   */
  readonly leastMs?: number
}

/**
 * The wait after `failures` failures in a row (1, 2, 3…), ms: at random between `leastMs` and
 * min(firstMs × 2^(failures − 1), maxMs). The jitter keeps sensors, peers and clients that
 * failed together from coming back together.
 */
export function backoffMs(
  failures: number,
  { firstMs, maxMs, leastMs }: Backoff,
  random: Random,
): number {
  // 2^31 times any wait worth having is beyond maxMs, and no power may become Infinity.
  const longest = Math.min(firstMs * 2 ** Math.min(failures - 1, 31), maxMs)
  const least = leastMs ?? longest / 2
  return least + random() * (longest - least)
}
