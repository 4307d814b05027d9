import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Subject } from '../identity/names.ts'
import type { Whitelist } from '../whitelist/whitelist.ts'

/** Subjects looked up in the log in one turn of the loop: some milliseconds. */
const SLICE = 100

export interface SettlingOptions {
  readonly list: () => Whitelist
  /** Called with the subjects of each slice, when it is known what stands of them. */
  readonly onSettled: (subjects: readonly Subject[]) => void
  /** Called when the log cannot be read: who was cut stays cut. */
  readonly onFailure: (error: unknown) => void
}

/**
 * Looks up what stands where grants of a revoked author stood, a slice a turn of the loop: they may
 * be all that there are.
 */
export class Settling implements Disposable {
  readonly #options: SettlingOptions
  #running: Promise<void> | undefined
  #isDisposed = false

  constructor(options: SettlingOptions) {
    this.#options = options
  }

  /** Resolves when nothing is left to be looked up. */
  async settled(): Promise<void> {
    await this.#running
  }

  /** Look up what is left, if anything is. */
  start(): void {
    if (this.#options.list().unsettled === 0) return
    this.#running ??= this.#run()
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true
  }

  async #run(): Promise<void> {
    const { list, onSettled, onFailure } = this.#options
    try {
      while (list().unsettled > 0) {
        await nextTurn()
        if (this.#isDisposed) return
        onSettled(list().settleSome(SLICE))
      }
    } catch (error) {
      onFailure(error)
    } finally {
      // Not a turn later: what is to be looked up by then would wait for the next change.
      this.#running = undefined
    }
  }
}
