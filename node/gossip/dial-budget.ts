import type { Clock } from '../lib/clock.ts'

/** Dials that a node may make at once. */
const BURST = 8

/** Dials that it may make in the long run, a second. */
const PER_SECOND = 2

/** What sums of fractions may be wrong by. */
const ROUNDING = 1e-6

/**
 * How long a dial may take, in milliseconds, doubled with each failure: where packets are swallowed
 * no answer tells that nobody is there.
 */
const CONNECT_MS = { first: 2_000, longest: 10_000 }

/**
 * How many dials a node makes, whatever is down: of a large cluster of which half is out of reach
 * each address alone is dialed seldom, and all of them together were a storm.
 */
export class DialBudget {
  #tokens = BURST
  #at: number

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: number) {
    this.#at = now
  }

  /** Whether one more may be made now. */
  take(now: number): boolean {
    this.#gain(now)
    if (this.#tokens < 1 - ROUNDING) return false
    this.#tokens -= 1
    return true
  }

  /** How long until one more may be made, in whole milliseconds. */
  waitMs(now: number): number {
    this.#gain(now)
    return Math.ceil(Math.max(0, (1 - this.#tokens) / PER_SECOND) * 1_000)
  }

  #gain(now: number): void {
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#at) / 1_000) * PER_SECOND)
    this.#at = now
  }
}

/** What it takes to reach an address. */
export interface PatientDialOptions<T> {
  readonly dial: (address: string, signal: AbortSignal) => Promise<T>
  readonly clock: Clock
  /** Aborts when the node stops. */
  readonly stop: AbortSignal
}

/** Reach an address, more patiently each time that it did not answer. @throws as `dial` does */
export async function dialPatiently<T>(
  address: string,
  failures: number,
  { dial, clock, stop }: PatientDialOptions<T>,
): Promise<T> {
  const patience = new AbortController()
  const ms = Math.min(CONNECT_MS.first * 2 ** Math.min(failures, 8), CONNECT_MS.longest)
  using _deadline = clock.after(ms, () =>
    patience.abort(new DOMException('The dial took too long', 'TimeoutError')),
  )
  return await dial(address, AbortSignal.any([stop, patience.signal]))
}
