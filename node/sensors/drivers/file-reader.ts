import type { Clock } from '../../lib/clock.ts'
import { errorMessage } from '../../lib/errors.ts'
import { startReadingProcess, type FileContent, type ReadingProcess } from './reading-process.ts'

export interface FileReaderOptions {
  readonly clock: Clock
  /** How long a read may take, ms. Default 10000: a slow bus tries five times, a second each. */
  readonly deadlineMs?: number | undefined
  /** The environment of the process that reads. Default that of the node. */
  readonly env?: NodeJS.ProcessEnv | undefined
}

/** What became of a read: also one that hangs, or that no process could be started for. */
export type ReadOutcome = FileContent | { type: 'hung' } | { type: 'broken'; reason: string }

const DEADLINE_MS = 10_000

/**
 * Reads files that may block who reads them, as those of a device do: one after the other, in a
 * process of its own. What shares a bus shares a reader: two reads of one bus would only wait for each
 * other. Disposing it ends the process, and waits for no read.
 */
export class FileReader implements Disposable {
  readonly #options: FileReaderOptions
  #process: ReadingProcess | undefined
  /** The end of a process that hung. While the kernel keeps it, another would only join it there. */
  #ending: Promise<void> | undefined
  #before: Promise<void> = Promise.resolve()
  #isClosed = false

  /** Starts no process yet: the first read does, and the first after one that hung. */
  constructor(options: FileReaderOptions) {
    this.#options = options
  }

  /**
   * Read a file that gives all that it has in one piece, as those of sysfs do.
   * @throws the signal's reason when it aborts: a read under way then goes on by itself
   */
  async read(path: string, signal: AbortSignal): Promise<ReadOutcome> {
    if (/[\n\0]/.test(path)) throw new TypeError('a path is one line')
    const before = this.#before
    const { promise: outcome, resolve, reject } = Promise.withResolvers<ReadOutcome>()
    const abort = (): void => reject(signal.reason as Error)
    const turn = async (): Promise<void> => {
      await before
      if (!signal.aborted) resolve(await this.#readNow(path))
    }
    this.#before = turn()
    signal.throwIfAborted()
    signal.addEventListener('abort', abort)
    try {
      return await outcome
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
    this.#endProcess()
  }

  async #readNow(path: string): Promise<ReadOutcome> {
    const { clock, deadlineMs = DEADLINE_MS } = this.#options
    const { promise: late, resolve } = Promise.withResolvers<ReadOutcome>()
    const overdue = new AbortController()
    using _deadline = clock.after(deadlineMs, () => {
      overdue.abort()
      resolve({ type: 'hung' })
    })
    const outcome = await Promise.race([this.#readOrFail(path, overdue.signal), late])
    if (outcome.type === 'hung' || outcome.type === 'broken') this.#endProcess()
    return outcome
  }

  async #readOrFail(path: string, overdue: AbortSignal): Promise<ReadOutcome> {
    const { clock, env } = this.#options
    try {
      await this.#ending
      overdue.throwIfAborted()
      if (this.#process === undefined) {
        const started = await startReadingProcess(clock, env)
        if (overdue.aborted || this.#isClosed) void started.kill()
        overdue.throwIfAborted()
        this.#process = started
      }
      return await this.#process.read(path)
    } catch (error) {
      return { type: 'broken', reason: errorMessage(error) }
    }
  }

  #endProcess(): void {
    this.#ending = this.#process?.kill() ?? this.#ending
    this.#process = undefined
  }
}
