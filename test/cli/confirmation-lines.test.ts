import test from 'ava'
import { isWorthALine } from '../../cli/commands/whitelist-change.ts'
import { parseName } from '../../node/identity/names.ts'

const confirmation = { node: parseName('n1'), afterMs: 12 }

test('up to 64 nodes each that has applied a change is shown, and of more those that cut somebody or were slow', t => {
  t.true(isWorthALine(confirmation, 64))
  t.false(isWorthALine(confirmation, 65))
  t.false(isWorthALine({ ...confirmation, tookMs: 3, cut: 0 }, 65))
  t.true(isWorthALine({ ...confirmation, tookMs: 3, cut: 1 }, 65))
  t.true(isWorthALine({ ...confirmation, tookMs: 1_000, cut: 0 }, 65))
})
