import { isDeepStrictEqual } from 'node:util'
import { parseJson } from '../../../node/wire/json.ts'
import { LineDecoder, TextLineDecoder } from '../../../node/wire/lines.ts'
import { Refusal } from '../../../node/wire/refusal.ts'
import { interestingValue } from '../interesting.ts'
import { linesOfBytes, linesOfText, valueOf, type ModelLines } from '../models/lines.ts'
import { chunksOf, type Target } from '../target.ts'

const MAX_LINE_BYTES = 512
const MAX_DEPTH = 32

/** Bytes to lines to JSON, and the same for the text of sub-streams. */
export async function openLines(): Promise<Target> {
  return {
    name: 'lines',
    fixedInputs: 1_500,
    maxLineBytes: MAX_LINE_BYTES,
    generate: dice =>
      Array.from({ length: 1 + dice.below(6) }, () => {
        const line = JSON.stringify(interestingValue(dice))
        return dice.pick(['', '\n', '  \r\n']) + line + dice.pick(['\n', '\r\n'])
      }).join(''),
    run: async bytes => {
      const heard = decodeBytes(bytes)
      const expected = linesOfBytes(bytes, MAX_LINE_BYTES)
      const text = bytes.toString('utf8')
      const problem =
        heard.problem ??
        problemOf('lines', heard, expected) ??
        problemOf('lines of text', decodeText(text), linesOfText(text, MAX_LINE_BYTES)) ??
        problemOfValues(heard.lines)
      const isRefused = heard.refused || heard.lines.some(line => parse(line) instanceof Refusal)
      return { refused: isRefused, problem }
    },
  }
}

interface Heard extends ModelLines {
  readonly problem?: string
}

function decodeBytes(bytes: Buffer): Heard {
  const decoder = new LineDecoder(MAX_LINE_BYTES)
  const lines: string[] = []
  let refused = false
  const onLine = (line: string): boolean => {
    if (refused) lines.push('a line behind a refusal')
    return lines.push(line) > 0
  }
  for (const chunk of chunksOf(bytes)) {
    refused = decoder.write(chunk, onLine) !== undefined || refused
    // A chunk is its sender's: what is kept of it must be a copy.
    const held = decoder.bufferedBytes
    if (held > MAX_LINE_BYTES) return { lines, refused, problem: `${held} bytes are held` }
  }
  return { lines, refused }
}

function decodeText(text: string): Heard {
  const decoder = new TextLineDecoder(MAX_LINE_BYTES)
  const lines: string[] = []
  let refused = false
  let start = 0
  for (const { length } of chunksOf(Buffer.from(text, 'utf16le'))) {
    const piece = text.slice(start, start + length)
    start += length
    refused = decoder.write(piece, line => lines.push(line) > 0) !== undefined || refused
  }
  return { lines, refused }
}

function problemOf(what: string, heard: ModelLines, expected: ModelLines): string | undefined {
  const { lines, refused } = heard
  return isDeepStrictEqual({ lines, refused }, expected)
    ? undefined
    : `${what}: ${JSON.stringify({ lines, refused })} instead of ${JSON.stringify(expected)}`
}

function parse(line: string): unknown {
  return parseJson(line, MAX_DEPTH)
}

function problemOfValues(lines: readonly string[]): string | undefined {
  for (const line of lines) {
    const value = parse(line)
    const expected = valueOf(line, MAX_DEPTH)
    const holds =
      value instanceof Refusal
        ? expected === undefined
        : expected !== undefined && isDeepStrictEqual(value, expected.value)
    if (!holds) return `the JSON ${line.slice(0, 200)} is ${expected ? 'refused' : 'taken'}`
  }
  return undefined
}
