/** What a log is written to: a file, a terminal, or a pipe that somebody reads. */
export interface LogStream {
  /** Bytes that wait for the reader. */
  readonly writableLength: number
  write(text: string, done: (error?: Error | null) => void): unknown
}

/** What may wait for a reader that does not read, in UTF-16 units: some thousand lines. */
const MAX_WAITING = 1_048_576

/** Says in a line of the log that so many lines of it were lost. */
export type WhenLost = (lines: number) => string

/**
 * The log of a program that serves on whether or not its log can be written: a disk may be full, a
 * reader may have gone or have stopped reading. What cannot be written is lost and counted, and the
 * first line that can be written again says how many were.
 */
export class LogOutput {
  readonly #stream: LogStream
  #lost = 0
  /** Whether the last write failed, perhaps in the middle of a line. */
  #hasFailed = false

  /** @param stream whose `error` events somebody else hears */
  constructor(stream: LogStream) {
    this.#stream = stream
  }

  /** Write a line, given without its line feed. Never throws and never waits. */
  write(line: string, whenLost: WhenLost): void {
    if (this.#stream.writableLength > MAX_WAITING) {
      this.#lost += 1
      return
    }
    const lost = this.#lost
    const end = this.#hasFailed ? '\n' : ''
    const text = lost > 0 ? `${end}${whenLost(lost)}\n${line}\n` : `${line}\n`
    this.#lost = 0
    this.#stream.write(text, error => {
      this.#hasFailed = error !== undefined && error !== null
      if (this.#hasFailed) this.#lost += lost + 1
    })
  }
}
