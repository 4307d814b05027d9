import { setImmediate as nextTurn } from 'node:timers/promises'

interface Event {
  readonly dueAt: number
  readonly task: () => void | Promise<void>
}

/**
 * What happens in a simulation, in order: time moves from event to event. What falls due at the
 * same millisecond runs together, and then everything that it set going settles.
 */
export class Scheduler {
  /** By time, those of one moment as they were added. */
  readonly #events: Event[] = []
  readonly #settled: () => Promise<void>
  #now = 0

  /** @param settled resolves when the code under simulation has nothing left to do */
  constructor(settled: () => Promise<void>) {
    this.#settled = settled
  }

  /** Milliseconds since the start of the simulation. */
  get now(): number {
    return this.#now
  }

  /** How many events lie ahead. */
  get pending(): number {
    return this.#events.length
  }

  /** Run a task in `ms`. One that is asynchronous is waited for. */
  after(ms: number, task: () => void | Promise<void>): Disposable {
    const event: Event = { dueAt: this.#now + ms, task }
    const next = this.#events.findIndex(({ dueAt }) => dueAt > event.dueAt)
    this.#events.splice(next === -1 ? this.#events.length : next, 0, event)
    return {
      [Symbol.dispose]: () => {
        const index = this.#events.indexOf(event)
        if (index !== -1) this.#events.splice(index, 1)
      },
    }
  }

  /**
   * Run until nothing lies ahead.
   * @param maxEvents more than this is a simulation that does not come to rest
   * @throws what a task throws
   */
  async run(maxEvents = 100_000): Promise<void> {
    let left = maxEvents
    for (let event = this.#events[0]; event !== undefined; event = this.#events[0]) {
      this.#now = event.dueAt
      while (this.#events[0]?.dueAt === this.#now) {
        if ((left -= 1) < 0) throw new Error('the simulation does not come to rest')
        await this.#events.shift()?.task()
      }
      await this.settle()
    }
  }

  /** Let everything that is under way settle, without moving time. */
  async settle(): Promise<void> {
    await nextTurn()
    await this.#settled()
  }
}
