/** Remembers across starts whether the log is whole, and not the beginning of a longer one. */
export interface WholenessRecord {
  isWhole(): boolean
  /** @throws FridgeError `ERR_DATABASE` */
  noteWhole(isWhole: boolean): void
}

export interface WholenessOptions {
  /** What remembers it. Default: only this run does. */
  readonly record?: WholenessRecord | undefined
  /** Called when it cannot be remembered: then it stays what it was. */
  readonly onFailure: (error: unknown) => void
}

/**
 * Whether the log is one that was complete at some time, with what came singly behind it: the
 * beginning of a longer log lets in whom its end removes.
 */
export class Wholeness implements Disposable {
  readonly #options: WholenessOptions
  #isWhole: boolean
  #isDisposed = false

  constructor(options: WholenessOptions) {
    this.#options = options
    this.#isWhole = options.record?.isWhole() ?? false
  }

  get isWhole(): boolean {
    return this.#isWhole
  }

  note(isWhole: boolean): void {
    if (this.#isWhole === isWhole || this.#isDisposed) return
    try {
      this.#options.record?.noteWhole(isWhole)
      this.#isWhole = isWhole
    } catch (error) {
      this.#options.onFailure(error)
    }
  }

  /** Note nothing any more. */
  [Symbol.dispose](): void {
    this.#isDisposed = true
  }
}
