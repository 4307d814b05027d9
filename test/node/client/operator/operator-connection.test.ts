import test from 'ava'
import {
  OperatorConnection,
  type ChangeWish,
} from '../../../../node/client/operator/operator-connection.ts'
import type { NodeConnection } from '../../../../node/client/node-connection.ts'
import { errorCode } from '../../../../node/lib/errors.ts'
import { parseName, parseSubject } from '../../../../node/identity/names.ts'
import { encodeChange, type Change, type Grant } from '../../../../node/whitelist/change.ts'
import { makeSharedCerts } from '../../../support/cluster.ts'
import { grantAt, revocationAt, testSource } from '../../../support/replica-changes.ts'

/** What a stolen node may propose to an operator, in the hope of a signature. */

const shared = await makeSharedCerts()
const admin = await shared.certs.load('operator', 'admin')
test.after.always(() => shared.remove())

const NOW = Date.now()
const subject = parseSubject('c1')
const wish: ChangeWish = {
  kind: 'grant',
  subject,
  reason: 'a fridge',
  terms: { sensors: ['door'] },
}
const fair: Grant = {
  ...grantAt(testSource('mallory'), 1, { subject, terms: wish.terms }),
  operator: parseName('admin'),
  reason: 'a fridge',
  at: NOW,
}
const removal: Change = {
  ...revocationAt(testSource('mallory'), 1, subject),
  operator: parseName('admin'),
  at: NOW,
}

/** An operator at a node that proposes this text; `signed` holds what it then signs. */
function operatorAt(text: unknown): { operator: OperatorConnection; signed: unknown[] } {
  const signed: unknown[] = []
  const connection = {
    node: 'mallory',
    address: '127.0.0.1:1',
    methods: new Set(['propose', 'commit']),
    call: async (method: string, values: readonly unknown[]) => {
      if (method === 'propose') return text
      signed.push(values)
      return { outcome: 'committed', source: fair.source, sequence: 1, confirmed: [] }
    },
  } as unknown as NodeConnection
  return { operator: new OperatorConnection(connection, admin, { clock }), signed }
}

const CHEATS: readonly (readonly [string, unknown, RegExp])[] = [
  ['a removal', encodeChange(removal), /another change/],
  ['another name', encodeChange({ ...fair, subject: parseSubject('c2') }), /another change/],
  ['another operator', encodeChange({ ...fair, operator: parseName('eve') }), /another operator/],
  ['another reason', encodeChange({ ...fair, reason: 'none' }), /another reason/],
  ['no narrowing', encodeChange({ ...fair, terms: {} }), /other terms/],
  [
    'more sensors',
    encodeChange({ ...fair, terms: { sensors: ['door', 'temperature'] } }),
    /other terms/,
  ],
  [
    'a later end',
    encodeChange({ ...fair, terms: { ...fair.terms, expiresAt: NOW } }),
    /other terms/,
  ],
  ['a time long gone', encodeChange({ ...fair, at: NOW - 3_600_000 }), /another time/],
  ['a time to come', encodeChange({ ...fair, at: NOW + 3_600_000 }), /another time/],
  ['a text that can be read in two ways', ` ${encodeChange(fair)}`, /not canonical/],
  ['what is no text', { text: encodeChange(fair) }, /not a text/],
]

for (const [what, text, why] of CHEATS) {
  test(`an operator that is proposed ${what} in the place of its wish signs nothing`, async t => {
    const { operator, signed } = operatorAt(text)
    const error = await t.throwsAsync(operator.change(wish, { waitMs: 0 }))
    t.is(errorCode(error), 'ERR_PROTOCOL')
    t.regex(error?.message ?? '', why)
    t.deepEqual(signed, [])
  })
}

test('an operator that is proposed what it wished for signs it', async t => {
  const { operator, signed } = operatorAt(encodeChange(fair))
  t.like(await operator.change(wish, { waitMs: 0 }), { outcome: 'committed' })
  t.is(signed.length, 1)
})
