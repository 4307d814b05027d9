import test from 'ava'
import { parseClientHello, type ClientHello } from '../../../node/sessions/client-hello.ts'
import type { Hello } from '../../../node/wire/control.ts'

const run = 'node-1#0123456789abcdef'

test('a client that resumes nothing need say nothing', t => {
  t.deepEqual(parseClientHello({ protocol: 1 }), { knowsSealed: false })
  t.deepEqual(parseClientHello({ protocol: 1, later: [] }), { knowsSealed: false })
})

test('a client says how far it has heard each sensor of a run', t => {
  const hello = parseClientHello({ resume: { run, sensors: { door: 17, temperature: 3 } } })
  t.true(typeof hello !== 'string')
  t.like(hello, { resume: { run } })
  const { resume } = hello as ClientHello
  t.deepEqual(
    [...(resume?.sensors ?? [])],
    [
      ['door', 17],
      ['temperature', 3],
    ],
  )
})

const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`s${index}`, 1]))

for (const [title, resume] of [
  ['null', null],
  ['a text', run],
  ['a list', [run]],
  ['no run', { sensors: { door: 1 } }],
  ['a run that is none', { run: 'node-1', sensors: { door: 1 } }],
  ['no sensors', { run }],
  ['a list of sensors', { run, sensors: ['door'] }],
  ['a sensor that cannot be', { run, sensors: { 'a b': 1 } }],
  ['a prototype', JSON.parse(`{"run":"${run}","sensors":{"__proto__":1}}`)],
  ['number 0', { run, sensors: { door: 0 } }],
  ['a fraction', { run, sensors: { door: 1.5 } }],
  ['a text for a number', { run, sensors: { door: '1' } }],
  ['too large a number', { run, sensors: { door: 2 ** 53 } }],
  ['too many sensors', { run, sensors: many }],
] as [string, Hello][]) {
  test(`a client that resumes ${title} is refused`, t => {
    t.is(typeof parseClientHello({ resume }), 'string')
  })
}
