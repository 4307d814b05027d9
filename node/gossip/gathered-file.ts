import type { Clock } from '../lib/clock.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'

/** A file that is replaced as a whole. */
export interface ReplacedFile {
  readonly path: string
  read(maxBytes: number): string | undefined
  replace(text: string): void
}

export interface GatheredFileOptions {
  readonly file: Pick<ReplacedFile, 'path' | 'replace'>
  /** What the file should hold now. */
  readonly text: () => string
  /** What it holds, as far as is known. */
  readonly written: string
  /** What is said once where it cannot be written. */
  readonly failure: string
  readonly clock: Pick<Clock, 'monotonic' | 'after'>
  readonly log: Pick<Log, 'warn'>
}

/** How long news are gathered before the file is written, in milliseconds. */
const GATHER_MS = 250

/** The least time between two looks, in milliseconds: nodes that come and go wear out no disk. */
const BETWEEN_LOOKS_MS = 5_000

/** A file that follows what is known of others, at a pace that no number of news changes. */
export class GatheredFile implements Disposable {
  readonly #options: GatheredFileOptions
  #written: string
  #lookedAt = -Infinity
  #timer: Disposable | undefined
  #hasFailed = false

  constructor(options: GatheredFileOptions) {
    this.#options = options
    this.#written = options.written
  }

  /** What it should hold may have changed. */
  writeSoon(): void {
    const { clock } = this.#options
    if (this.#timer !== undefined) return
    const waitMs = Math.max(this.#lookedAt + BETWEEN_LOOKS_MS - clock.monotonic(), GATHER_MS)
    this.#timer = clock.after(waitMs, () => {
      this.#timer = undefined
      this.#write()
    })
  }

  /** Write what is not written yet. */
  [Symbol.dispose](): void {
    if (this.#timer === undefined) return
    this.#timer[Symbol.dispose]()
    this.#timer = undefined
    this.#write()
  }

  #write(): void {
    const { file, failure, clock, log } = this.#options
    this.#lookedAt = clock.monotonic()
    const text = this.#options.text()
    if (text === this.#written) return
    try {
      file.replace(text)
      this.#written = text
      this.#hasFailed = false
    } catch (error) {
      // A full disk is said once; the node is told of its peers by others meanwhile.
      if (!this.#hasFailed) log.warn({ file: file.path, reason: errorMessage(error) }, failure)
      this.#hasFailed = true
    }
  }
}
