import { elapsedMs, LOOK_MS, type Moment } from '../lib/lookout.ts'

/** A look that comes so much later than the one before was kept from coming, in milliseconds. */
const LATE_MS = 2 * LOOK_MS

/** How many bytes have been heard of each peer in step, by its link. */
export type Heard = Iterable<readonly [link: object, bytes: number]>

/**
 * When a peer in step was last heard, found by looking now and then at how many bytes have come.
 * A pure function of its looks. What is read behind a late look may have waited in the socket since
 * the look before, so it says no more than that a peer lived then.
 */
export class Contact {
  #lookedAt: Moment
  #heardAt: Moment
  #bytes: ReadonlyMap<object, number> = new Map()
  /** What comes may be as old as `from`, until all that waited has been read. */
  #doubt: { readonly from: Moment; readonly until: Moment } | undefined

  /** @param now the time alone is counted from here */
  constructor(now: Moment) {
    this.#lookedAt = now
    this.#heardAt = now
  }

  /** Look at what was heard. @returns how long after the look before, in milliseconds */
  look(now: Moment, heard: Heard): number {
    const sinceMs = elapsedMs(this.#lookedAt, now)
    if (sinceMs >= LATE_MS) {
      this.#doubt = { from: this.#doubt?.from ?? this.#lookedAt, until: now }
    }
    const bytes = new Map<object, number>()
    let isHeard = false
    for (const [link, count] of heard) {
      isHeard ||= count > (this.#bytes.get(link) ?? -1)
      bytes.set(link, count)
    }
    this.#bytes = bytes
    if (isHeard) this.#credit(this.#doubt?.from ?? now)
    if (this.#doubt !== undefined && elapsedMs(this.#doubt.until, now) >= LOOK_MS) {
      this.#doubt = undefined
    }
    this.#lookedAt = now
    return sinceMs
  }

  /** Count from here on: before, there was nobody to be heard. */
  begin(now: Moment): void {
    this.#heardAt = now
  }

  /** For how long no peer in step has been heard, in milliseconds. */
  aloneMs(now: Moment): number {
    return elapsedMs(this.#heardAt, now)
  }

  #credit(moment: Moment): void {
    if (moment.monotonic >= this.#heardAt.monotonic) this.#heardAt = moment
  }
}
