import test from 'ava'
import * as fc from 'fast-check'
import { LineDecoder, TextLineDecoder } from '../../../node/wire/lines.ts'
import type { Refusal } from '../../../node/wire/refusal.ts'

/** All that a decoder does with some chunks. */
function decode<Chunk>(
  decoder: { write(chunk: Chunk, onLine: (line: string) => boolean): Refusal | undefined },
  chunks: readonly Chunk[],
): { lines: string[]; refusals: Refusal[] } {
  const lines: string[] = []
  const refusals: Refusal[] = []
  for (const chunk of chunks) {
    const refusal = decoder.write(chunk, line => {
      lines.push(line)
      return true
    })
    if (refusal !== undefined) refusals.push(refusal)
  }
  return { lines, refusals }
}

function decodeBytes(
  maxBytes: number,
  ...chunks: (string | number[])[]
): ReturnType<typeof decode> {
  return decode(
    new LineDecoder(maxBytes),
    chunks.map(chunk => Buffer.from(chunk as string)),
  )
}

/** Cut at the given places, whatever they fall on. */
function cut<Whole extends { readonly length: number; slice(from: number, to: number): Whole }>(
  whole: Whole,
  places: readonly number[],
): Whole[] {
  const at = [0, ...places.map(place => place % (whole.length + 1)), whole.length]
  at.sort((a, b) => a - b)
  return at.slice(1).map((end, index) => whole.slice(at[index] ?? 0, end))
}

const lines = fc.array(
  fc.string({ unit: 'grapheme', maxLength: 40 }).map(s => s.replaceAll('\n', '')),
)
const places = fc.array(fc.nat(4_000), { maxLength: 60 })

const expected = (text: string): string[] =>
  text
    .split('\n')
    .slice(0, -1)
    .filter(line => line.length > 16 || line.trim() !== '')

test('any chunking of any text gives the lines of the text', t => {
  fc.assert(
    fc.property(lines, places, (all, at) => {
      const text = all.join('\n')
      const chunks = cut(Buffer.from(text), at)
      t.deepEqual(decode(new LineDecoder(4_096), chunks), { lines: expected(text), refusals: [] })
    }),
  )
})

test('any chunking of a text that is already decoded gives its lines', t => {
  fc.assert(
    fc.property(lines, places, (all, at) => {
      const text = all.join('\n')
      const chunks = cut(text, at)
      const decoder = new TextLineDecoder(4_096)
      t.deepEqual(decode(decoder, chunks), { lines: expected(text), refusals: [] })
    }),
  )
})

test('a character may be split at every byte', t => {
  const line = 'é€😀'
  const bytes = Buffer.from(`${line}\n`)
  for (let at = 0; at <= bytes.length; at += 1) {
    const chunks = [bytes.subarray(0, at), bytes.subarray(at)]
    t.deepEqual(decode(new LineDecoder(64), chunks).lines, [line])
  }
})

test('a long line that comes byte by byte is whole', t => {
  const line = 'x'.repeat(65_536)
  const bytes = [...Buffer.from(`${line}\nnext\n`)].map(byte => Uint8Array.of(byte))
  t.deepEqual(decode(new LineDecoder(65_536), bytes).lines, [line, 'next'])
  t.deepEqual(decode(new TextLineDecoder(65_536), [...line.split(''), '\n', 'next\n']).lines, [
    line,
    'next',
  ])
})

test('what is held of a line is a copy: its chunk may be used again', t => {
  const decoder = new LineDecoder(64)
  const chunk = Buffer.from('begin')
  const seen: string[] = []
  const onLine = (line: string): boolean => seen.push(line) > 0
  decoder.write(chunk, onLine)
  chunk.fill('x')
  decoder.write(Buffer.from('ning\n'), onLine)
  t.deepEqual(seen, ['beginning'])
})

const INVALID: Record<string, number[]> = {
  'a byte that is never UTF-8': [0xff],
  'a continuation without a start': [0x80],
  'a character that is cut off': [0xe2, 0x82],
  'an overlong slash': [0xc0, 0xaf],
  'a surrogate': [0xed, 0xa0, 0x80],
  'a code point beyond Unicode': [0xf4, 0x90, 0x80, 0x80],
}
for (const [what, bytes] of Object.entries(INVALID)) {
  test(`${what} is refused, with all behind it`, t => {
    const good = [...Buffer.from('good\n')]
    const { lines, refusals } = decodeBytes(64, [...good, ...bytes, 10, ...good], 'good\n')
    t.deepEqual(lines, ['good'])
    t.deepEqual(
      refusals.map(({ layer }) => layer),
      ['line'],
    )
  })
}

test('a line of exactly the cap passes, one byte more is refused before its end has come', t => {
  t.deepEqual(decodeBytes(8, '12345678\n12345678\n').lines, ['12345678', '12345678'])
  t.deepEqual(decodeBytes(8, '1234', '5678', '\n').lines, ['12345678'])
  t.is(decodeBytes(8, '123456789').refusals.length, 1)
  t.is(decodeBytes(8, '1234', '56789').refusals.length, 1)
  t.is(decodeBytes(8, 'ééééé\n').refusals.length, 1)
  const text = new TextLineDecoder(8)
  t.deepEqual(decode(text, ['1234', '5678', '\n1234', '56789', 'x\ny\n']).lines, ['12345678'])
})

test('64 MiB without a line feed never take more than the cap', t => {
  const decoder = new LineDecoder(65_536)
  const chunk = Buffer.alloc(65_535, 'x')
  let refusals = 0
  let most = 0
  for (let sent = 0; sent < 64 * 1_024 * 1_024; sent += chunk.length) {
    if (decoder.write(chunk, () => true) !== undefined) refusals += 1
    most = Math.max(most, decoder.bufferedBytes)
  }
  t.is(refusals, 1)
  t.is(most, 65_535)
  t.is(decoder.bufferedBytes, 0)
})

test('blank lines are dropped', t => {
  t.deepEqual(decodeBytes(64, '\n\r\n \t\none\r\n\ntwo\n').lines, ['one\r', 'two'])
})

test('after a listener has had enough, nothing more is decoded', t => {
  for (const decoder of [new LineDecoder(64), new TextLineDecoder(64)]) {
    const seen: string[] = []
    const onLine = (line: string): boolean => seen.push(line) < 2
    const write = (text: string): void => {
      if (decoder instanceof LineDecoder) decoder.write(Buffer.from(text), onLine)
      else decoder.write(text, onLine)
    }
    write('one\ntwo\nthree\n')
    write('four\n')
    t.deepEqual(seen, ['one', 'two'])
  }
})
