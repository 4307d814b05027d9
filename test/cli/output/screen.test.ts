import test from 'ava'
import { screenOf, sizeOf } from '../../../cli/output/screen.ts'

const ESCAPE = '\u001B'

/** What stands on a terminal behind that, line by line. */
function shown(text: string): string[] {
  const [, ...parts] = text.split(ESCAPE)
  const plain = parts.map(part => part.replace(/^\[[?\d]*[A-Za-z]/, ''))
  return plain.join('').split('\n').slice(0, -1)
}

test('lines take the place of those before, and no more room than there is', t => {
  const text = screenOf(['node-1 knows 3 nodes', 'short'], { columns: 12, rows: 24 })
  t.deepEqual(shown(text), ['node-1 know…', 'short'])
  t.true(text.includes('\u001B[H'))
  t.true(text.includes('short\u001B[K\n\u001B[J'))
})

test('a line as wide as the terminal keeps its last character: there the cursor stands on it', t => {
  const text = screenOf(['exactly 12ch', 'short'], { columns: 12, rows: 24 })
  t.true(text.includes('exactly 12ch\n'))
  t.true(text.includes('short\u001B[K\n'))
})

test('lines that a terminal has no room for are counted', t => {
  const lines = Array.from({ length: 30 }, (_, index) => `line ${index}`)
  const all = shown(screenOf(lines, { columns: 80, rows: 24 }))
  t.is(all.length, 23)
  t.is(all.at(-1), '… and 8 more lines')
  t.is(all.at(-2), 'line 21')
})

test('what a stolen node has written moves no cursor', t => {
  t.deepEqual(shown(screenOf(['a\u001B[2Jb'], { columns: 80, rows: 24 })), ['a\uFFFD[2Jb'])
})

test('a terminal that does not know its size is taken for the usual one', t => {
  t.deepEqual(sizeOf({ columns: 0, rows: 0 }), { columns: 80, rows: 24 })
  t.deepEqual(sizeOf({ columns: 40, rows: 10 }), { columns: 40, rows: 10 })
})
