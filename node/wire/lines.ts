import { isUtf8 } from 'node:buffer'
import { Refusal } from './refusal.ts'

const LINE_FEED = 10
/** A buffer up to this size, in bytes, is kept for the next line; a larger one is given back. */
const KEPT_BYTES = 1_024
/** How many pieces of a line are held apart before they are joined. */
const MAX_PIECES = 256
/** The longest line that is looked at for being blank, in UTF-16 units. */
const MAX_BLANK = 16

const NOTHING = Buffer.alloc(0)

/**
 * Bytes to lines of strict UTF-8 (RFC 3629). Chunks may split a line or a character anywhere.
 * Blank lines are dropped, as the stock packages do. Cost is linear in the input, and no chunk
 * is held: the start of a line whose end has not come is copied.
 */
export class LineDecoder {
  readonly #maxBytes: number
  #partial = NOTHING
  #length = 0
  #lines = 0
  #done = false

  /** @param maxBytes longest line, in bytes without its line feed */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes held of a line that has not ended: never more than `maxBytes`. */
  get bufferedBytes(): number {
    return this.#length
  }

  /** How many lines have ended, blank ones as well: each costs something. */
  get lines(): number {
    return this.#lines
  }

  /**
   * Decode a chunk, and hand each line to `onLine` until it answers false. After that, or after
   * a refusal, the decoder takes nothing more.
   * @returns why the input is refused
   */
  write(chunk: Uint8Array, onLine: (line: string) => boolean): Refusal | undefined {
    if (this.#done) return undefined
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let start = 0
    for (;;) {
      const end = bytes.indexOf(LINE_FEED, start)
      const stop = end === -1 ? bytes.length : end
      if (this.#length + stop - start > this.#maxBytes) {
        return this.#refuse(`a line is longer than ${this.#maxBytes} bytes`)
      }
      if (end === -1) {
        this.#keep(bytes.subarray(start))
        return undefined
      }
      this.#lines += 1
      let line = bytes.subarray(start, end)
      if (this.#length > 0) {
        this.#keep(line)
        line = this.#partial.subarray(0, this.#length)
      }
      if (!isUtf8(line)) return this.#refuse('a line is not UTF-8')
      const text = line.toString('utf8')
      this.#length = 0
      if (this.#partial.length > KEPT_BYTES) this.#partial = NOTHING
      start = end + 1
      if (!isBlank(text) && !onLine(text)) {
        this.#end()
        return undefined
      }
    }
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    const needed = this.#length + bytes.length
    if (needed > this.#partial.length) {
      // Doubling keeps a line that comes byte by byte linear.
      const size = Math.min(Math.max(needed, 2 * this.#partial.length), this.#maxBytes)
      const grown = Buffer.allocUnsafeSlow(size)
      this.#partial.copy(grown, 0, 0, this.#length)
      this.#partial = grown
    }
    this.#partial.set(bytes, this.#length)
    this.#length = needed
  }

  #refuse(reason: string): Refusal {
    this.#end()
    return new Refusal('line', reason)
  }

  #end(): void {
    this.#done = true
    this.#partial = NOTHING
    this.#length = 0
  }
}

/** The same for a sub-stream, whose chunks are already strings. Lengths count UTF-16 units. */
export class TextLineDecoder {
  readonly #maxLength: number
  // A line whose end has not come: joined blocks, and the newest pieces. Pieces are joined once
  // each, so that a line that comes unit by unit costs neither time nor memory beyond its text.
  #blocks: string[] = []
  #pieces: string[] = []
  #length = 0
  #done = false

  /** @param maxLength longest line, in UTF-16 units without its line feed */
  constructor(maxLength: number) {
    this.#maxLength = maxLength
  }

  /** Like `LineDecoder.write`. */
  write(text: string, onLine: (line: string) => boolean): Refusal | undefined {
    if (this.#done) return undefined
    let start = 0
    for (;;) {
      const end = text.indexOf('\n', start)
      const stop = end === -1 ? text.length : end
      if (this.#length + stop - start > this.#maxLength) {
        this.#end()
        return new Refusal('line', `a line is longer than ${this.#maxLength} characters`)
      }
      const piece = text.slice(start, stop)
      if (end === -1) {
        this.#keep(piece)
        return undefined
      }
      const line = this.#length === 0 ? piece : this.#take(piece)
      start = end + 1
      if (!isBlank(line) && !onLine(line)) {
        this.#end()
        return undefined
      }
    }
  }

  #keep(piece: string): void {
    if (piece.length === 0) return
    this.#length += piece.length
    this.#pieces.push(piece)
    if (this.#pieces.length < MAX_PIECES) return
    this.#blocks.push(this.#pieces.join(''))
    this.#pieces = []
  }

  #take(piece: string): string {
    const line = this.#blocks.join('') + this.#pieces.join('') + piece
    this.#blocks = []
    this.#pieces = []
    this.#length = 0
    return line
  }

  #end(): void {
    this.#take('')
    this.#done = true
  }
}

function isBlank(line: string): boolean {
  return line.length === 0 || (line.length <= MAX_BLANK && line.trim().length === 0)
}
