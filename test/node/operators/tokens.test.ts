import test from 'ava'
import { parseName } from '../../../node/identity/names.ts'
import { tokenDigest, Tokens } from '../../../node/operators/tokens.ts'
import { makeSharedCerts } from '../../support/cluster.ts'

const shared = await makeSharedCerts()
test.after.always(() => shared.remove())

test('tokens that count no more make room for others, and until then too many are refused', async t => {
  const { identity: operator } = await shared.certs.load('operator', 'admin')
  const name = parseName('c1')
  const state = { now: 0, stands: true }
  const tokens = new Tokens({ now: () => state.now }, () => state.stands)
  const fill = (): void => {
    for (let number = 0; number < 1_024; number += 1) {
      tokens.add(tokenDigest(`${state.now} ${number}`), { name, operator, expiresAt: 10 })
    }
  }
  const add = (): void => tokens.add(tokenDigest('one more'), { name, operator, expiresAt: 30 })
  fill()
  t.throws(add, { code: 'ERR_LIMIT' })
  state.stands = false
  t.notThrows(add)
  t.is(tokens.take('one more'), undefined)
  state.stands = true
  t.is(tokens.take('0 1'), undefined)
  fill()
  t.throws(add, { code: 'ERR_LIMIT' })
  state.now = 20
  t.notThrows(add)
  t.is(tokens.take('one more'), name)
  t.is(tokens.take('one more'), undefined)
})
