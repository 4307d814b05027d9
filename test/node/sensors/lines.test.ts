import test from 'ava'
import * as fc from 'fast-check'

import { linesOf } from '../../../node/sensors/lines.ts'

async function* chunked(text: string, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  let start = 0
  for (let turn = 0; start < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    yield bytes.subarray(start, start + size)
    start += size
  }
}

async function read(text: string, sizes = [7], maxBytes = 100): Promise<string[]> {
  const lines: string[] = []
  for await (const line of linesOf(chunked(text, sizes), maxBytes)) {
    lines.push(Buffer.from(line).toString())
  }
  return lines
}

test('lines end with LF or CR LF, and may be empty', async t => {
  t.deepEqual(await read('a\r\n\nbb\nc\rc\n'), ['a', '', 'bb', 'c\rc'])
})

test('lines are the same however the bytes are cut', async t => {
  const text = fc.string({ unit: fc.constantFrom('a', 'é', '🌡', '\n', '\r\n', '"') })
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 })
  await fc.assert(
    fc.asyncProperty(text, sizes, async (text, sizes) => {
      const expected = text.split(/\r?\n/).slice(0, -1)
      t.deepEqual(await read(text, sizes, 10_000), expected)
    }),
  )
})

test('a line without its end is not a line: half a number is a wrong number', async t => {
  t.deepEqual(await read('21.5\n2'), ['21.5'])
})

test('a line as long as the limit passes, a longer one is refused wherever it is cut', async t => {
  for (const sizes of [[1], [4], [5], [6], [100]]) {
    t.deepEqual(await read('12345\r\n12345\n', sizes, 5), ['12345', '12345'])
    await t.throwsAsync(read('1\n123456\n', sizes, 5), { code: 'ERR_LIMIT' })
  }
})

test('a line that never ends is refused before it fills the memory', async t => {
  let given = 0
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      given += 1_000
      yield Buffer.alloc(1_000, 0x61)
    }
  }
  await t.throwsAsync(linesOf(endless(), 65_536).next(), { code: 'ERR_LIMIT' })
  t.true(given < 70_000, String(given))
})
