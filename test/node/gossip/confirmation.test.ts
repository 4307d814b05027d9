import test from 'ava'
import { parseConfirmation, signConfirmation } from '../../../node/gossip/confirmation.ts'
import { testSource } from '../../support/replica-changes.ts'
import { makePeople } from '../../support/replica-people.ts'

const people = await makePeople({ nodes: ['beta'] })
const [text, certificate, signature] = signConfirmation(
  { node: testSource('beta'), to: testSource('alpha'), applied: 1, changes: [] },
  people.node('beta'),
)

const malformed: readonly (readonly [what: string, value: unknown])[] = [
  ['no list', {}],
  ['too few fields', [text, certificate]],
  ['no signature', [text, certificate, '!']],
  ['no JSON', ['{bad', certificate, signature]],
  ['null', ['null', certificate, signature]],
  ['a node that is none', [text.replace('beta#', 'beta'), certificate, signature]],
  ['a sequence of 0', [text.replace('"applied":1', '"applied":0'), certificate, signature]],
  ['endless text', [`${text}${' '.repeat(5_000)}`, certificate, signature]],
  [
    '33 changes',
    [
      text.replace(
        '[]',
        JSON.stringify(Array.from({ length: 33 }, () => ({ sequence: 1, tookMs: 1, cut: 0 }))),
      ),
      certificate,
      signature,
    ],
  ],
  [
    'a negative count',
    [text.replace('[]', '[{"sequence":1,"tookMs":1,"cut":-1}]'), certificate, signature],
  ],
]

for (const [what, value] of malformed) {
  test(`a confirmation with ${what} is malformed`, t => {
    t.is(typeof parseConfirmation(value), 'string')
  })
}

test('a genuine confirmation is read', t => {
  t.is(typeof parseConfirmation([text, certificate, signature]), 'object')
})
