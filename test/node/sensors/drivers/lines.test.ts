import { Readable } from 'node:stream'
import test from 'ava'
import * as fc from 'fast-check'

import { LineSplitter, textLines } from '../../../../node/sensors/drivers/lines.ts'

/** Cut a text into chunks and read the lines. @throws what the splitter refuses it with */
function read(text: string, sizes = [7], maxBytes = 100): string[] {
  const bytes = Buffer.from(text)
  const splitter = new LineSplitter(maxBytes)
  const lines: string[] = []
  for (let start = 0, turn = 0; start < bytes.length; turn++) {
    const end = start + (sizes[turn % sizes.length] ?? 1)
    splitter.write(bytes.subarray(start, end), line => {
      lines.push(Buffer.from(line).toString())
    })
    start = end
  }
  return lines
}

test('lines end with LF or CR LF, and may be empty', t => {
  t.deepEqual(read('a\r\n\nbb\nc\rc\n'), ['a', '', 'bb', 'c\rc'])
})

test('lines are the same however the bytes are cut', t => {
  const text = fc.string({ unit: fc.constantFrom('a', 'é', '🌡', '\n', '\r\n', '"') })
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 })
  fc.assert(
    fc.property(text, sizes, (text, sizes) => {
      const expected = text.split(/\r?\n/).slice(0, -1)
      t.deepEqual(read(text, sizes, 10_000), expected)
    }),
  )
})

test('a line without its end is not a line: half a number is a wrong number', t => {
  t.deepEqual(read('21.5\n2'), ['21.5'])
})

test('a line as long as the limit passes, a longer one is refused wherever it is cut', t => {
  for (const sizes of [[1], [4], [5], [6], [100]]) {
    t.deepEqual(read('12345\r\n12345\n', sizes, 5), ['12345', '12345'])
    t.throws(() => read('1\n123456\n', sizes, 5), { code: 'ERR_LIMIT' })
  }
})

test('a line that never ends is refused before it fills the memory', t => {
  const splitter = new LineSplitter(65_536)
  let given = 0
  const endless = (): void => {
    for (; ; given += 1_000) splitter.write(Buffer.alloc(1_000, 0x61), () => t.fail())
  }
  t.throws(endless, { code: 'ERR_LIMIT' })
  t.true(given < 66_000, String(given))
})

test('a text is given line by line, wherever its pieces end', async t => {
  const lines = async (...pieces: string[]): Promise<string[]> =>
    Array.fromAsync(textLines(Readable.from(pieces), 10))
  t.deepEqual(await lines('get: ', 'no', ' chip\n', 'next\nlast'), ['get: no ch', 'next', 'last'])
  t.deepEqual(await lines('x'.repeat(1_000), 'y'.repeat(1_000), '\nz\n'), ['xxxxxxxxxx', 'z'])
  t.deepEqual(await lines(), [])
})
