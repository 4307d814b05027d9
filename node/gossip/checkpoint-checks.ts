import { setImmediate as nextTurn } from 'node:timers/promises'
import type { UpTo } from '../whitelist/change.ts'
import type { CheckpointEntry } from '../whitelist/cut.ts'
import { judgeCheckpoints, listAt, type StatedList } from '../whitelist/stated-list.ts'
import type { Whitelist } from '../whitelist/whitelist.ts'

export interface CheckpointChecksOptions {
  readonly list: Whitelist
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

  constructor(options: CheckpointChecksOptions) {
    this.#options = options
  }

  /** Resolves when every checkpoint is judged. */
  async settled(): Promise<void> {
    await this.#running
  }

  /** Judge what is still to be judged, if anything is. */
  start(): void {
    if (this.#options.list.openCheckpoints.length === 0) return
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  /** What the list is at heads that are held, once all checkpoints are judged. */
  async listAt(heads: UpTo): Promise<StatedList> {
    await this.settled()
    const steps = listAt(heads, this.#options.list)
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
      for (const step of judgeCheckpoints(list)) {
        if (step !== undefined) onJudged(step.judged, step.isTrue)
        await nextTurn(undefined, { signal })
      }
    } catch (error) {
      if (!signal.aborted) onFailure(error)
    }
  }
}
