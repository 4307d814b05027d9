import { FridgeError } from '../../lib/errors.ts'

const LF = 0x0a
const CR = 0x0d

/**
 * Bytes to lines, without their ends (LF or CR LF), undecoded: a character may be split across
 * chunks, a line never contains half a character. The bytes behind the last LF are no line: they may
 * be the beginning of a longer line, and half a number is a wrong number.
 */
export class LineSplitter {
  readonly #maxBytes: number
  #held: Uint8Array[] = []
  #heldBytes = 0

  /** @param maxBytes the longest line, its end not counted; one byte more is held at most */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** @throws FridgeError `ERR_LIMIT` at the first line that is longer */
  write(chunk: Uint8Array, onLine: (line: Uint8Array) => void): void {
    let start = 0
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      const line = this.#take(chunk.subarray(start, end))
      const text = line.at(-1) === CR ? line.subarray(0, -1) : line
      if (text.length > this.#maxBytes) throw this.#tooLong()
      start = end + 1
      onLine(text)
    }
    if (start === chunk.length) return
    this.#held.push(chunk.subarray(start))
    this.#heldBytes += chunk.length - start
    // One byte more may be the CR of the line's end.
    if (this.#heldBytes > this.#maxBytes + 1) throw this.#tooLong()
  }

  #take(end: Uint8Array): Uint8Array {
    if (this.#heldBytes === 0) return end
    const line = Buffer.concat([...this.#held, end])
    this.#held = []
    this.#heldBytes = 0
    return line
  }

  #tooLong(): FridgeError {
    return new FridgeError('ERR_LIMIT', `a line is longer than ${this.#maxBytes} bytes`)
  }
}

/**
 * The lines of a text that comes in pieces, wherever those end; behind the last line feed as well, once
 * the text ends.
 * @param maxCharacters how much is held and given of a longer line: its beginning
 */
export async function* textLines(
  pieces: AsyncIterable<string>,
  maxCharacters: number,
): AsyncGenerator<string, void, undefined> {
  let held = ''
  for await (const piece of pieces) {
    const lines = (held + piece).split('\n')
    held = (lines.pop() ?? '').slice(0, maxCharacters)
    for (const line of lines) yield line.slice(0, maxCharacters)
  }
  if (held !== '') yield held
}
