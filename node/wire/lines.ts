import { isUtf8 } from 'node:buffer'
import { Refusal } from './refusal.ts'

const LINE_FEED = 10

/**
 * Bytes to lines of strict UTF-8 (RFC 3629). Chunks may split a line or a character anywhere.
 * Blank lines are dropped, as the stock packages do. Cost is linear in the input.
 */
export class LineDecoder {
  readonly #maxBytes: number
  // The start of a line whose end has not come: copied, so that no large chunk is held by it.
  #partial: Buffer
  #length = 0

  /** @param maxBytes longest line, in bytes without its line feed */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
    this.#partial = Buffer.alloc(0)
  }

  /** Bytes held of a line that has not ended. */
  get bufferedBytes(): number {
    return this.#length
  }

  /**
   * Decode a chunk, and hand each line to `onLine` until it answers false.
   * @returns why the input is refused; nothing behind that is to be decoded
   */
  write(chunk: Uint8Array, onLine: (line: string) => boolean): Refusal | undefined {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let start = 0
    for (;;) {
      const end = bytes.indexOf(LINE_FEED, start)
      const stop = end === -1 ? bytes.length : end
      if (this.#length + stop - start > this.#maxBytes) {
        return new Refusal('line', `a line is longer than ${this.#maxBytes} bytes`)
      }
      if (end === -1) {
        this.#keep(bytes.subarray(start))
        return undefined
      }
      let line = bytes.subarray(start, end)
      if (this.#length > 0) {
        this.#keep(line)
        line = this.#partial.subarray(0, this.#length)
      }
      if (!isUtf8(line)) return new Refusal('line', 'a line is not UTF-8')
      const text = line.toString('utf8')
      this.#length = 0
      if (this.#partial.length > SMALL) this.#partial = Buffer.alloc(0)
      start = end + 1
      if (!isBlank(text) && !onLine(text)) return undefined
    }
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    const needed = this.#length + bytes.length
    if (needed > this.#partial.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(Math.max(needed, 2 * this.#partial.length), this.#maxBytes))
      this.#partial.copy(grown, 0, 0, this.#length)
      this.#partial = grown
    }
    this.#partial.set(bytes, this.#length)
    this.#length = needed
  }
}

/** A buffer up to this size is kept for the next line. */
const SMALL = 1_024

/** The same for a sub-stream, whose chunks are already strings. Lengths count UTF-16 units. */
export class TextLineDecoder {
  readonly #maxLength: number
  #parts: string[] = []
  #length = 0

  constructor(maxLength: number) {
    this.#maxLength = maxLength
  }

  write(text: string, onLine: (line: string) => boolean): Refusal | undefined {
    let start = 0
    for (;;) {
      const end = text.indexOf('\n', start)
      const stop = end === -1 ? text.length : end
      this.#length += stop - start
      if (this.#length > this.#maxLength) {
        return new Refusal('line', `a line is longer than ${this.#maxLength} characters`)
      }
      if (end === -1) {
        if (stop > start) this.#parts.push(text.slice(start))
        // Many small pieces would cost more than their text.
        if (this.#parts.length > MAX_PARTS) this.#parts = [this.#parts.join('')]
        return undefined
      }
      this.#parts.push(text.slice(start, end))
      const line = this.#parts.length === 1 ? this.#parts[0] : this.#parts.join('')
      this.#parts = []
      this.#length = 0
      start = end + 1
      if (line !== undefined && !isBlank(line) && !onLine(line)) return undefined
    }
  }
}

const MAX_PARTS = 256

function isBlank(line: string): boolean {
  return line.length === 0 || (line.length < 16 && line.trim().length === 0)
}
