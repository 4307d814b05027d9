import test from 'ava'
import { styled, wantsColours } from '../../../cli/output/style.ts'
import { forTerminal } from '../../../cli/output/terminal.ts'

test('colours are for terminals that have some, and for people who want them', t => {
  t.true(wantsColours(true, {}))
  t.true(wantsColours(true, { NO_COLOR: '', TERM: 'xterm' }))
  t.false(wantsColours(false, {}))
  t.false(wantsColours(true, { NO_COLOR: '1' }))
  t.false(wantsColours(true, { TERM: 'dumb' }))
})

test('every style of ours reaches the terminal', t => {
  for (const style of ['bold', 'dim', 'red', 'green', 'yellow'] as const) {
    const text = styled('x', style, true)
    t.not(text, 'x')
    t.is(forTerminal(text), text)
    t.is(styled('x', style, false), 'x')
  }
})
