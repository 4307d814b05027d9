import test from 'ava'
import { forTerminal, printable } from '../../cli/printable.ts'

test('a text of somebody else is one line that no terminal obeys', t => {
  t.is(printable('a\n  b\tc\u2028d'), 'a b c d')
  t.is(printable('\u001B[31mred\u009B0m\u0007'), '\uFFFD[31mred\uFFFD0m\uFFFD')
  t.is(printable('abc\u202Ecba\u2066'), 'abc\uFFFDcba\uFFFD')
  t.is(printable('lost, 20 °C – Müller'), 'lost, 20 °C – Müller')
})

test('a terminal is shown lines and our own colours, and can be told nothing else', t => {
  const alarm = '\u001B[31mALARM\u001B[0m\n\tdoor'
  t.is(forTerminal(alarm), alarm)
  t.is(
    forTerminal('\u001B[2J\u001B]0;title\u0007\r\u202E'),
    '\uFFFD[2J\uFFFD]0;title\uFFFD\uFFFD\uFFFD',
  )
  t.is(forTerminal('\u001B[31;5m\u001B[6n'), '\uFFFD[31;5m\uFFFD[6n')
})
