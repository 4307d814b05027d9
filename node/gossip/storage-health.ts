import { backoffMs } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import { errorMessage } from '../lib/errors.ts'
import { subscribeTo } from '../lib/listeners.ts'

export interface StorageHealthOptions {
  /** Store something that means nothing. @throws what keeps changes from being stored */
  readonly probe: () => void
  readonly clock: Pick<Clock, 'after'>
}

/** How long after a failure it is tried again, and how long at most after many. */
const PROBE = { firstMs: 1_000, maxMs: 30_000 }

/**
 * Whether the list can be kept. While it cannot (disk full, database locked, a disk that fails), the
 * node lets no further client in, takes removals from memory, and tries until it can store again.
 */
export class StorageHealth implements Disposable {
  readonly #options: StorageHealthOptions
  readonly #listeners = new Set<(failing: string | undefined) => void>()
  #failing: string | undefined
  /** In a row, those of probes included; a change that was stored ends the row. */
  #failures = 0
  #timer: Disposable | undefined
  #isDisposed = false

  constructor(options: StorageHealthOptions) {
    this.#options = options
  }

  /** Why changes cannot be stored, in the words of the system; undefined while they can. */
  get failing(): string | undefined {
    return this.#failing
  }

  /** Hear when it begins to fail, with the reason, and with `undefined` when it is over. */
  subscribe(listener: (failing: string | undefined) => void): Disposable {
    return subscribeTo(this.#listeners, listener)
  }

  /** Resolves when changes can be stored; at once where they can. */
  async working(): Promise<void> {
    if (this.#failing === undefined) return
    const { promise, resolve } = Promise.withResolvers<void>()
    using _subscription = this.subscribe(failing => {
      if (failing === undefined) resolve()
    })
    await promise
  }

  /** The store has thrown. */
  failed(error: unknown): void {
    this.#failures += 1
    this.#probeLater()
    const wasFailing = this.#failing !== undefined
    this.#failing = errorMessage(error)
    if (!wasFailing) this.#tell()
  }

  /** A change was stored. */
  worked(): void {
    this.#failures = 0
  }

  /** Try now, if it fails. @returns whether changes can be stored */
  probe(): boolean {
    if (this.#failing === undefined) return true
    try {
      this.#options.probe()
    } catch (error) {
      this.failed(error)
      return false
    }
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    this.#failing = undefined
    this.#tell()
    return true
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true
    this.#timer?.[Symbol.dispose]()
  }

  #probeLater(): void {
    if (this.#isDisposed) return
    this.#timer?.[Symbol.dispose]()
    const waitMs = backoffMs(this.#failures, PROBE, () => 1)
    this.#timer = this.#options.clock.after(waitMs, () => void this.probe())
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this.#failing)
  }
}
