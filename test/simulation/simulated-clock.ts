import type { Clock } from '../../node/lib/clock.ts'
import type { Scheduler } from './scheduler.ts'

/**
 * The clock of one machine: right about durations, wrong about the time of day. While the machine
 * sleeps it stands still, and what falls due waits for the machine to wake.
 */
export class SimulatedClock implements Clock {
  readonly #scheduler: Scheduler
  #wallAtStart: number
  #sleptMs = 0
  #asleepSince: number | undefined
  /** What waits for the machine to wake, in its order. */
  readonly #waiting = new Set<() => void>()

  /** @param wallAtStart what it shows when the simulation starts, ms since 1970 */
  constructor(scheduler: Scheduler, wallAtStart: number) {
    this.#scheduler = scheduler
    this.#wallAtStart = wallAtStart
  }

  now(): number {
    return this.#wallAtStart + this.monotonic()
  }

  monotonic(): number {
    return (this.#asleepSince ?? this.#scheduler.now) - this.#sleptMs
  }

  after(ms: number, task: () => void): Disposable {
    let waiting: Disposable | undefined
    const timer = this.#scheduler.after(ms, () => {
      waiting = this.whenAwake(task)
    })
    return {
      [Symbol.dispose]: () => {
        timer[Symbol.dispose]()
        waiting?.[Symbol.dispose]()
      },
    }
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    using _timer = this.after(ms, resolve)
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    await promise
  }

  /** Move the time of day, as an administrator does. */
  jump(ms: number): void {
    this.#wallAtStart += ms
  }

  get isAsleep(): boolean {
    return this.#asleepSince !== undefined
  }

  /** The machine falls asleep, with all that runs on it. */
  suspend(): void {
    this.#asleepSince ??= this.#scheduler.now
  }

  /** It wakes, and does what has fallen due meanwhile. */
  wake(): void {
    if (this.#asleepSince === undefined) return
    this.#sleptMs += this.#scheduler.now - this.#asleepSince
    this.#asleepSince = undefined
    const due = [...this.#waiting]
    this.#waiting.clear()
    for (const task of due) task()
  }

  /** Do something now, or when the machine wakes. */
  whenAwake(task: () => void): Disposable {
    if (!this.isAsleep) {
      task()
      return { [Symbol.dispose]: () => {} }
    }
    const waiting = (): void => task()
    this.#waiting.add(waiting)
    return { [Symbol.dispose]: () => this.#waiting.delete(waiting) }
  }
}
