import test from 'ava'
import { areEnough, isLastWord, isOver } from '../../../node/client/last-words.ts'
import { FridgeError, type ErrorCode } from '../../../node/lib/errors.ts'

const failure = (code: ErrorCode, cause?: unknown): FridgeError =>
  new FridgeError(code, 'it failed', { cause })
/** That a node refuses, known by its certificate. */
const refusal = (node: string): FridgeError => new FridgeError('ERR_REVOKED', 'no', { node })
const REVOKED = failure('ERR_REVOKED')
const GONE = failure('ERR_UNREACHABLE')

test('a node that cannot be reached, or may take one later, has not said its last word', t => {
  t.true(isLastWord(failure('ERR_NOT_TRUSTED')))
  for (const code of ['ERR_UNREACHABLE', 'ERR_ISOLATED', 'ERR_LIMIT'] as const) {
    t.false(isLastWord(failure(code)))
  }
})

test('two nodes that refuse for good are enough', t => {
  t.false(areEnough([REVOKED, GONE]))
  t.true(areEnough([REVOKED, GONE, failure('ERR_EXPIRED')]))
})

test('attack: one node that refuses at two addresses is not enough', t => {
  t.false(areEnough([refusal('node-1'), refusal('node-1')]))
  t.true(areEnough([refusal('node-1'), refusal('node-1'), refusal('node-2')]))
})

for (const [what, error, nodes, expected] of [
  [
    'one node refuses at two of three addresses',
    failure('ERR_REVOKED', [refusal('node-1'), refusal('node-1')]),
    3,
    false,
  ],
  [
    'one node refuses at all addresses that are known',
    failure('ERR_REVOKED', [refusal('node-1'), refusal('node-1')]),
    2,
    true,
  ],
  ['the only node refuses', REVOKED, 1, true],
  ['one of two nodes refuses', REVOKED, 2, false],
  ['both of two nodes refuse', failure('ERR_REVOKED', [REVOKED, REVOKED]), 2, true],
  ['two of nine nodes refuse', failure('ERR_REVOKED', [REVOKED, REVOKED]), 9, true],
  ['one refuses and one is gone', failure('ERR_REVOKED', [REVOKED, GONE]), 2, false],
  ['the only node is gone', GONE, 1, false],
  ['the program is at fault', new TypeError('no'), 2, true],
] as const) {
  test(`when ${what} it is ${expected ? 'over' : 'not over'}`, t => {
    t.is(isOver(error, nodes), expected)
  })
}
