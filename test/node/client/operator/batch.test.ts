import test from 'ava'
import { SignedBatch } from '../../../../node/client/operator/batch.ts'
import {
  OperatorConnection,
  type BatchWish,
} from '../../../../node/client/operator/operator-connection.ts'
import type { NodeConnection } from '../../../../node/client/node-connection.ts'
import { systemClock } from '../../../../node/lib/clock.ts'
import { parseName, type Subject } from '../../../../node/identity/names.ts'
import { encodeChange, type Change } from '../../../../node/whitelist/change.ts'
import { entryHash } from '../../../../node/whitelist/entry.ts'
import { makeSharedCerts } from '../../../support/cluster.ts'
import { client, grantAt, revocationAt, testSource } from '../../../support/replica-changes.ts'

/** What a stolen node may propose to an operator who makes many changes at once. */

const shared = await makeSharedCerts()
const admin = await shared.certs.load('operator', 'admin')
test.after.always(() => shared.remove())

const NOW = Date.now()
const NODE_CERTIFICATE = 'f'.repeat(64)
const SOURCE = testSource('mallory')
const WISHES: readonly BatchWish[] = ['c1', 'c2', 'c3'].map(name => ({
  kind: 'grant',
  subject: client(name),
  terms: { sensors: ['door'] },
}))

interface AskedWish {
  readonly subject: Subject
  readonly wish: string
}

/** Put changes behind each other, from place `sequence` on. */
function chained(changes: readonly Change[], sequence = 1, previous = ''): Change[] {
  const certificates = {
    operatorCertificate: admin.identity.fingerprint,
    nodeCertificate: NODE_CERTIFICATE,
  }
  const chain: Change[] = []
  for (const change of changes) {
    const before = chain.at(-1)
    chain.push({
      ...change,
      sequence: sequence + chain.length,
      previous: before === undefined ? previous : entryHash(encodeChange(before), certificates),
    })
  }
  return chain
}

/** What was asked for, at places that follow each other. */
function fair(asked: readonly AskedWish[]): Change[] {
  return chained(
    asked.map(({ subject, wish }) => ({
      ...grantAt(SOURCE, 1, { subject, terms: { sensors: ['door'] } }),
      operator: parseName('admin'),
      at: NOW,
      wish,
    })),
  )
}

/** An operator at a node that proposes these texts; `signed` holds what it then signs. */
function operatorAt(
  propose: (asked: readonly AskedWish[]) => unknown,
  second?: NodeConnection,
): {
  operator: OperatorConnection
  signed: unknown[]
} {
  const signed: unknown[] = []
  const connection = {
    node: 'mallory',
    address: '127.0.0.1:1',
    methods: new Set(['propose', 'commit', 'proposeBatch', 'commitBatch', 'subjects']),
    call: async (method: string, [value]: readonly unknown[]) => {
      if (method === 'proposeBatch') return propose(value as AskedWish[])
      signed.push(value)
      const proof = { confirmed: [], silent: [], unreachable: [], left: [] }
      return { outcome: 'committed', source: SOURCE, sequence: 3, ...proof }
    },
  } as unknown as NodeConnection
  // Nothing rests on how long it waits.
  const clock = { ...systemClock, now: () => NOW, sleep: async () => {} }
  const options = { clock, ...(second && { second: async () => second }) }
  return { operator: new OperatorConnection(connection, admin, options), signed }
}

function answerOf(changes: readonly Change[]): object {
  return { texts: changes.map(encodeChange), nodeCertificate: NODE_CERTIFICATE }
}

/** A batch in which the second change is another one, and the third stands behind it. */
const second =
  (rewrite: (change: Change) => object) =>
  (asked: readonly AskedWish[]): object =>
    answerOf(
      chained(
        fair(asked).map((change, index) =>
          index === 1 ? { ...change, ...rewrite(change) } : change,
        ),
      ),
    )

const CHEATS: readonly (readonly [string, (asked: readonly AskedWish[]) => unknown, RegExp])[] = [
  ['another name', second(() => ({ subject: client('eve') })), /another change/],
  ['another wish', second(() => ({ wish: 'A'.repeat(22) })), /another wish/],
  ['other terms', second(() => ({ terms: {} })), /other terms/],
  ['another operator', second(() => ({ operator: parseName('eve') })), /another operator/],
  ['another time', second(() => ({ at: NOW - 3_600_000 })), /another time/],
  ['another node', second(() => ({ source: testSource('alpha') })), /another node/],
  ['another run', second(() => ({ source: testSource('mallory', 2) })), /do not follow/],
  [
    'one place twice',
    asked => answerOf(fair(asked).map(change => ({ ...change, sequence: 1, previous: '' }))),
    /do not follow/,
  ],
  [
    'places that name another entry before them',
    asked => {
      const [first, ...others] = fair(asked)
      return answerOf([{ ...(first as Change), reason: 'x' }, ...others])
    },
    /another reason/,
  ],
  [
    'places that are not linked',
    asked =>
      answerOf(fair(asked).map((one, i) => ({ ...one, previous: i === 0 ? '' : 'A'.repeat(43) }))),
    /do not follow/,
  ],
  ['one wish for another', asked => answerOf(fair(asked.toReversed())), /another change/],
  [
    'more than it asked for',
    asked => answerOf([...fair(asked), ...fair(asked)]),
    /cannot be read: it is no list of changes/,
  ],
  ['nothing', () => answerOf([]), /cannot be read/],
  ['no list', () => 'texts', /cannot be read/],
  ['no certificate', asked => ({ texts: fair(asked).map(encodeChange) }), /cannot be read/],
]

for (const [what, propose, why] of CHEATS) {
  test(`an operator that is proposed ${what} in a batch signs nothing of it`, async t => {
    const { operator, signed } = operatorAt(propose)
    const error = await t.throwsAsync(operator.changeBatch(WISHES, { waitMs: 0 }))
    t.like(error, { code: 'ERR_PROTOCOL' })
    t.regex(error?.message ?? '', why)
    t.deepEqual(signed, [])
  })
}

test('an operator that is proposed what it wished for signs each text by itself', async t => {
  const { operator, signed } = operatorAt(asked => answerOf(fair(asked)))
  t.like(await operator.changeBatch(WISHES, { waitMs: 0 }), { outcome: 'committed', count: 3 })
  const [signatures] = signed as string[][]
  t.is(new Set(signatures).size, 3)
})

test('a batch is not signed of which a second node does not say what it holds of one of the names', async t => {
  const answering = (answer: unknown): NodeConnection =>
    ({ node: 'alpha', call: async () => answer }) as unknown as NodeConnection
  const seen = fair(WISHES.map(one => ({ ...one, wish: 'A'.repeat(22) }))).map(one => ({
    seen: one.seen,
  }))
  for (const answer of [undefined, [], [...seen.slice(1), {}]]) {
    const { operator, signed } = operatorAt(asked => answerOf(fair(asked)), answering(answer))
    const error = await t.throwsAsync(operator.changeBatch(WISHES, { waitMs: 0 }))
    t.like(error, { code: 'ERR_CONFLICT' })
    t.regex(error?.message ?? '', /alpha does not say what it holds of /)
    t.deepEqual(signed, [])
  }
  const { operator } = operatorAt(asked => answerOf(fair(asked)), answering(seen))
  t.like(await operator.changeBatch(WISHES, { waitMs: 0 }), { outcome: 'committed' })
})

const BATCH = fair(WISHES.map(({ subject }, index) => ({ subject, wish: `${index}`.repeat(22) })))

test('a batch is signed anew only at the same places, or at later ones when its first is proven to be taken', t => {
  const signed = new SignedBatch()
  t.is(signed.whyNot(BATCH), undefined)
  signed.note(BATCH)
  t.is(signed.whyNot(chained(BATCH.map(one => ({ ...one, at: NOW + 1 })))), undefined)
  const later = chained(BATCH, 4, 'A'.repeat(43))
  t.regex(signed.whyNot(later) ?? '', /nothing proves/)
  t.regex(signed.whyNot(chained(BATCH, 1, 'A'.repeat(43))) ?? '', /nothing proves/)
  t.regex(signed.whyNot(BATCH.slice(0, 2)) ?? '', /more or fewer/)
  const otherRun = BATCH.map(one => ({ ...one, source: testSource('mallory', 2) }))
  t.regex(signed.whyNot(otherRun) ?? '', /numbers its changes anew/)
  signed.noteTaken()
  t.is(signed.whyNot(later), undefined)
  t.regex(signed.whyNot(BATCH.slice(0, 2)) ?? '', /more or fewer/)
  signed.note(later)
  t.regex(signed.whyNot(chained(BATCH, 7, 'A'.repeat(43))) ?? '', /nothing proves/)
})

test('a removal in a batch that would have seen more when it is signed anew is a second one: it is not signed', t => {
  const removals = WISHES.map(({ subject }) => revocationAt(SOURCE, 1, subject))
  const signed = new SignedBatch()
  t.true(signed.hasSameSeen(removals))
  signed.note(removals)
  t.true(signed.hasSameSeen(removals))
  const [first, ...others] = removals
  t.false(
    signed.hasSameSeen([{ ...(first as Change), seen: ['A'.repeat(43) as never] }, ...others]),
  )
})
