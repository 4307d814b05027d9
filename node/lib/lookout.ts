import { untilNextRound, type Clock } from './clock.ts'
import { subscribeTo } from './listeners.ts'

/** How often a lookout looks, in milliseconds. */
export const LOOK_MS = 500

/**
 * Looks at something every so often, and at once when a look is overdue: a process that was
 * stopped, or a machine that slept, does other things that fell due before its timers run.
 */
export class Lookout implements Disposable {
  readonly #clock: Clock
  readonly #looks = new Set<() => void>()
  #timer: Disposable
  #lookedAt: Moment

  constructor(clock: Clock) {
    this.#clock = clock
    this.#lookedAt = momentOf(clock)
    this.#timer = this.#lookLater()
  }

  /** Call `look` at each look. */
  subscribe(look: () => void): Disposable {
    return subscribeTo(this.#looks, look)
  }

  /** Look now if a look is overdue: to be called before what must not happen on an old view. */
  check(): void {
    if (elapsedMs(this.#lookedAt, momentOf(this.#clock)) >= 2 * LOOK_MS) this.#look()
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]()
    this.#looks.clear()
  }

  #look(): void {
    this.#timer[Symbol.dispose]()
    this.#lookedAt = momentOf(this.#clock)
    this.#timer = this.#lookLater()
    for (const look of this.#looks) look()
  }

  #lookLater(): Disposable {
    return this.#clock.after(untilNextRound(this.#clock, LOOK_MS), () => this.#look())
  }
}

/** A moment by both clocks: the monotonic one stands still while the machine sleeps. */
export interface Moment {
  readonly monotonic: number
  readonly wall: number
}

export function momentOf(clock: Pick<Clock, 'now' | 'monotonic'>): Moment {
  return { monotonic: clock.monotonic(), wall: clock.now() }
}

/**
 * How long it was between two moments, in milliseconds, by whichever clock says more: a wall clock
 * that is set forward cannot be told from a machine that slept.
 */
export function elapsedMs(from: Moment, to: Moment): number {
  return Math.max(to.monotonic - from.monotonic, to.wall - from.wall)
}
