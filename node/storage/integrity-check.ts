import { once } from 'node:events'
import { statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { damageOf } from './integrity.ts'
import type { IntegrityAnswer } from './integrity-thread.ts'
import { BUSY_TIMEOUT_MS, corrupt, readFailure } from './sqlite-database.ts'

/** From this size on a check takes longer than a thread to start, in bytes. */
const THREAD_FROM_BYTES = 32 * 2 ** 20

/** Whether a database, if it is there, is so large that a start reads it meanwhile. */
export function isWorthAThread(file: string): boolean {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  return size >= THREAD_FROM_BYTES && availableParallelism() > 1
}

/**
 * Checks the pages and the indexes of a database on a thread of its own, while its node reads the
 * list: nobody may be served by that list before the check is passed.
 */
export class IntegrityCheck implements AsyncDisposable {
  readonly #file: string
  readonly #worker: Worker
  readonly #answer: Promise<IntegrityAnswer>
  #isEnded = false

  /** @param file a database that is open already, so that what a killed process left is in it */
  constructor(file: string) {
    this.#file = file
    // The sources run as they are, and as what tsc makes of them: it leaves the names in a URL alone.
    const program = new URL(`./integrity-thread${extname(import.meta.filename)}`, import.meta.url)
    this.#worker = new Worker(program, { workerData: file, execArgv: [] })
    const ended = once(this.#worker, 'exit').then(([status]) =>
      Promise.reject(new Error(`it ended with status ${String(status)}`)),
    )
    const answered = once(this.#worker, 'message').then(([answer]) => answer as IntegrityAnswer)
    // In the thread that waits, where the thread cannot tell: it may be the file that has ended it.
    this.#answer = Promise.race([answered, ended]).catch(() =>
      this.#isEnded ? undefined : checkHere(file),
    )
    this.#answer.catch(() => {})
  }

  /** Resolves when nothing is wrong. @throws FridgeError `ERR_DATABASE`, `ERR_DATABASE_CORRUPT` */
  async passed(): Promise<void> {
    const damage = await this.#answer
    if (damage !== undefined) throw corrupt(this.#file, damage)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true
    await this.#worker.terminate()
  }
}

function checkHere(file: string): IntegrityAnswer {
  try {
    using database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS })
    return damageOf(database)
  } catch (error) {
    throw readFailure(file, error)
  }
}
