import test from 'ava'
import { fold, formatRows, formatTable, GrowingTable } from '../../cli/table.ts'

const ROWS = [
  ['NAME', 'STANDING', 'BY', 'WHEN', 'ALLOWED'],
  ['c1', 'granted', 'admin', '2026-03-01T08:30:00Z', 'sensors door temperature, all commands'],
  ['fridge-client-001', 'revoked', 'admin', '2026-03-01T08:30:00Z', ''],
]

test('a table that fits, or that no terminal shows, has a line a row', t => {
  for (const columns of [undefined, 120]) {
    const lines = formatTable(ROWS, columns)
    t.is(lines.length, 3)
    t.true(lines[1]?.endsWith('sensors door temperature, all commands'))
  }
})

test('what does not fit into a line of the terminal stands whole in a further one', t => {
  t.deepEqual(formatTable(ROWS, 80), [
    'NAME               STANDING  BY     WHEN',
    '    ALLOWED',
    'c1                 granted   admin  2026-03-01T08:30:00Z',
    '    sensors door temperature, all commands',
    'fridge-client-001  revoked   admin  2026-03-01T08:30:00Z',
  ])
  for (const columns of [40, 60, 80, 200]) {
    for (const line of formatTable(ROWS, columns)) t.true(line.length <= columns, line)
  }
})

test('a long cell is cut with an ellipsis on a terminal, and nowhere else', t => {
  const reason = 'x'.repeat(500)
  const [line = ''] = formatTable([['c1', reason]], 80)
  t.is(line, `c1  ${'x'.repeat(39)}…`)
  t.true(formatTable([['c1', reason]])[0]?.endsWith(reason))
})

test('a table that grows prints each row once, however many lines it takes', t => {
  const lines: string[] = []
  const table = new GrowingTable(line => lines.push(line), 30)
  table.print([['a', 'b'.repeat(20)]])
  table.print([['c'.repeat(20), 'd']])
  t.deepEqual(lines, [`a  ${'b'.repeat(20)}`, 'c'.repeat(20), '    d'])
})

test('a sentence that is too long for a cell stands below its row, whole, in lines of whole words', t => {
  const rows = [
    ['ID', 'WHAT', 'NOTE', 'AT'],
    ['a', '9.50 °C, above 8 °C for more than 1h', 'client/c1', 'noon'],
    ['b', '', 'client/c1 moved everything into the other fridge', 'noon'],
  ]
  t.deepEqual(formatRows(rows, [1, 2], 40), [
    ['ID  AT', '    WHAT', '    NOTE'],
    ['a   noon', '    9.50 °C, above 8 °C for more than 1h', '    client/c1'],
    ['b   noon', '    client/c1 moved everything into the', '    other fridge'],
  ])
  t.deepEqual(
    formatRows(rows, [1, 2]).map(lines => lines.length),
    [1, 1, 1],
  )
  const wide = formatRows(rows, [1, 2], 200)
  t.true(wide.every(lines => lines.length === 1))
})

test('a text is folded between its words, and a word that is longer than a line within it', t => {
  t.deepEqual(fold('', 20, '  '), ['  '])
  t.deepEqual(fold('one two three', 9, '  ', '> '), ['> one two', '  three'])
  t.deepEqual(fold(`a ${'b'.repeat(12)} c`, 8, '  '), ['  a', '  bbbbbb', '  bbbbbb', '  c'])
  t.deepEqual(fold('a  b', 80), ['a  b'])
})
