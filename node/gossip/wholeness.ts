import type { StorageHealth } from './storage-health.ts'

/** Remembers across starts whether the log is whole, and not the beginning of a longer one. */
export interface WholenessRecord {
  isWhole(): boolean
  /** @throws FridgeError `ERR_DATABASE` */
  noteWhole(isWhole: boolean): void
}

export interface WholenessOptions {
  /** What remembers it. Default: only this run does. */
  readonly record?: WholenessRecord | undefined
  /** Hears of a record that fails, and says when it can be written again. */
  readonly storage: Pick<StorageHealth, 'failed' | 'subscribe'>
}

/**
 * Whether the log is one that was complete at some time, with what came singly behind it: the
 * beginning of a longer log lets in whom its end removes.
 */
export class Wholeness implements Disposable {
  readonly #options: WholenessOptions
  readonly #subscription: Disposable
  #isWhole: boolean
  /** That it is whole could not be remembered. */
  #isOwed = false
  #isDisposed = false

  constructor(options: WholenessOptions) {
    this.#options = options
    this.#isWhole = options.record?.isWhole() ?? false
    this.#subscription = options.storage.subscribe(failing => {
      if (failing === undefined && this.#isOwed) this.note(true)
    })
  }

  get isWhole(): boolean {
    return this.#isWhole
  }

  /** What cannot be remembered leaves it as it was. */
  note(isWhole: boolean): void {
    this.#isOwed = false
    if (this.#isWhole === isWhole || this.#isDisposed) return
    try {
      this.#options.record?.noteWhole(isWhole)
      this.#isWhole = isWhole
    } catch (error) {
      // A link says once that all has come: not tried again, the next start would wait for another.
      this.#isOwed = isWhole
      this.#options.storage.failed(error)
    }
  }

  /** Note nothing any more. */
  [Symbol.dispose](): void {
    this.#isDisposed = true
    this.#subscription[Symbol.dispose]()
  }
}
