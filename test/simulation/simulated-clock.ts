import type { Clock } from '../../node/lib/clock.ts'
import type { Scheduler } from './scheduler.ts'

/** The clock of one machine: right about durations, wrong about the time of day. */
export class SimulatedClock implements Clock {
  readonly #scheduler: Scheduler
  #wallAtStart: number

  /** @param wallAtStart what it shows when the simulation starts, ms since 1970 */
  constructor(scheduler: Scheduler, wallAtStart: number) {
    this.#scheduler = scheduler
    this.#wallAtStart = wallAtStart
  }

  now(): number {
    return this.#wallAtStart + this.#scheduler.now
  }

  monotonic(): number {
    return this.#scheduler.now
  }

  after(ms: number, task: () => void): Disposable {
    return this.#scheduler.after(ms, task)
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    using _timer = this.#scheduler.after(ms, resolve)
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    await promise
  }

  /** Move the time of day, as an administrator does. */
  jump(ms: number): void {
    this.#wallAtStart += ms
  }
}
