import { FridgeError } from '../errors.ts'

const LF = 0x0a
const CR = 0x0d

/**
 * The lines of a byte stream, without their ends (LF or CR LF), undecoded: a character may be split
 * across chunks, a line never contains half of one. What follows the last LF is dropped: it may be
 * the beginning of a longer line, and half a number is a wrong number.
 *
 * Holds at most `maxBytes` beside the chunk in hand.
 * @param maxBytes the longest line, its end not counted
 * @throws FridgeError `ERR_LIMIT` at the first longer line
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = []
  let heldBytes = 0
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      const line = Buffer.concat([...held, chunk.subarray(start, end)])
      const text = line.at(-1) === CR ? line.subarray(0, -1) : line
      if (text.length > maxBytes) throw tooLong(maxBytes)
      held = []
      heldBytes = 0
      start = end + 1
      yield text
    }
    if (start === chunk.length) continue
    held.push(chunk.subarray(start))
    heldBytes += chunk.length - start
    // One more, which may be the CR of the line's end.
    if (heldBytes > maxBytes + 1) throw tooLong(maxBytes)
  }
}

function tooLong(maxBytes: number): FridgeError {
  return new FridgeError('ERR_LIMIT', `a line is longer than ${maxBytes} bytes`)
}
