/** What one peer may ask for at once, in seconds of its rate. */
const BURST_S = 4

/** The longest that a peer is made to wait at once, in milliseconds: shorter than any silence that counts as death. */
const MAX_WAIT_MS = 1_000

/**
 * A token bucket of what a peer sends: a frame is one, and each KiB one more. A peer that overdraws
 * it is not read for a moment, so that valid frames at the speed of the line cannot use up the node.
 */
export class InputLimit {
  readonly #perSecond: number
  #tokens: number
  #at: number

  /** @param now milliseconds of a clock that never goes back */
  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond
    this.#tokens = BURST_S * perSecond
    this.#at = now
  }

  /**
   * Take what was just read. @returns how long to read no more, in milliseconds: 0 to 1,000. What
   * is overdrawn beyond that is forgiven: one line may be longer than the bucket is deep.
   */
  take(frames: number, bytes: number, now: number): number {
    const gained = ((now - this.#at) / 1_000) * this.#perSecond
    this.#at = now
    this.#tokens = Math.min(this.#tokens + gained, BURST_S * this.#perSecond)
    this.#tokens -= frames + bytes / 1_024
    const waitMs = Math.max(0, -this.#tokens / this.#perSecond) * 1_000
    if (waitMs <= MAX_WAIT_MS) return waitMs
    this.#tokens = -this.#perSecond * (MAX_WAIT_MS / 1_000)
    return MAX_WAIT_MS
  }
}
