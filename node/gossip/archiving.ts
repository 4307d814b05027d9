import { setImmediate as nextTurn } from 'node:timers/promises'
import { FridgeError } from '../lib/errors.ts'
import { baseOf, spentBehind } from '../whitelist/archive-plan.ts'
import type { Checkpoint } from '../whitelist/change.ts'
import type { ReadableWhitelist } from '../whitelist/readable-whitelist.ts'
import type { ArchivedLog, Base } from '../whitelist/store.ts'

export interface ArchivingOptions {
  readonly list: () => ReadableWhitelist
  readonly store: ArchivedLog
  /** Let the list begin where the log does by now. */
  readonly onBegun: (base: Base) => void
}

/**
 * Moves what decides nothing any more from the log into an archive beside it, a slice a turn of the
 * loop. The list goes on with what is left, as the next start does.
 */
export class Archiving implements Disposable {
  readonly #options: ArchivingOptions
  readonly #stop = new AbortController()
  #isRunning = false

  constructor(options: ArchivingOptions) {
    this.#options = options
  }

  /** The archives that are not beside the database, or are others. */
  get missing(): readonly string[] {
    return this.#options.store.archives.missing
  }

  /** The checkpoint behind which the log may be archived. @throws FridgeError `ERR_REFUSED` */
  checkpoint(): Checkpoint {
    const { list, store } = this.#options
    const [missing] = store.archives.missing
    if (missing !== undefined) {
      throw refused(`${missing} is not beside the database: put it back and restart the node`)
    }
    const base = baseOf(list(), store)
    const checkpoint = base && list().cutOf(base.checkpoint)?.entry.change
    if (checkpoint !== undefined) return checkpoint
    throw refused(
      'no checkpoint is true and covers all others: make one, and look at fridge doctor',
    )
  }

  /**
   * Archive what is spent behind a checkpoint. Default: the one of now, which no other node may hold.
   * @returns how many changes have left the log
   * @throws FridgeError `ERR_REFUSED`, also when the log may begin at another one by now,
   *   `ERR_DATABASE`, `ERR_LIMIT`
   */
  async run(held: Checkpoint = this.checkpoint()): Promise<{ readonly changes: number }> {
    // A newer one is not known to be held by anybody else.
    if (this.checkpoint() !== held) throw refused('there is a newer checkpoint: ask again')
    if (this.#isRunning) throw refused('an archive is being made already')
    this.#isRunning = true
    const { archives } = this.#options.store
    try {
      const changes = await this.#copyAndBegin()
      while (!archives.takeOut()) await this.#nextTurn()
      return { changes }
    } catch (error) {
      if (this.#stop.signal.aborted) throw refused('the node is stopping', error)
      throw error
    } finally {
      this.#isRunning = false
      archives.abandon()
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort()
  }

  async #copyAndBegin(): Promise<number> {
    const { list: current, store } = this.#options
    const list = current()
    const base = baseOf(list, store)
    const cut = base && list.cutOf(base.checkpoint)
    if (base === undefined || cut === undefined) return 0
    const [spent, strays] = [new Set<string>(), new Set<string>()]
    let changes = 0
    for (const slice of spentBehind(cut, list)) {
      store.archives.copy(slice.moved)
      changes += slice.moved.length
      for (const hash of slice.left) spent.add(hash)
      for (const hash of slice.strays) strays.add(hash)
      await this.#nextTurn()
      // What was taken back has made another list: nothing of this one is certain.
      if (current() !== list) throw refused('changes were given up meanwhile: ask again')
    }
    store.beginAt({ ...base, spent, strays } satisfies Omit<Base, 'archived'>)
    const begun = store.base()
    if (begun !== undefined) this.#options.onBegun(begun)
    return changes
  }

  async #nextTurn(): Promise<void> {
    await nextTurn(undefined, { signal: this.#stop.signal })
  }
}

function refused(message: string, cause?: unknown): FridgeError {
  return new FridgeError('ERR_REFUSED', `cannot archive: ${message}`, { cause })
}
