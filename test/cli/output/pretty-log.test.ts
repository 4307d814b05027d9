import test from 'ava'
import { prettyLine } from '../../../cli/output/pretty-log.ts'

const AT = '2026-03-01T08:30:00.000Z'

test('a line of the log is a sentence with its fields behind it', t => {
  const line = JSON.stringify({
    level: 30,
    time: AT,
    node: 'node-1',
    subject: 'client/c1',
    reason: 'lost laptop',
    count: 2,
    names: ['a'],
    msg: 'refused',
  })
  t.is(
    prettyLine(line, false),
    `${AT}  info   refused  subject=client/c1  reason="lost laptop"  count=2  names=["a"]`,
  )
})

test('warnings say so in words as well as in colour', t => {
  const line = JSON.stringify({ level: 40, time: AT, node: 'node-1', msg: 'the disk is full' })
  t.is(prettyLine(line, false), `${AT}  WARN   the disk is full`)
  t.is(prettyLine(line, true), `${AT}  \u001B[33mWARN \u001B[0m  the disk is full`)
})

test('what others chose adds no line to the log, and a line that is none stays as it is', t => {
  const line = JSON.stringify({ level: 50, time: AT, msg: 'a\nb', by: 'c\u001B[8m\nd' })
  t.is(prettyLine(line, false), `${AT}  ERROR  a b  by="c\uFFFD[8m d"`)
  for (const other of ['', 'no JSON', '7', '{"level":']) t.is(prettyLine(other, true), other)
})
