import type { Random } from './clock.ts'

/** How long to wait before the next attempt. */
export interface Backoff {
  /** The longest wait before the second attempt, ms; doubled for each one that follows. */
  readonly firstMs: number
  /** The longest wait of all, ms. */
  readonly maxMs: number
}

/**
 * The wait after `failures` failures in a row (1, 2, 3…), ms: between half and the whole of
 * min(firstMs × 2^(failures − 1), maxMs). The jitter keeps many sensors that failed together from
 * coming back together.
 */
export function backoffMs(failures: number, { firstMs, maxMs }: Backoff, random: Random): number {
  // 2^31 times any wait worth having is beyond maxMs, and no power may become Infinity.
  const longest = Math.min(firstMs * 2 ** Math.min(failures - 1, 31), maxMs)
  return longest * (0.5 + random() / 2)
}

/** The wait before dial number `failures` + 1, in milliseconds: doubled each time, full jitter. */
export function redialDelay(
  failures: number,
  { minMs, maxMs }: { minMs: number; maxMs: number },
  random: Random,
): number {
  const ceiling = Math.min(maxMs, minMs * 2 ** Math.min(failures, 30))
  return minMs / 2 + random() * (ceiling - minMs / 2)
}
