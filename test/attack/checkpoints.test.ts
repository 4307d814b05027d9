import test from 'ava'
import { parseName, subjectOf, WHOLE_LIST, type Name } from '../../node/identity/names.ts'
import { idOf, type Change, type Checkpoint, type UpTo } from '../../node/whitelist/change.ts'
import { StateRoot } from '../../node/whitelist/state-root.ts'
import { attackReplica, signEntry } from '../support/hostile-node.ts'
import { MemoryStore } from '../support/memory-store.ts'
import {
  client,
  grantAt,
  NOON,
  OPERATOR,
  requestOf,
  revocationAt,
  testSource,
  wishOf,
} from '../support/replica-changes.ts'
import {
  openReplica,
  testNetwork,
  type TestReplica,
  type TestReplicaOptions,
} from '../support/replica-pair.ts'
import { commitChange, makePeople, type Person } from '../support/replica-people.ts'

/**
 * What the thief of an authority that was withdrawn does, or of a certificate that has ended; and
 * whoever has a checkpoint signed that is not true.
 */

const DAY_MS = 86_400_000
const [AMBER, BASIL] = [client('amber'), client('basil')]
const EVIL = testSource('mallory')
const people = await makePeople({
  nodes: ['alpha', 'beta', 'gamma', 'mallory'],
  operators: ['olga', 'boris'],
})
const [olga, boris] = [people.operator('olga'), people.operator('boris')]
/** Made by a former authority, for a name of its own and for one that there is. */
const oldOlga = await people.issue('operator', 'olga', { byFormer: true })
const oldMallory = await people.issue('node', 'mallory', { byFormer: true })
const short = { now: NOON - 20 * DAY_MS, days: 2 }
const endedOlga = await people.issue('operator', 'olga', short)
const endedMallory = await people.issue('node', 'mallory', short)
const mallory = people.node('mallory')
const gammaNode = people.node('gamma')
const BORIS = parseName('boris')

interface Scene {
  readonly alpha: TestReplica
  readonly beta: TestReplica
  readonly nodes: readonly TestReplica[]
  readonly untrue: string[]
  readonly quiet: () => Promise<void>
  readonly connect: ReturnType<typeof testNetwork>['connect']
}

async function openScene(options: TestReplicaOptions = {}): Promise<Scene> {
  const { connect, quiet } = testNetwork()
  const untrue: string[] = []
  const onUntrue: TestReplicaOptions['onUntrue'] = ({ change }) => void untrue.push(change.operator)
  const alpha = openReplica(people, 'alpha', { onUntrue, ...options })
  const beta = openReplica(people, 'beta', { onUntrue })
  connect(alpha, beta)
  await quiet()
  return { alpha, beta, nodes: [alpha, beta], untrue, quiet, connect }
}

interface Thief {
  readonly operator: Person
  readonly node: Person
}

/** Show a node changes that these have signed, behind each other. @returns why it ended the link */
async function show(
  { replica }: TestReplica,
  changes: readonly Change[],
  { operator, node }: Thief,
): Promise<string | undefined> {
  const link = attackReplica(replica, EVIL, [operator.signer, node.signer])
  let previous = ''
  for (const change of changes) {
    const entry = signEntry({ ...change, previous }, previous, { operator, node })
    previous = entry.hash
    await link.tell(entry)
  }
  link.end()
  await replica.settled()
  return link.refused
}

/** A checkpoint of the empty list, which is true where it has no heads. */
function checkpointAt(
  { signers }: TestReplica,
  heads: UpTo = new Map(),
  operator: Name = OPERATOR,
): Checkpoint {
  return {
    kind: 'checkpoint',
    subject: WHOLE_LIST,
    source: EVIL,
    sequence: 1,
    previous: '',
    operator,
    at: NOON,
    wish: wishOf('a checkpoint'),
    seen: [],
    heads,
    state: new StateRoot().root(),
    subjects: 0,
    former: signers.formerAuthorities(),
  }
}

/** What a backup of this moment holds. */
function backupOf(store: MemoryStore): MemoryStore {
  const backup = new MemoryStore()
  backup.append(store.entries)
  for (const chain of store.certificates()) backup.keepCertificate(chain.join(), chain)
  return backup
}

const THIEVES: readonly (readonly [string, Thief, number])[] = [
  ['an operator of a former authority, dated now', { operator: oldOlga, node: mallory }, NOON],
  [
    'an operator of a former authority, dated back',
    { operator: oldOlga, node: mallory },
    NOON - 30 * DAY_MS,
  ],
  ['a node of a former authority', { operator: olga, node: oldMallory }, NOON],
  [
    'an operator whose certificate has ended, dated back',
    { operator: endedOlga, node: mallory },
    NOON - 19 * DAY_MS,
  ],
  [
    'a node whose certificate has ended, dated back',
    { operator: olga, node: endedMallory },
    NOON - 19 * DAY_MS,
  ],
]

for (const [title, thief, at] of THIEVES) {
  test(`attack: behind a checkpoint ${title} lets nobody in`, async t => {
    const { alpha, beta, nodes, quiet } = await openScene()
    t.is((await alpha.checkpoint()).outcome, 'committed')
    await quiet()
    const grants = [{ ...grantAt(EVIL, 1, { subject: AMBER }), at }]
    t.is(await show(alpha, grants, thief), undefined)
    await quiet()
    for (const node of nodes) {
      t.is(node.replica.whitelist.changes, 2, 'it is in the log')
      t.false(node.isIn(AMBER))
    }
    // Whoever counts lets the same name in on top of it.
    t.is((await beta.grant(AMBER)).outcome, 'committed')
    await quiet()
    for (const node of nodes) t.true(node.isIn(AMBER))
  })

  test(`attack: a checkpoint takes away what ${title} had let in unseen`, async t => {
    const { alpha, beta, quiet, connect } = await openScene()
    const gamma = openReplica(people, 'gamma')
    t.is(await show(gamma, [{ ...grantAt(EVIL, 1, { subject: AMBER }), at }], thief), undefined)
    t.true(gamma.isIn(AMBER), 'there is no checkpoint yet')
    await alpha.checkpoint()
    await quiet()
    connect(gamma, beta)
    await quiet()
    for (const node of [alpha, beta, gamma]) t.false(node.isIn(AMBER))
  })
}

test('what was granted before a checkpoint stands behind it, and a removal counts whoever signs it', async t => {
  const { alpha, nodes, quiet } = await openScene()
  const old = { operator: oldOlga, node: oldMallory }
  const before = [grantAt(EVIL, 1, { subject: AMBER }), grantAt(EVIL, 2, { subject: BASIL })]
  t.is(await show(alpha, before, old), undefined)
  await alpha.checkpoint()
  await quiet()
  for (const node of nodes) t.true(node.isIn(AMBER) && node.isIn(BASIL))
  t.is(await show(alpha, [...before, revocationAt(EVIL, 3, AMBER)], old), undefined)
  await quiet()
  for (const node of nodes) {
    t.false(node.isIn(AMBER))
    t.true(node.isIn(BASIL))
  }
})

test('attack: a checkpoint that is not true is named with its operator, and does nothing', async t => {
  const { alpha, nodes, untrue, quiet } = await openScene()
  await alpha.grant(AMBER)
  await quiet()
  const heads = new Map(alpha.replica.whitelist.heads())
  const lie = checkpointAt(alpha, heads, BORIS)
  t.is(await show(alpha, [lie], { operator: boris, node: mallory }), undefined)
  await quiet()
  t.deepEqual(untrue, ['boris', 'boris'])
  const { whitelist } = alpha.replica
  t.deepEqual(whitelist.standingCheckpoints, [])
  for (const node of nodes) t.true(node.isIn(AMBER))
})

test('attack: a checkpoint that has seen what nobody has made is not taken', async t => {
  const { alpha } = await openScene()
  const heads: UpTo = new Map([[testSource('gamma'), { sequence: 3, hash: 'A'.repeat(43) }]])
  const made = checkpointAt(alpha, heads, BORIS)
  const refused = await show(alpha, [made], { operator: boris, node: mallory })
  t.regex(refused ?? '', /has seen others that were not sent/)
  t.is(alpha.replica.whitelist.changes, 0)
})

test('attack: a checkpoint of an operator who was removed out of sight of it does nothing', async t => {
  const { alpha, nodes, quiet } = await openScene()
  await alpha.request({ ...requestOf('revocation', subjectOf('operator', BORIS)) })
  await quiet()
  const late = checkpointAt(alpha, new Map(), BORIS)
  t.is(await show(alpha, [late], { operator: boris, node: mallory }), undefined)
  await quiet()
  for (const { replica } of nodes) t.deepEqual(replica.whitelist.standingCheckpoints, [])
})

test('what a checkpoint has taken away comes back with the removal of who signed it', async t => {
  const { alpha, nodes, quiet } = await openScene()
  // Of the empty list, which is true, and calls former who is.
  const early = checkpointAt(alpha, new Map(), BORIS)
  t.is(
    await show(alpha, [grantAt(EVIL, 1, { subject: AMBER })], { operator: oldOlga, node: mallory }),
    undefined,
  )
  await quiet()
  const other = testSource('gamma')
  const link = attackReplica(alpha.replica, other, [boris.signer, gammaNode.signer])
  await link.tell(signEntry({ ...early, source: other }, '', { operator: boris, node: gammaNode }))
  link.end()
  await alpha.replica.settled()
  await quiet()
  for (const node of nodes) t.false(node.isIn(AMBER))
  const removal = revocationAt(testSource('gamma', 2), 1, subjectOf('operator', BORIS))
  const second = attackReplica(alpha.replica, other, [olga.signer, gammaNode.signer])
  const entry = signEntry({ ...removal, upTo: new Map() }, '', {
    operator: olga,
    node: gammaNode,
  })
  await second.tell(entry)
  second.end()
  await quiet()
  for (const node of nodes) t.true(node.isIn(AMBER))
})

test('attack: a former authority calls the present one former in vain', async t => {
  const { alpha, nodes, quiet } = await openScene()
  const present = olga.signer.authority
  if (present === undefined) return t.fail()
  const usurping = { ...checkpointAt(alpha), former: [present] }
  t.is(await show(alpha, [usurping], { operator: oldOlga, node: oldMallory }), undefined)
  await quiet()
  await alpha.grant(AMBER)
  await quiet()
  for (const node of nodes) {
    t.true(node.isIn(AMBER))
    t.deepEqual(node.replica.whitelist.standingCheckpoints, [])
  }
})

test('two checkpoints that were made at once both count, and all nodes agree', async t => {
  const { alpha, quiet, connect } = await openScene()
  const gamma = openReplica(people, 'gamma')
  await alpha.grant(AMBER)
  await gamma.grant(BASIL)
  t.is((await alpha.checkpoint()).outcome, 'committed')
  t.is((await gamma.checkpoint()).outcome, 'committed')
  connect(gamma, alpha)
  await quiet()
  for (const node of [alpha, gamma]) {
    t.is(node.replica.whitelist.standingCheckpoints.length, 2)
    t.true(node.isIn(AMBER) && node.isIn(BASIL))
  }
})

test('attack: what a checkpoint has left behind is no way to have seen a removal', async t => {
  const { alpha, nodes, quiet } = await openScene()
  await alpha.revoke(AMBER)
  const first = await alpha.grant(AMBER)
  await alpha.grant(AMBER)
  await alpha.checkpoint()
  await quiet()
  if (first.outcome !== 'committed') return t.fail()
  const late = grantAt(EVIL, 1, { subject: AMBER, seen: [idOf(first.entry)] })
  t.is(await show(alpha, [late], { operator: olga, node: mallory }), undefined)
  await quiet()
  for (const { replica } of nodes) t.is(replica.whitelist.state(AMBER).grants.length, 1)
})

test('no older grant comes back behind a checkpoint when the author of the later one is removed', async t => {
  const { alpha, nodes, quiet } = await openScene()
  const first = await alpha.grant(AMBER)
  if (first.outcome !== 'committed') return t.fail()
  const later = { ...grantAt(EVIL, 1, { subject: AMBER, seen: [idOf(first.entry)] }) }
  const by = { operator: boris, node: mallory }
  t.is(await show(alpha, [{ ...later, operator: BORIS }], by), undefined)
  await quiet()
  const removal = { ...revocationAt(testSource('gamma'), 1, subjectOf('operator', BORIS)) }
  const unseen = signEntry({ ...removal, upTo: new Map() }, '', { operator: olga, node: gammaNode })
  await alpha.checkpoint()
  await quiet()
  const link = attackReplica(alpha.replica, testSource('gamma'), [olga.signer, gammaNode.signer])
  await link.tell(unseen)
  link.end()
  await alpha.replica.settled()
  await quiet()
  for (const node of nodes) t.false(node.isIn(AMBER))
  t.is((await alpha.grant(AMBER)).outcome, 'committed')
  t.true(alpha.isIn(AMBER))
})

test('attack: a checkpoint that leaves out what a grant has seen takes nothing from it', async t => {
  const { alpha, nodes, untrue, quiet } = await openScene()
  await alpha.revoke(AMBER)
  const seen = alpha.replica.whitelist.frontier(AMBER)
  const grant = grantAt(EVIL, 1, { subject: AMBER, seen })
  t.is(await show(alpha, [grant], { operator: olga, node: mallory }), undefined)
  await quiet()
  const head = new Map(alpha.replica.whitelist.heads()).get(EVIL)
  if (head === undefined) return t.fail()
  // Of the grant alone: without the removal that it has seen.
  const heads: UpTo = new Map([[EVIL, head]])
  const root = new StateRoot()
  root.add({ subject: AMBER, revocations: [], grants: [head.hash] })
  const crafted = { ...checkpointAt(alpha, heads, BORIS), state: root.root(), subjects: 1 }
  const other = testSource('gamma')
  const link = attackReplica(alpha.replica, other, [boris.signer, gammaNode.signer])
  const by = { operator: boris, node: gammaNode }
  await link.tell(signEntry({ ...crafted, source: other, former: [] }, '', by))
  link.end()
  await alpha.replica.settled()
  await quiet()
  t.deepEqual(untrue, ['boris', 'boris'])
  for (const node of nodes) t.true(node.isIn(AMBER))
})

test('a node that starts again takes its checkpoints for true until it has looked', async t => {
  const store = new MemoryStore()
  const { alpha, quiet } = await openScene({ store })
  await alpha.checkpoint()
  const thief = { operator: oldOlga, node: mallory }
  await show(alpha, [grantAt(EVIL, 1, { subject: AMBER })], thief)
  await quiet()
  const again = openReplica(people, 'alpha', { store, run: 2 })
  t.false(again.isIn(AMBER))
  again.replica.checks.start()
  await again.replica.settled()
  t.false(again.isIn(AMBER))
  t.is(again.replica.whitelist.standingCheckpoints.length, 1)
})

test('a backup of before a checkpoint learns of it, and of nobody who is out', async t => {
  const store = new MemoryStore()
  const { alpha, quiet, connect } = await openScene({ store })
  await alpha.grant(AMBER)
  const backup = backupOf(store)
  await alpha.revoke(AMBER)
  await alpha.checkpoint()
  await quiet()
  const restored = openReplica(people, 'gamma', { store: backup })
  t.true(restored.isIn(AMBER))
  connect(restored, alpha)
  await quiet()
  t.false(restored.isIn(AMBER))
  t.is(restored.replica.whitelist.standingCheckpoints.length, 1)
})

test('only the checkpoint that a node has proposed is taken from its operator', async t => {
  const { alpha } = await openScene()
  await alpha.grant(AMBER)
  const { wish } = requestOf('grant', AMBER)
  const request = { kind: 'checkpoint', operator: OPERATOR, wish } as const
  const proposed = await alpha.replica.proposeCheckpoint(request)
  for (const other of [{ heads: new Map() }, { state: 'A'.repeat(43) }, { former: [] }]) {
    const { outcome } = await commitChange(
      alpha.replica,
      { ...proposed, ...other },
      olga,
      alpha.signers,
    )
    t.is(outcome, 'again')
  }
  t.is((await commitChange(alpha.replica, proposed, olga, alpha.signers)).outcome, 'committed')
})
