import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../../node/lib/clock.ts'

interface Timer {
  readonly dueAt: number
  /** Timers of one moment run as they were set. */
  readonly order: number
  task: (() => void) | undefined
}

/** Turns of the event loop without anything new after which the simulated code is at rest. */
const QUIET_TURNS = 2

/**
 * The time of a simulation of many nodes: a heap of timers, in whole milliseconds. Time moves from
 * one moment at which something happens to the next, when all that runs has come to rest.
 */
export class SimulatedTime {
  readonly #heap: Timer[] = []
  #order = 0
  #now = 0
  #activity = 0

  /** Milliseconds since the start of the simulation. */
  get now(): number {
    return this.#now
  }

  /** Something has happened: what follows from it is waited for before time moves on. */
  touch(): void {
    this.#activity += 1
  }

  after(ms: number, task: () => void): Disposable {
    const dueAt = Math.ceil(this.#now + Math.max(ms, 0))
    const timer: Timer = { dueAt, order: (this.#order += 1), task }
    this.#push(timer)
    return {
      [Symbol.dispose]: () => {
        timer.task = undefined
      },
    }
  }

  /** Let `ms` pass. */
  async pass(ms: number): Promise<void> {
    const until = this.#now + ms
    await this.settle()
    for (let next = this.#heap[0]; next !== undefined; next = this.#heap[0]) {
      if (next.dueAt > until) break
      this.#now = Math.max(this.#now, next.dueAt)
      let isIdle = true
      while (this.#heap[0] !== undefined && this.#heap[0].dueAt <= this.#now) {
        const { task } = this.#pop()
        if (task === undefined) continue
        isIdle = false
        task()
      }
      if (!isIdle) await this.settle()
    }
    this.#now = until
  }

  /** @throws when it does not hold within `maxMs` */
  async until(
    what: string,
    holds: () => boolean,
    { stepMs = 1, maxMs = 120_000 } = {},
  ): Promise<void> {
    const from = this.#now
    while (!holds()) {
      if (this.#now - from > maxMs) throw new Error(`in ${maxMs} ms it did not happen that ${what}`)
      await this.pass(stepMs)
    }
  }

  /** Let all that is under way come to rest, without moving time. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet += 1) {
      const before = this.#activity
      await nextTurn()
      if (this.#activity !== before) quiet = -1
    }
  }

  #push(timer: Timer): void {
    const heap = this.#heap
    let at = heap.push(timer) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]
      if (above === undefined || !isBefore(timer, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = timer
  }

  #pop(): Timer {
    const heap = this.#heap
    const [first] = heap
    const last = heap.pop()
    if (first === undefined || last === undefined) throw new RangeError('no timer is set')
    if (heap.length === 0) return first
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      let child = heap[left]
      if (child === undefined) break
      let index = left
      const right = heap[left + 1]
      if (right !== undefined && isBefore(right, child)) {
        child = right
        index = left + 1
      }
      if (!isBefore(child, last)) break
      heap[at] = child
      at = index
    }
    heap[at] = last
    return first
  }
}

function isBefore(one: Timer, other: Timer): boolean {
  return one.dueAt < other.dueAt || (one.dueAt === other.dueAt && one.order < other.order)
}

/** The clock of one machine, which can be frozen with all that runs on it. */
export class MachineClock implements Clock {
  readonly #time: SimulatedTime
  readonly #wallAtStart: number
  #aheadMs = 0
  #late: (() => void)[] | undefined

  /** @param wallAtStart what it shows when the simulation starts, ms since 1970 */
  constructor(time: SimulatedTime, wallAtStart: number) {
    this.#time = time
    this.#wallAtStart = wallAtStart
  }

  get isFrozen(): boolean {
    return this.#late !== undefined
  }

  now(): number {
    return this.#wallAtStart + this.#aheadMs + this.#time.now
  }

  monotonic(): number {
    return this.#time.now
  }

  after(ms: number, task: () => void): Disposable {
    let isOver = false
    const run = (): void => {
      if (!isOver) task()
    }
    const timer = this.#time.after(ms, () => {
      if (this.#late === undefined) run()
      else this.#late.push(run)
    })
    return {
      [Symbol.dispose]: () => {
        isOver = true
        timer[Symbol.dispose]()
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

  /** Set the time of day. */
  jump(ms: number): void {
    this.#aheadMs += ms
  }

  /** Set the time of day to what it is. */
  setRight(): void {
    this.#aheadMs = 0
  }

  /** Nothing runs on the machine from now on, as when its process is stopped. */
  freeze(): void {
    this.#late ??= []
  }

  /** What fell due meanwhile runs at once. */
  thaw(): void {
    const late = this.#late ?? []
    this.#late = undefined
    for (const run of late) run()
  }
}
