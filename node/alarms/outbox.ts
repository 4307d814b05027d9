import { backoffMs } from '../lib/backoff.ts'
import type { Clock, Random } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { AlarmChange } from './alarm.ts'

/** Who is told what happens to alarms, whatever becomes of the node meanwhile. */
export const RECEIVERS = ['webhook', 'program', 'broker'] as const

export type Receiver = (typeof RECEIVERS)[number]

/** What outlives a run of a node. */
export interface OutboxOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** What the run before had not told. */
  readonly unsent: readonly AlarmChange[]
  /** Resolves when `unsent` outlives a kill: a receiver must hear the end of what it was told. */
  readonly settled: () => Promise<void>
  /** Told when `unsent` has changed. */
  readonly onChange: () => void
  /** Told when `whyNot` may have changed. */
  readonly onHealth: () => void
}

/** How a receiver is told. */
export interface Delivery {
  /** As people call it: `the webhook`. */
  readonly receiver: string
  /**
   * Tell one change of an alarm; it may have been told before. Whoever is told knows repeats by the
   * id of the alarm.
   * @throws where it was not told, or the signal aborts: then it is told again
   */
  readonly deliver: (change: AlarmChange, signal: AbortSignal) => Promise<void>
  /** Why it was not told, for people. */
  readonly describe: (error: unknown) => string
  /** Why it could not be told now, as far as that is known without a try. Default unknown. */
  readonly whyNot?: () => string | undefined
  /** Told of the first failure in a row. */
  readonly onFailed: (why: string, waits: number) => void
  /** Told when it goes on behind a failure. */
  readonly onMended: () => void
}

/** What waits for a receiver; past it the oldest is lost, and said. */
const MAX_UNSENT = 1_000

const RETRY = { firstMs: 2_000, maxMs: 300_000 }

/** So often in a row one change is tried before those of other alarms: a receiver may choke on it alone. */
const TRIES = 5

/** Tells one receiver what happens to alarms, of each in order, until it has been told. */
export class Outbox implements AsyncDisposable {
  readonly #options: OutboxOptions & Delivery
  readonly #stop = new AbortController()
  readonly #stopped = Promise.withResolvers<void>()
  #unsent: AlarmChange[]
  #sending: Promise<void> | undefined
  /** Why the last try failed; undefined since one did not. */
  #failure: string | undefined

  constructor(options: OutboxOptions & Delivery) {
    this.#options = options
    this.#unsent = [...options.unsent]
    this.#start()
  }

  /** What the receiver has not been told yet, oldest first. */
  get unsent(): readonly AlarmChange[] {
    return this.#unsent
  }

  /** Why the receiver is told nothing now, for people; undefined while it is, as far as is known. */
  get whyNot(): string | undefined {
    const { receiver, whyNot } = this.#options
    const why = this.#failure ?? whyNot?.()
    return why === undefined ? undefined : `${receiver}: ${why}`
  }

  tell(change: AlarmChange): void {
    const { receiver, log, onChange } = this.#options
    this.#unsent.push(change)
    if (this.#unsent.length > MAX_UNSENT) {
      this.#unsent.shift()
      log.error({}, `${MAX_UNSENT} changes of alarms wait for ${receiver}: one is lost`)
    }
    onChange()
    this.#start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#stopped.resolve()
    await this.#sending
  }

  #start(): void {
    if (this.#sending !== undefined || this.#unsent.length === 0) return
    this.#sending = this.#send().finally(() => {
      this.#sending = undefined
      // What was told meanwhile.
      if (!this.#stop.signal.aborted) this.#start()
    })
  }

  async #send(): Promise<void> {
    const { clock, random, settled, onChange, deliver, describe, onFailed, onMended } =
      this.#options
    const { signal } = this.#stop
    for (let failures = 0; !signal.aborted;) {
      const [next] = this.#unsent
      if (next === undefined) return
      try {
        await Promise.race([settled(), this.#stopped.promise])
        if (signal.aborted) return
        await deliver(next, signal)
        if (failures > 0) onMended()
        failures = 0
        this.#note(undefined)
        this.#unsent = this.#unsent.filter(change => change !== next)
        onChange()
      } catch (error) {
        if (signal.aborted) return
        failures += 1
        const why = describe(error)
        this.#note(why)
        if (failures === 1) onFailed(why, this.#unsent.length)
        if (failures % TRIES === 0) this.#unsent = behindOthers(this.#unsent, next.alarm.id)
        await clock.sleep(backoffMs(failures, RETRY, random), signal).catch(() => undefined)
      }
    }
  }

  #note(failure: string | undefined): void {
    if (failure === this.#failure) return
    this.#failure = failure
    this.#options.onHealth()
  }
}

/** The changes of one alarm behind those of all others, in order. */
function behindOthers(changes: readonly AlarmChange[], id: string): AlarmChange[] {
  const others = changes.filter(({ alarm }) => alarm.id !== id)
  return [...others, ...changes.filter(({ alarm }) => alarm.id === id)]
}
