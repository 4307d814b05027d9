import test from 'ava'
import { formatTable, GrowingTable } from '../../cli/table.ts'

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
