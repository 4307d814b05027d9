import test from 'ava'
import { errorCode, FridgeError } from '../../node/lib/errors.ts'
import type { NodeConnection } from '../../node/client/node-connection.ts'
import { parseName, parseSubject, type Subject } from '../../node/identity/names.ts'
import type { ChangeWish } from '../../node/client/operator/operator-connection.ts'
import { idOf, type Change, type ChangeId } from '../../node/whitelist/change.ts'
import type { Entry } from '../../node/whitelist/entry.ts'
import { systemClock } from '../../node/lib/clock.ts'
import { makeSharedCerts } from '../support/cluster.ts'
import { attackReplica, signEntry } from '../support/hostile-node.ts'
import { requestOf, testSource, wishOf } from '../support/replica-changes.ts'
import { openReplica, testNetwork, type TestReplica } from '../support/replica-pair.ts'
import {
  honestConnection,
  operatorAt,
  peopleOf,
  shownPage,
  stealNode,
  type StolenOptions,
} from '../support/stolen-node.ts'

/**
 * What somebody does who has stolen a node, with its key and all that it knows: it proposes to
 * operators what it likes, keeps what they sign, and shows it to honest nodes when it likes.
 */

const shared = await makeSharedCerts({
  nodes: ['alpha', 'beta', 'mallory'],
  operators: ['admin', 'boris'],
})
const credentials = await shared.certs.load('operator', 'admin')
const people = await peopleOf(shared.certs, [
  'node/alpha',
  'node/beta',
  'node/mallory',
  'operator/admin',
  'operator/boris',
])
test.after.always(() => shared.remove())
const [mallory, admin, boris] = [
  people.node('mallory'),
  people.operator('admin'),
  people.operator('boris'),
]
const SIGNERS = [mallory, admin, boris].map(({ signer }) => signer)
const EVIL = testSource('mallory')
const C1 = parseSubject('c1')
const NOBODY = 'A'.repeat(43) as ChangeId

interface Scene {
  readonly alpha: TestReplica
  readonly beta: TestReplica
  /** What the stolen node knows: it is linked as any other. */
  readonly spy: TestReplica
  readonly quiet: () => Promise<void>
}

/** Two honest nodes and a stolen one, linked. */
async function openScene(): Promise<Scene> {
  const { connect, quiet } = testNetwork()
  const open = (name: string): TestReplica => openReplica(people, name, { clock: systemClock })
  const [alpha, beta, spy] = [open('alpha'), open('beta'), open('mallory')]
  connect(alpha, beta)
  connect(beta, spy)
  await quiet()
  return { alpha, beta, spy, quiet }
}

async function change(
  node: TestReplica,
  kind: 'grant' | 'revocation',
  subject: Subject,
  operator = admin,
): Promise<void> {
  const asked = { ...requestOf(kind, subject), operator: operator.signer.identity.name }
  const { outcome } = await node.request(asked, operator)
  if (outcome !== 'committed') throw new Error(`${node.name} did not commit`)
}

/** Show what was signed to an honest node. @returns why the link was cut, if it was */
async function release(node: TestReplica, ...entries: Entry[]): Promise<string | undefined> {
  const link = attackReplica(node.replica, EVIL, SIGNERS)
  await link.tell(...entries)
  link.end()
  return link.refused
}

const GRANT: ChangeWish = {
  kind: 'grant',
  subject: C1,
  terms: { sensors: ['door'] },
  reason: 'lent',
}
const REMOVAL: ChangeWish = { kind: 'revocation', subject: C1 }

function stolen(spy: TestReplica, options: Partial<StolenOptions> = {}) {
  return stealNode({ replica: spy, self: mallory, operator: admin, ...options })
}

const FIELDS: readonly (readonly [
  field: string,
  rewrite: (change: Change) => Change,
  refused: RegExp | undefined,
])[] = [
  ['nothing', change => change, undefined],
  ['the kind', ({ ...change }) => revoked(change), /another change/],
  ['the subject', change => ({ ...change, subject: parseSubject('c2') }), /another change/],
  ['the terms', change => ({ ...change, terms: {} }) as Change, /other terms/],
  ['the operator', change => ({ ...change, operator: parseName('boris') }), /another operator/],
  ['the wish', change => ({ ...change, wish: wishOf('mine') }), /another wish/],
  ['the reason', change => ({ ...change, reason: 'given' }), /another reason/],
  ['the node', change => ({ ...change, source: testSource('alpha') }), /another node/],
  ['the time, by an hour', change => ({ ...change, at: change.at - 3_600_000 }), /another time/],
  ['the time, by a minute', change => ({ ...change, at: change.at - 60_000 }), undefined],
  ['the run', change => ({ ...change, source: testSource('mallory', 2) }), undefined],
  ['the sequence', change => ({ ...change, sequence: 7, previous: NOBODY }), undefined],
  [
    'the entry before',
    change => ({ ...change, sequence: Math.max(change.sequence, 2), previous: NOBODY }),
    undefined,
  ],
  ['what was seen, to nothing', change => ({ ...change, seen: [] }), undefined],
  ['what was seen, to what does not exist', change => ({ ...change, seen: [NOBODY] }), undefined],
  [
    'what was seen, to more than there is',
    change => ({ ...change, seen: [...change.seen, NOBODY].sort() }),
    undefined,
  ],
]

function revoked({ subject, operator, at, wish, seen, ...place }: Change): Change {
  const { source, sequence, previous } = place
  const base = { subject, operator, at, wish, seen, source, sequence, previous }
  return {
    kind: 'revocation',
    ...base,
    ...(place.reason !== undefined && { reason: place.reason }),
  }
}

for (const [field, rewrite, refused] of FIELDS) {
  test(`a proposal of which the node rewrites ${field} ${refused ? 'is not signed' : 'lets nobody in who is removed later'}`, async t => {
    const { alpha, beta, spy, quiet } = await openScene()
    await change(alpha, 'grant', C1)
    await quiet()
    const node = stolen(spy, { rewrite })
    const asked = operatorAt(node.connection, credentials).change(GRANT, { waitMs: 0 })
    if (refused !== undefined) {
      const error = await t.throwsAsync(asked)
      t.is(errorCode(error), 'ERR_PROTOCOL')
      t.regex(error?.message ?? '', refused)
      t.deepEqual(node.signed, [])
      return
    }
    await asked
    t.is(node.signed.length, 1)
    // Kept back until the client has been removed.
    await change(alpha, 'revocation', C1)
    await quiet()
    for (const honest of [alpha, beta]) await release(honest, ...node.signed)
    await quiet()
    for (const honest of [alpha, beta, spy]) t.false(honest.isIn(C1))
    // And whoever wants it in again gets it in.
    await change(beta, 'grant', C1)
    await quiet()
    for (const honest of [alpha, beta]) t.true(honest.isIn(C1))
  })
}

test('a grant that has seen what does not exist is taken by nobody, and blocks nothing', async t => {
  const { alpha, beta, spy, quiet } = await openScene()
  const node = stolen(spy, { rewrite: one => ({ ...one, seen: [NOBODY] }) })
  await operatorAt(node.connection, credentials).change(GRANT, { waitMs: 0 })
  for (const honest of [alpha, beta]) {
    t.regex((await release(honest, ...node.signed)) ?? '', /has seen others that were not sent/)
    t.is(honest.replica.whitelist.changes, 0)
  }
  await change(alpha, 'grant', C1)
  await quiet()
  t.true(beta.isIn(C1))
})

test('a grant that has not seen what a second node has seen is not signed', async t => {
  const { alpha, spy, quiet } = await openScene()
  await change(alpha, 'grant', C1)
  await change(alpha, 'revocation', C1)
  await quiet()
  const second = honestConnection(alpha, people.node('alpha'))
  for (const seen of [[], [NOBODY]]) {
    const node = stolen(spy, { rewrite: one => ({ ...one, seen }) })
    const error = await t.throwsAsync(
      operatorAt(node.connection, credentials, second).change(GRANT, { waitMs: 0 }),
    )
    t.is(errorCode(error), 'ERR_CONFLICT')
    t.regex(error?.message ?? '', /mallory and alpha do not say the same of c1/)
    t.deepEqual(node.signed, [])
  }
  const honest = stolen(spy)
  await operatorAt(honest.connection, credentials, second).change(GRANT, { waitMs: 0 })
  t.is(honest.signed.length, 1)
})

test('a second node that does not answer agrees with nobody: no grant is signed, and of a removal the operator hears', async t => {
  const { alpha, spy } = await openScene()
  const second: NodeConnection = {
    ...honestConnection(alpha, people.node('alpha')),
    call: async () => {
      throw new FridgeError('ERR_TIMEOUT', 'it does not answer')
    },
  }
  const node = stolen(spy)
  const operator = operatorAt(node.connection, credentials, second)
  const error = await t.throwsAsync(operator.change(GRANT, { waitMs: 0 }))
  t.is(errorCode(error), 'ERR_CONFLICT')
  t.regex(error?.message ?? '', /alpha does not say what it holds of c1: nothing was signed/)
  t.deepEqual(node.signed, [])
  const doubts: string[] = []
  const wish: ChangeWish = { kind: 'revocation', subject: parseSubject('operator/boris') }
  await operator.change(wish, { waitMs: 0, onDoubt: name => void doubts.push(name) })
  t.deepEqual(doubts, ['alpha'])
})

test('the removal of an operator is signed all the same, and the operator hears that two nodes differ', async t => {
  const { alpha, spy, quiet } = await openScene()
  await change(alpha, 'grant', C1, boris)
  await quiet()
  const wish: ChangeWish = { kind: 'revocation', subject: parseSubject('operator/boris') }
  const second = honestConnection(alpha, people.node('alpha'))
  const node = stolen(spy, { rewrite: one => ({ ...one, upTo: new Map() }) as Change })
  const doubts: string[] = []
  const onDoubt = (name: string): void => void doubts.push(name)
  await operatorAt(node.connection, credentials, second).change(wish, { waitMs: 0, onDoubt })
  t.deepEqual(doubts, ['alpha'])
  t.is(node.signed.length, 1)
  const honest = stolen(spy)
  await operatorAt(honest.connection, credentials, second).change(wish, { waitMs: 0, onDoubt })
  t.deepEqual(doubts, ['alpha'])
})

test('a node that says again nine times gets one signature, and one that stays at one place three', async t => {
  const { spy } = await openScene()
  const answer = () => ({ outcome: 'again', why: 'its place has been taken' }) as const
  const wandering = stolen(spy, {
    answer,
    rewrite: (one, round) => ({ ...one, sequence: round + 2, previous: NOBODY }),
  })
  const error = await t.throwsAsync(
    operatorAt(wandering.connection, credentials).change(REMOVAL, { waitMs: 0 }),
  )
  t.regex(error?.message ?? '', /nothing proves that the place of the first text is taken/)
  t.is(wandering.signed.length, 1)
  const staying = stolen(spy, { answer })
  const stopped = operatorAt(staying.connection, credentials).change(REMOVAL, { waitMs: 0 })
  t.is(errorCode(await t.throwsAsync(stopped)), 'ERR_CONFLICT')
  t.is(staying.signed.length, 3)
})

test('spare texts of one removal change nothing once the client was let in again', async t => {
  const { alpha, beta, spy, quiet } = await openScene()
  await change(alpha, 'grant', C1)
  await quiet()
  const node = stolen(spy, {
    answer: () => ({ outcome: 'again', why: 'your clock is slow' }),
    // Another time, so another text; and what it has seen changes as well.
    rewrite: (one, round) => ({
      ...one,
      at: one.at - round * 1_000,
      seen: round === 0 ? one.seen : [],
    }),
  })
  await t.throwsAsync(operatorAt(node.connection, credentials).change(REMOVAL, { waitMs: 0 }))
  t.is(new Set(node.signed.map(({ hash }) => hash)).size, 3)
  t.is(new Set(node.signed.map(idOf)).size, 1)
  const [first, ...spare] = node.signed
  if (first === undefined) return t.fail()
  await release(alpha, first)
  await quiet()
  t.false(beta.isIn(C1))
  await change(beta, 'grant', C1)
  await quiet()
  for (const honest of [alpha, beta]) {
    for (const one of spare) await release(honest, one)
  }
  await quiet()
  for (const honest of [alpha, beta]) t.true(honest.isIn(C1))
})

test('again without proof, or with one that proves nothing, is not signed', async t => {
  const { alpha, spy } = await openScene()
  await change(alpha, 'grant', C1)
  const [other] = alpha.replica.whitelist.state(C1).grants
  if (other === undefined) return t.fail()
  const rival = (place: Change, by = boris): Entry =>
    signEntry(
      { ...revoked({ ...place, subject: parseSubject('c2') }), operator: parseName('boris') },
      place.previous,
      { operator: by, node: mallory },
    )
  const proofs: readonly (readonly [what: string, proof: (entry: Entry) => unknown])[] = [
    ['nothing', () => undefined],
    ['what is no page', () => ({ entries: [], certificates: {} })],
    ['its own text', entry => shownPage(entry, [mallory, admin])],
    [
      'an entry of another place',
      entry => shownPage(rival({ ...entry.change, sequence: 9 }), [mallory, boris]),
    ],
    [
      'an entry that no operator signed',
      entry => shownPage(rival(entry.change, mallory), [mallory, boris]),
    ],
    ['an entry without certificates', entry => shownPage(rival(entry.change), [])],
  ]
  for (const [what, proof] of proofs) {
    const node = stolen(spy, {
      answer: entry => {
        const taken = proof(entry)
        return { outcome: 'again', why: 'taken', ...(taken !== undefined && { taken }) } as never
      },
      rewrite: (one, round) =>
        round === 0 ? one : { ...one, sequence: one.sequence + round, previous: NOBODY },
    })
    await t.throwsAsync(operatorAt(node.connection, credentials).change(REMOVAL, { waitMs: 0 }))
    t.is(node.signed.length, 1, what)
  }
  const honest = stolen(spy, {
    answer: (entry, round) =>
      round === 1
        ? {
            outcome: 'again',
            why: 'taken',
            taken: shownPage(rival(entry.change), [mallory, boris]),
          }
        : (undefined as never),
    rewrite: (one, round) =>
      round === 0 ? one : { ...one, sequence: one.sequence + round, previous: NOBODY },
  })
  await operatorAt(honest.connection, credentials).change(REMOVAL, { waitMs: 0 })
  t.is(honest.signed.length, 2)
})

test('a node that goes on in another run after a signature gets no second one', async t => {
  const { spy } = await openScene()
  const node = stolen(spy, {
    answer: () => ({ outcome: 'again', why: 'it was proposed before a restart' }),
    rewrite: (one, round) => ({ ...one, source: testSource('mallory', round + 1) }),
  })
  const error = await t.throwsAsync(
    operatorAt(node.connection, credentials).change(REMOVAL, { waitMs: 0 }),
  )
  t.regex(error?.message ?? '', /numbers its changes anew/)
  t.is(node.signed.length, 1)
})
