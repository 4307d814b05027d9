import { systemClock, type Clock } from '../../node/lib/clock.ts'

interface Timer {
  readonly dueAt: number
  readonly task: () => void
  armed: Disposable
}

/** How long a log gathers what would be written too often, in milliseconds. */
const GATHERED_MS = 10_000

/**
 * The real time, of which a test can skip a part: for code that talks over real sockets, where a
 * clock that stands still would stop the conversation as well.
 */
export class SkipClock implements Clock {
  #skipped = 0
  #jumped = 0
  readonly #timers = new Set<Timer>()

  now(): number {
    return systemClock.now() + this.#skipped + this.#jumped
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#skipped
  }

  after(ms: number, task: () => void): Disposable {
    const dueAt = this.monotonic() + ms
    const timer: Timer = { dueAt, task, armed: this.#arm(ms, () => run()) }
    const run = (): void => {
      this.#timers.delete(timer)
      task()
    }
    this.#timers.add(timer)
    return {
      [Symbol.dispose]: () => {
        this.#timers.delete(timer)
        timer.armed[Symbol.dispose]()
      },
    }
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    using _timer = this.after(ms, resolve)
    const abort = (): void => reject(signal?.reason as Error)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      await promise
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  /** Let `ms` have passed. What falls due meanwhile runs soon, in order, each once. */
  skip(ms: number): void {
    this.#skipped += ms
    for (const timer of [...this.#timers].sort((a, b) => a.dueAt - b.dueAt)) {
      timer.armed[Symbol.dispose]()
      timer.armed = this.#arm(timer.dueAt - this.monotonic(), () => {
        this.#timers.delete(timer)
        timer.task()
      })
    }
  }

  /** Let the log be written at once again. The wall clock stays what it is for everyone else. */
  skipGathering(): void {
    this.skip(GATHERED_MS)
    this.jump(-GATHERED_MS)
  }

  /** Move the wall clock alone, as an administrator or NTP does: no timer notices. */
  jump(ms: number): void {
    this.#jumped += ms
  }

  #arm(ms: number, run: () => void): Disposable {
    return systemClock.after(Math.max(ms, 0), run)
  }
}
