import type { Clock } from '../../node/lib/clock.ts'

interface Timer {
  dueAt: number
  task: () => void
}

/**
 * A clock that a test moves by hand. Time stands still between calls of `advance`, so a test needs
 * no sleeping and the same calls give the same run.
 *
 * The wall clock starts at 2026-01-01T00:00:00Z and the monotonic one elsewhere, so that code which
 * mixes the two up fails at once.
 */
export class FakeClock implements Clock {
  #wall: number
  #monotonic = 5_000
  /** In the order in which they run: by `dueAt`, those of one moment as they were set. */
  readonly #timers: Timer[] = []

  /** @param now the wall clock to start from, ms since 1970-01-01T00:00:00Z */
  constructor(now: number = Date.UTC(2026, 0, 1)) {
    this.#wall = now
  }

  now(): number {
    return this.#wall
  }

  monotonic(): number {
    return this.#monotonic
  }

  after(ms: number, task: () => void): Disposable {
    if (Number.isNaN(ms)) throw new RangeError('a delay must be a number of milliseconds')
    const timer: Timer = { dueAt: this.#monotonic + Math.max(ms, 0), task }
    const next = this.#timers.findIndex(other => other.dueAt > timer.dueAt)
    this.#timers.splice(next === -1 ? this.#timers.length : next, 0, timer)
    return {
      [Symbol.dispose]: () => {
        const index = this.#timers.indexOf(timer)
        if (index !== -1) this.#timers.splice(index, 1)
      },
    }
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = this.after(ms, resolve)
    const abort = (): void => {
      timer[Symbol.dispose]()
      reject(signal?.reason as Error)
    }
    signal?.addEventListener('abort', abort, { once: true })
    try {
      await promise
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  /** How many timers wait: a stopped component leaves none. */
  get pending(): number {
    return this.#timers.length
  }

  /**
   * Let `ms` pass. Timers that fall due run in order, each at its own moment; what they set running
   * (promises, `nextTick`, `setImmediate`) settles before the next one. `advance(0)` only settles.
   * Real I/O is not waited for.
   *
   * @throws what a task throws; time then stands at its moment
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError('time does not go back; jump() moves the wall clock')
    const until = this.#monotonic + ms
    await settle()
    for (let timer = this.#timers[0]; timer && timer.dueAt <= until; timer = this.#timers[0]) {
      this.#timers.shift()
      this.#pass(timer.dueAt - this.#monotonic)
      timer.task()
      await settle()
    }
    this.#pass(until - this.#monotonic)
  }

  /** Move the wall clock alone, by `ms`, as an administrator or NTP does. */
  jump(ms: number): void {
    this.#wall += ms
  }

  #pass(ms: number): void {
    // A task may itself have awaited advance(): then this moment has passed.
    if (ms <= 0) return
    this.#monotonic += ms
    this.#wall += ms
  }
}

/** Wait until everything that is ready to run has run: all microtasks, and one turn of the loop. */
async function settle(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve))
}
