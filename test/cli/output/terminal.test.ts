import test from 'ava'
import { forTerminal } from '../../../cli/output/terminal.ts'

test('a terminal is shown lines and our own colours, and can be told nothing else', t => {
  const alarm = '\u001B[31mALARM\u001B[0m\n\tdoor'
  t.is(forTerminal(alarm), alarm)
  t.is(
    forTerminal('\u001B[2J\u001B]0;title\u0007\r\u202E'),
    '\uFFFD[2J\uFFFD]0;title\uFFFD\uFFFD\uFFFD',
  )
  t.is(forTerminal('\u001B[31;5m\u001B[6n'), '\uFFFD[31;5m\uFFFD[6n')
  t.is(forTerminal('\u001B[8mhidden\u001B[7m'), '\uFFFD[8mhidden\uFFFD[7m')
})
