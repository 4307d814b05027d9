import type { Clock } from '../lib/clock.ts'

/** What is known of a socket: bytes that came so far. */
export interface Counted {
  readonly bytesRead: number
}

/** How often the connections are looked at, in milliseconds. */
const LOOK_MS = 1_000

/** Bytes a second that may come without data: records of one byte at the rate of frames take 6 KB. */
const ALLOWED_BYTES = 16_384

/** What may have come at once without data: chunks that have been read and not been decrypted yet. */
const MAX_BYTES = 131_072

interface Watched {
  readonly secured: Counted
  readonly onFlood: () => void
  /** Bytes of the network that were no data, when last looked at. */
  overhead: number
  /** How much of it was more than allowed. */
  excess: number
}

/**
 * Finds connections that send TLS records without data, such as key updates (RFC 8446, 4.6.3): each
 * costs some 10 µs, and no reader of the data ever hears of it.
 */
export class RecordWatch implements Disposable {
  readonly #clock: Clock
  readonly #watched = new Map<Counted, Watched>()
  #timer: Disposable | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * @param raw the connection itself
   * @param secured what comes out of it
   * @param onFlood called once, and then it is watched no more
   */
  watch(raw: Counted, secured: Counted, onFlood: () => void): void {
    const overhead = overheadOf(raw, secured)
    this.#watched.set(raw, { secured, onFlood, overhead, excess: 0 })
    this.#timer ??= this.#clock.after(LOOK_MS, () => this.#look())
  }

  /** Watch it no more. */
  forget(raw: Counted): void {
    this.#watched.delete(raw)
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
    this.#watched.clear()
  }

  #look(): void {
    this.#timer = undefined
    for (const [raw, watched] of this.#watched) {
      const overhead = overheadOf(raw, watched.secured)
      const more = overhead - watched.overhead - ALLOWED_BYTES
      watched.overhead = overhead
      watched.excess = Math.max(0, watched.excess + more)
      if (watched.excess <= MAX_BYTES) continue
      this.#watched.delete(raw)
      watched.onFlood()
    }
    if (this.#watched.size > 0) this.#timer = this.#clock.after(LOOK_MS, () => this.#look())
  }
}

function overheadOf(raw: Counted, secured: Counted): number {
  // A record of 16 KiB has 22 bytes more; the allowance is for shorter ones.
  return raw.bytesRead - secured.bytesRead - Math.floor(secured.bytesRead / 64)
}
