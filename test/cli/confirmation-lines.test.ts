import test from 'ava'
import { isWorthALine, summarize } from '../../cli/commands/whitelist-change.ts'
import { parseName } from '../../node/identity/names.ts'
import { recordIo } from '../support/cli.ts'

const confirmation = { node: parseName('n1'), afterMs: 12 }

test('up to 64 nodes each that has applied a change is shown, and of more those that cut somebody or were slow', t => {
  t.true(isWorthALine(confirmation, 64))
  t.false(isWorthALine(confirmation, 65))
  t.false(isWorthALine({ ...confirmation, tookMs: 3, cut: 0 }, 65))
  t.true(isWorthALine({ ...confirmation, tookMs: 3, cut: 1 }, 65))
  t.true(isWorthALine({ ...confirmation, tookMs: 1_000, cut: 0 }, 65))
})

test('of a name that runs twice it is said that one machine has not confirmed, and not that it is to be forgotten', t => {
  const { io, out, err } = recordIo()
  const [n1, n2] = [parseName('n1'), parseName('n2')]
  const change = {
    confirmed: [n1, n2].map(node => ({ node, afterMs: 12 })),
    silent: [],
    left: [],
    unreachable: [n2],
  }
  summarize('c1 removed', change, {}, io)
  t.deepEqual(out.all, ['c1 removed on 2 nodes'])
  t.deepEqual(err.all, [
    'runs twice: n2; the machine that is turned away has not confirmed it',
    '  to see which machines these are: fridge doctor',
  ])
})
