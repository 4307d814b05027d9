import test from 'ava'
import { parseName, subjectOf, type Subject } from '../../node/identity/names.ts'
import {
  idOf,
  type Change,
  type ChangeId,
  type Revocation,
  type UpTo,
} from '../../node/whitelist/change.ts'
import type { Entry } from '../../node/whitelist/entry.ts'
import { SimulatedDisk } from '../simulation/simulated-disk.ts'
import { attackReplica, signEntry } from '../support/hostile-node.ts'
import {
  client,
  grantAt,
  NOON,
  requestOf,
  revocationAt,
  testSource,
} from '../support/replica-changes.ts'
import { openReplica, testNetwork, type TestReplica } from '../support/replica-pair.ts'
import { commitChange, makePeople, type Person } from '../support/replica-people.ts'

/**
 * What somebody does with the key of an operator that was removed, and the key of a node that
 * still counts or was removed as well.
 */

const EVIL = testSource('mallory')
const [AMBER, BASIL, CORAL] = [client('amber'), client('basil'), client('coral')]
const people = await makePeople({
  nodes: ['alpha', 'beta', 'mallory'],
  operators: ['olga', 'boris', 'carla'],
})
const [olga, boris, carla] = ['olga', 'boris', 'carla'].map(name => people.operator(name)) as [
  Person,
  Person,
  Person,
]
const BORIS = subjectOf('operator', parseName('boris'))
const MALLORY = subjectOf('node', parseName('mallory'))
const stolen = { operator: boris, node: people.node('mallory') }
const SIGNERS = [boris, olga, carla, stolen.node].map(({ signer }) => signer)

interface Scene {
  readonly nodes: readonly TestReplica[]
  readonly alpha: TestReplica
  readonly beta: TestReplica
  readonly quiet: () => Promise<void>
  readonly refusals: readonly unknown[]
}

async function openScene(): Promise<Scene> {
  const { connect, quiet, network } = testNetwork()
  const [alpha, beta] = [openReplica(people, 'alpha'), openReplica(people, 'beta')]
  connect(alpha, beta)
  await quiet()
  return { nodes: [alpha, beta], alpha, beta, quiet, refusals: network.refusals }
}

async function make(
  node: TestReplica,
  kind: 'grant' | 'revocation',
  subject: Subject,
  operator = olga,
): Promise<Entry> {
  const asked = { ...requestOf(kind, subject), operator: operator.signer.identity.name }
  const commit = await node.request(asked, operator)
  if (commit.outcome !== 'committed') throw new Error(commit.why)
  return commit.entry
}

async function show(node: TestReplica, ...entries: Entry[]): Promise<string | undefined> {
  const link = attackReplica(node.replica, EVIL, SIGNERS)
  await link.tell(...entries)
  link.end()
  return link.refused
}

/** What the thief signs in the name of the operator, behind an entry of the stolen node. */
function forge(change: Change, behind?: Entry, keys = stolen): Entry {
  const operator = keys.operator.signer.identity.name
  const sequence = (behind?.change.sequence ?? 0) + 1
  return signEntry({ ...change, operator, sequence }, behind?.hash ?? '', keys)
}

/** All that could be seen of a subject, as an author may have seen it. */
function frontier({ replica }: TestReplica, subject: Subject): readonly ChangeId[] {
  return replica.whitelist.frontier(subject)
}

test('a removed operator lets nobody in, by a fork below its last grant, by a later one, or in a new run', async t => {
  const { nodes, alpha, beta, quiet, refusals } = await openScene()
  // In good faith, over the node that is stolen later.
  const first = forge(grantAt(EVIL, 1, { subject: BASIL }))
  const second = forge(grantAt(EVIL, 2, { subject: CORAL }), first)
  await show(alpha, first, second)
  await make(alpha, 'grant', AMBER)
  await make(alpha, 'revocation', AMBER)
  await quiet()
  await make(beta, 'revocation', BORIS)
  await quiet()
  for (const node of nodes)
    t.true(node.isIn(BASIL) && node.isIn(CORAL), 'what it did before stands')
  const seen = frontier(alpha, AMBER)
  const attacks = [
    forge(grantAt(EVIL, 1, { subject: AMBER, seen })),
    forge(grantAt(EVIL, 2, { subject: AMBER, seen }), first),
    forge({ ...grantAt(EVIL, 3, { subject: AMBER, seen }), at: NOON - 60_000 }, second),
    forge(grantAt(testSource('mallory', 2), 1, { subject: AMBER, seen })),
  ]
  for (const attack of attacks) {
    for (const node of nodes) await show(node, attack)
    await quiet()
    for (const node of nodes) t.false(node.isIn(AMBER))
  }
  await make(beta, 'revocation', MALLORY)
  await quiet()
  for (const node of nodes) t.false(node.isIn(AMBER))
  await make(alpha, 'grant', AMBER)
  await quiet()
  for (const node of nodes) t.true(node.isIn(AMBER), 'another operator lets it in')
  t.deepEqual(refusals, [])
})

test('a removed operator that removes another one takes no removal away', async t => {
  const { nodes, alpha, quiet } = await openScene()
  await make(alpha, 'grant', AMBER)
  await make(alpha, 'revocation', AMBER)
  await make(alpha, 'grant', BASIL)
  await make(alpha, 'revocation', BORIS)
  await quiet()
  const olgas = subjectOf('operator', parseName('olga'))
  const withdrawal: Revocation = { ...revocationAt(EVIL, 1, olgas), upTo: new Map() }
  for (const node of nodes) t.is(await show(node, forge(withdrawal)), undefined)
  await quiet()
  for (const node of nodes) {
    t.false(node.isIn(AMBER), 'whom the other had removed stays out')
    t.false(node.isIn(BASIL), 'whom the other had let in is lost: the safe side')
    t.true(node.replica.whitelist.state(BORIS).revocations.size > 0)
  }
  await t.throwsAsync(make(alpha, 'grant', BASIL), { code: 'ERR_REVOKED' })
  for (const subject of [AMBER, BASIL]) await make(alpha, 'grant', subject, carla)
  await quiet()
  for (const node of nodes) t.true(node.isIn(AMBER) && node.isIn(BASIL))
})

test('the removals of a removed operator and of a removed node stay in force', async t => {
  const { nodes, alpha, quiet } = await openScene()
  await make(alpha, 'grant', AMBER)
  await make(alpha, 'grant', BASIL)
  await quiet()
  const removal = forge(revocationAt(EVIL, 1, AMBER, frontier(alpha, AMBER)))
  await show(alpha, removal)
  await quiet()
  for (const author of [BORIS, MALLORY]) {
    // Up to nothing at all: the harshest that there is.
    const { replica, signers } = alpha
    await make(alpha, 'revocation', author)
    t.is(signers.get(removal.signatures.operatorCertificate)?.identity.name, parseName('boris'))
    t.true(replica.whitelist.state(author).revocations.size > 0)
    await quiet()
    for (const node of nodes) t.false(node.isIn(AMBER))
  }
  // Made when both were out long ago: a removal all the same, which shuts out and lets nobody in.
  const late = forge(revocationAt(EVIL, 2, BASIL, frontier(alpha, BASIL)), removal)
  await show(alpha, late)
  await quiet()
  for (const node of nodes) t.false(node.isIn(BASIL))
  for (const subject of [AMBER, BASIL]) await make(alpha, 'grant', subject)
  await quiet()
  for (const node of nodes) t.true(node.isIn(AMBER) && node.isIn(BASIL))
})

test('an operator that removes another with an end of its own choosing is told to try again', async t => {
  const { alpha } = await openScene()
  await make(alpha, 'grant', AMBER, boris)
  const draft = alpha.replica.propose(requestOf('revocation', BORIS)) as Revocation
  t.is(draft.upTo?.size, 1)
  const ends: UpTo[] = [
    new Map(),
    new Map([[alpha.source, { sequence: 1, hash: 'A'.repeat(43) }]]),
    new Map([...(draft.upTo ?? []), [EVIL, { sequence: 1, hash: 'A'.repeat(43) }]]),
  ]
  for (const upTo of ends) {
    const commit = await commitChange(alpha.replica, { ...draft, upTo }, olga, alpha.signers)
    t.is(commit.outcome, 'again')
    t.true(alpha.isIn(AMBER))
  }
  const commit = await commitChange(alpha.replica, draft, olga, alpha.signers)
  t.is(commit.outcome, 'committed')
  t.true(alpha.isIn(AMBER))
})

test('a stolen node whose operator removes another up to nothing costs that one its grants, and no removal', async t => {
  const { nodes, alpha, quiet } = await openScene()
  await make(alpha, 'grant', AMBER, carla)
  await make(alpha, 'grant', BASIL, carla)
  await make(alpha, 'revocation', BASIL, carla)
  await quiet()
  const carlas = subjectOf('operator', parseName('carla'))
  const withdrawal = signEntry({ ...revocationAt(EVIL, 1, carlas), upTo: new Map() }, '', {
    operator: olga,
    node: stolen.node,
  })
  await show(alpha, withdrawal)
  await quiet()
  for (const node of nodes) {
    t.false(node.isIn(AMBER))
    t.false(node.isIn(BASIL))
  }
  await make(alpha, 'grant', AMBER)
  await quiet()
  for (const node of nodes) t.true(node.isIn(AMBER))
})

test('an older grant that a void one had replaced stands again, also after a start from disk', async t => {
  const { connect, quiet } = testNetwork()
  const disk = new SimulatedDisk()
  const alpha = openReplica(people, 'alpha', { store: disk.open() })
  const apart = openReplica(people, 'beta')
  const wide = await make(alpha, 'grant', AMBER)
  const stolen = forge(grantAt(EVIL, 1, { subject: AMBER, seen: frontier(alpha, AMBER) }))
  await show(alpha, stolen)
  const standing = ({ replica }: TestReplica): ChangeId[] =>
    replica.whitelist.state(AMBER).grants.map(({ id }) => id)
  t.deepEqual(standing(alpha), [idOf(stolen)])
  // Made where the grant of the thief has not been heard.
  await make(apart, 'revocation', BORIS)
  connect(alpha, apart)
  await quiet()
  for (const node of [alpha, apart]) t.deepEqual(standing(node), [idOf(wide)])
  const restarted = openReplica(people, 'alpha', { store: disk.open(), run: 2 })
  t.deepEqual(standing(restarted), [idOf(wide)])
})

test('a removal that names how far an author counts in what nobody holds is taken by nobody', async t => {
  const { alpha } = await openScene()
  const upTo: UpTo = new Map([[alpha.source, { sequence: 1, hash: 'A'.repeat(43) }]])
  const entry = signEntry({ ...revocationAt(EVIL, 1, BORIS), upTo }, '', {
    operator: olga,
    node: stolen.node,
  })
  t.regex((await show(alpha, entry)) ?? '', /has seen others that were not sent/)
  t.is(alpha.replica.whitelist.state(BORIS).revocations.size, 0)
})

test('a change that has seen one of another subject is taken by nobody', async t => {
  const { alpha } = await openScene()
  const removal = await make(alpha, 'revocation', BASIL)
  const seen = [idOf(removal)]
  const entry = signEntry(grantAt(EVIL, 1, { subject: AMBER, seen }), '', {
    operator: olga,
    node: stolen.node,
  })
  t.regex((await show(alpha, entry)) ?? '', /has seen others that were not sent/)
})
