import type { Random } from '../../lib/clock.ts'

/**
 * A stream of numbers that a seed decides: same seed, same stream, on every machine. For
 * simulation and tests; anyone can foretell it, so never for keys or names.
 *
 * Mulberry32 (Tommy Ettinger, 2017): 32 bits of state, period 2^32.
 * @param seed any safe integer
 * @throws RangeError for other seeds
 */
export function seededRandom(seed: number): Random {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`a seed is a safe integer, not ${seed}`)
  // The high bits first, scrambled: seeds beyond 32 bits, and negative ones, must not fall on the
  // streams of small ones.
  let state = Math.floor(seed / 2 ** 32) | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  state = next() ^ seed
  return () => next() / 2 ** 32
}
