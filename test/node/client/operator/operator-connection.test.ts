import test, { type ExecutionContext } from 'ava'
import {
  OperatorConnection,
  type ChangeWish,
} from '../../../../node/client/operator/operator-connection.ts'
import type { NodeConnection } from '../../../../node/client/node-connection.ts'
import { systemClock } from '../../../../node/lib/clock.ts'
import { errorCode, FridgeError } from '../../../../node/lib/errors.ts'
import { parseName, parseSubject } from '../../../../node/identity/names.ts'
import { encodeChange, type Change, type Grant } from '../../../../node/whitelist/change.ts'
import { makeSharedCerts, startCluster } from '../../../support/cluster.ts'
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

/** An operator at a node that answers a wish with this text; `signed` holds what it then signs. */
function operatorAt(propose: (wish: string) => unknown): {
  operator: OperatorConnection
  signed: unknown[]
} {
  const signed: unknown[] = []
  const connection = {
    node: 'mallory',
    address: '127.0.0.1:1',
    methods: new Set(['propose', 'commit']),
    call: async (method: string, values: readonly unknown[]) => {
      if (method === 'propose') return propose((values[0] as { wish: string }).wish)
      signed.push(values)
      return {
        outcome: 'committed',
        source: fair.source,
        sequence: 1,
        confirmed: [],
        silent: [],
        unreachable: [],
        left: [],
      }
    },
  } as unknown as NodeConnection
  const clock = { ...systemClock, now: () => NOW }
  return { operator: new OperatorConnection(connection, admin, { clock }), signed }
}

/** A change under the wish that was asked for. */
const wished =
  (change: Change) =>
  (wish: string): string =>
    encodeChange({ ...change, wish })

const CHEATS: readonly (readonly [string, (wish: string) => unknown, RegExp])[] = [
  ['a removal', wished(removal), /another change/],
  ['another name', wished({ ...fair, subject: parseSubject('c2') }), /another change/],
  ['another operator', wished({ ...fair, operator: parseName('eve') }), /another operator/],
  ['another wish', () => encodeChange(fair), /another wish/],
  ['another reason', wished({ ...fair, reason: 'none' }), /another reason/],
  ['a place of another node', wished({ ...fair, source: testSource('alpha') }), /another node/],
  ['no narrowing', wished({ ...fair, terms: {} }), /other terms/],
  ['more sensors', wished({ ...fair, terms: { sensors: ['door', 'temperature'] } }), /other terms/],
  ['a later end', wished({ ...fair, terms: { ...fair.terms, expiresAt: NOW } }), /other terms/],
  ['a time long gone', wished({ ...fair, at: NOW - 3_600_000 }), /another time/],
  ['a time to come', wished({ ...fair, at: NOW + 3_600_000 }), /another time/],
  ['a text that can be read in two ways', wish => ` ${wished(fair)(wish)}`, /not canonical/],
  ['what is no text', wish => ({ text: wished(fair)(wish) }), /not a text/],
  [
    'a change of the version before',
    wish => wished(fair)(wish).replace('"fridge":2', '"fridge":1'),
    /of another version/,
  ],
]

for (const [what, propose, why] of CHEATS) {
  test(`an operator that is proposed ${what} in the place of its wish signs nothing`, async t => {
    const { operator, signed } = operatorAt(propose)
    const error = await t.throwsAsync(operator.change(wish, { waitMs: 0 }))
    t.is(errorCode(error), 'ERR_PROTOCOL')
    t.regex(error?.message ?? '', why)
    t.deepEqual(signed, [])
  })
}

test('an operator that is proposed what it wished for signs it', async t => {
  const { operator, signed } = operatorAt(wished(fair))
  t.like(await operator.change(wish, { waitMs: 0 }), { outcome: 'committed' })
  t.is(signed.length, 1)
})

/** An operator who is connected to the first of two nodes that share no list, and is removed there. */
async function removeAtFirst(t: ExecutionContext, name: string, isOtherUp: boolean) {
  const stolen = await startCluster(t, { certs: shared.certs })
  const other = await startCluster(t, { certs: shared.certs })
  t.teardown(async () => {
    await stolen[Symbol.asyncDispose]()
    await other[Symbol.asyncDispose]()
  })
  await shared.certs.issue('operator', name)
  const credentials = await shared.certs.load('operator', parseName(name))
  const nodes = [stolen.node(1).address, other.node(1).address]
  const operator = await OperatorConnection.connect(nodes, credentials, { clock: systemClock })
  if (!isOtherUp) await other.stop(1)
  await stolen.revoke(1, `operator/${name}`)
  return { error: await t.throwsAsync(operator.status(), { instanceOf: FridgeError }), nodes }
}

test('an operator whom one node throws out is told of another one that lets it in', async t => {
  const { error, nodes } = await removeAtFirst(t, 'olga', true)
  const [, other] = nodes
  t.is(error.code, 'ERR_CLOSED')
  t.regex(error.message, /operator\/olga has been removed from the whitelist; node-1 lets you in/)
  t.is(error.fix, `go on with --node 127.0.0.1:${other?.port}, and look into node-1`)
})

test('an operator whom one node throws out is told so where no other can be asked', async t => {
  const { error } = await removeAtFirst(t, 'otto', false)
  t.is(error.code, 'ERR_REVOKED')
  t.regex(error.message, /has been removed from the whitelist\n {2}- nothing listens/)
})
