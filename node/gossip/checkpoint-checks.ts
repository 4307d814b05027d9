import { setImmediate as nextTurn } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { KeyId } from '../identity/names.ts'
import { FridgeError } from '../lib/errors.ts'
import type { UpTo } from '../whitelist/change.ts'
import { headsOfNow } from '../whitelist/checkpoint-heads.ts'
import type { CheckpointEntry } from '../whitelist/cut.ts'
import {
  closedListAt,
  judgeCheckpoints,
  listAt,
  type StatedList,
} from '../whitelist/stated-list.ts'
import type { Whitelist } from '../whitelist/whitelist.ts'
import type { Statement } from './commit.ts'

export interface CheckpointChecksOptions {
  readonly list: () => Whitelist
  /** Called with each checkpoint when it is known whether it is true: its effect may be still to be looked up. */
  readonly onJudged: (checkpoint: CheckpointEntry, isTrue: boolean) => void
  /** Called when the log cannot be read. */
  readonly onFailure: (error: unknown) => void
}

/** Finds out behind everything else, a slice a turn of the loop, whether checkpoints are true. */
export class CheckpointChecks implements Disposable {
  readonly #options: CheckpointChecksOptions
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined
  #stating: Promise<unknown> | undefined
  #stated: Statement | undefined
  /** What was held when that was stated, and what called former. */
  #statedOf: readonly [UpTo, readonly KeyId[]] | undefined

  constructor(options: CheckpointChecksOptions) {
    this.#options = options
  }

  /** Resolves when every checkpoint is judged. */
  async settled(): Promise<void> {
    await this.#running
  }

  /** Judge what is still to be judged, if anything is. */
  start(): void {
    if (this.#options.list().openCheckpoints.length === 0) return
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  /** What was stated last. */
  get stated(): Statement | undefined {
    return this.#stated
  }

  /**
   * What a checkpoint says of the list as it is now, once all checkpoints are judged. One at a
   * time, and once: operators may ask as often as they like.
   * @throws FridgeError `ERR_LIMIT` when the list has too many sources
   */
  async state(former: readonly KeyId[]): Promise<Statement> {
    while (this.#stating !== undefined) await this.#stating
    const held = this.#options.list().everything()
    if (this.#stated !== undefined && isDeepStrictEqual([held, former], this.#statedOf)) {
      return this.#stated
    }
    const stating = this.#state(former)
    this.#stating = stating.catch(() => {})
    try {
      this.#stated = await stating
      this.#statedOf = [held, former]
      return this.#stated
    } finally {
      this.#stating = undefined
    }
  }

  /**
   * What the list was at heads, once all checkpoints are judged: what a checkpoint there has to state
   * that is true. One at a time.
   * @returns undefined where not all is here that led there, or no checkpoint there can be true
   */
  async stateAt(heads: UpTo): Promise<StatedList | undefined> {
    while (this.#stating !== undefined) await this.#stating
    const stating = this.#stateAt(heads)
    this.#stating = stating.catch(() => {})
    try {
      return await stating
    } finally {
      this.#stating = undefined
    }
  }

  async #stateAt(heads: UpTo): Promise<StatedList | undefined> {
    await this.settled()
    const list = this.#options.list()
    return list.canStateAt(heads) ? this.#inTurns(closedListAt(heads, list)) : undefined
  }

  async #state(former: readonly KeyId[]): Promise<Statement> {
    await this.settled()
    const list = this.#options.list()
    const heads = await this.#inTurns(headsOfNow(list))
    if (heads === undefined) {
      throw new FridgeError('ERR_LIMIT', 'the list has too many sources for a checkpoint')
    }
    return { heads, former, ...(await this.#inTurns(listAt(heads, list))) }
  }

  async #inTurns<T>(steps: Generator<undefined, T>): Promise<T> {
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
      await nextTurn(undefined, { signal: this.#stop.signal })
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort()
  }

  async #run(): Promise<void> {
    const { list, onJudged, onFailure } = this.#options
    const { signal } = this.#stop
    try {
      // Another list may have taken the place of this one meanwhile.
      while (list().openCheckpoints.length > 0) {
        for (const step of judgeCheckpoints(list())) {
          if (step !== undefined) onJudged(step.judged, step.isTrue)
          await nextTurn(undefined, { signal })
        }
      }
    } catch (error) {
      if (!signal.aborted) onFailure(error)
    }
  }
}
