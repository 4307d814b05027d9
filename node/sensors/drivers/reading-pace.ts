import type { Readable } from 'node:stream'

import type { Clock } from '../../lib/clock.ts'

/**
 * How much of a sender is read at once, and how much a second after that, bytes. One that says more
 * waits: it would only keep the node from everything else.
 */
const READING_PACE = { atOnce: 262_144, perSecond: 65_536 }

/** Pauses a stream that gives more than `READING_PACE`. */
export class ReadingPace implements Disposable {
  readonly #stream: Readable
  readonly #clock: Clock
  #left = READING_PACE.atOnce
  #leftAt: number
  #pause: Disposable | undefined

  constructor(stream: Readable, clock: Clock) {
    this.#stream = stream
    this.#clock = clock
    this.#leftAt = clock.monotonic()
  }

  /** Count what was read. */
  take(bytes: number): void {
    const { atOnce, perSecond } = READING_PACE
    const now = this.#clock.monotonic()
    const gained = ((now - this.#leftAt) / 1_000) * perSecond
    this.#left = Math.min(atOnce, this.#left + gained) - bytes
    this.#leftAt = now
    if (this.#left >= 0) return
    this.#stream.pause()
    this.#pause?.[Symbol.dispose]()
    const pauseMs = (-this.#left / perSecond) * 1_000
    this.#pause = this.#clock.after(pauseMs, () => this.#stream.resume())
  }

  [Symbol.dispose](): void {
    this.#pause?.[Symbol.dispose]()
  }
}
