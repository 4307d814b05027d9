import { randomBytes } from 'node:crypto'
import test from 'ava'
import { fromBase85, toBase85 } from '../../../node/lib/base85.ts'

test('the example of ZeroMQ RFC 32 is written and read as it is there', t => {
  const bytes = Buffer.from('864fd26fb559f75b', 'hex')
  t.is(toBase85(bytes), 'HelloWorld')
  t.deepEqual(fromBase85('HelloWorld'), bytes)
})

test('bytes of any number come back, and are a quarter longer as text', t => {
  for (let length = 0; length < 64; length += 1) {
    for (const bytes of [randomBytes(length), Buffer.alloc(length), Buffer.alloc(length, 0xff)]) {
      const text = toBase85(bytes)
      t.is(text.length, length + Math.ceil(length / 4))
      t.deepEqual(fromBase85(text), bytes)
    }
  }
})

test('no digit is escaped in JSON', t => {
  const text = toBase85(randomBytes(4_000))
  t.is(JSON.stringify(text).length, text.length + 2)
})

for (const [what, text] of [
  ['a sign that is no digit', 'Hello orld'],
  ['a sign beyond ASCII', 'HelloWörld'],
  ['one digit behind the last group', 'HelloWorldA'],
  ['a group that is more than four bytes', '#####'],
  ['a last group of which the digits say more than its bytes', '01'],
  ['a last group that is more than its bytes can say', '##'],
] as const) {
  test(`${what} is refused`, t => {
    t.is(fromBase85(text), undefined)
  })
}
