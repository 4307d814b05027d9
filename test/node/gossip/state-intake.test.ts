import { rmSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { OwnSource } from '../../../node/gossip/own-source.ts'
import { parseName, subjectOf } from '../../../node/identity/names.ts'
import type { NodeStore } from '../../../node/storage/node-store.ts'
import { openSqliteStore } from '../../../node/storage/sqlite-store.ts'
import type { Signers } from '../../../node/identity/signers.ts'
import type { ChangeStore } from '../../../node/whitelist/store.ts'
import { isStray } from '../../../node/whitelist/entry.ts'
import { archivingOf } from '../../support/archiving.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { attachEndpoint, type TestEndpoint } from '../../support/gossip-document.ts'
import { attackReplica, signEntry } from '../../support/hostile-node.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { client, grantAt, OPERATOR, requestOf, testSource } from '../../support/replica-changes.ts'
import {
  openReplica,
  testNetwork,
  type TestEnd,
  type TestNetwork,
  type TestReplica,
} from '../../support/replica-pair.ts'
import { makePeople } from '../../support/replica-people.ts'

const NODES = ['alpha', 'beta', 'gamma', 'delta']
const people = await makePeople({ nodes: NODES, operators: ['olga', 'oscar'] })
const [AMBER, BASIL, COCOA] = [client('amber'), client('basil'), client('cocoa')]
const DILL = client('dill')
const [OSCAR, DELTA] = [parseName('oscar'), parseName('delta')]
const KEY = Buffer.alloc(32, 7)

/** How often amber is let in and out again. */
const TURNS = 520

/** The log of a node with more changes than a newcomer is sent, and a checkpoint over them. */
const LOG = await makeLog()

async function makeLog(node = 'alpha'): Promise<MemoryStore> {
  const store = new MemoryStore()
  // Of beta nothing stands, and nothing is the newest of its subject.
  const beta = openReplica(people, 'beta', { store })
  await beta.grant(DILL)
  await beta.revoke(DILL)
  const alpha = openReplica(people, node, { store })
  alpha.replica.wholeness.noteAlone()
  await alpha.grant(BASIL)
  await alpha.grant(DILL)
  await alpha.revoke(DILL)
  for (let turn = 0; turn < TURNS; turn += 1) {
    await alpha.grant(AMBER)
    await alpha.revoke(AMBER)
  }
  await alpha.checkpoint()
  await alpha.replica.settled()
  return store
}

function fill(store: ChangeStore, log: MemoryStore, signers: Signers, changes?: number): void {
  for (const chain of log.certificates()) signers.learn(chain)
  signers.keep(log.entries.map(one => (isStray(one) ? one.entry : one).signatures))
  store.append(log.entries.slice(0, changes))
}

/** A node that holds the whole log. */
async function openWhole(name: string, log = LOG): Promise<TestReplica> {
  const store = new MemoryStore()
  fill(store, log, people.signers(store))
  const whole = openReplica(people, name, { store })
  whole.replica.wholeness.noteAlone()
  whole.replica.checks.start()
  await whole.replica.settled()
  return whole
}

interface Scene {
  readonly open: (name: string) => TestReplica & { readonly store: NodeStore }
  /** A node that has archived all that leaves the log, and has lost it. */
  readonly openArchived: (
    name: string,
    log?: MemoryStore,
  ) => Promise<TestReplica & { readonly store: NodeStore }>
}

async function makeScene(t: ExecutionContext): Promise<Scene> {
  const folder = await makeTestFolder(t)
  let run = 1
  const open: Scene['open'] = name => {
    const store = openSqliteStore(join(folder, `${name}.db`), KEY)
    t.teardown(() => store[Symbol.dispose]())
    store.seal(KEY)
    run += 1
    const ownSource = new OwnSource({ draw: () => testSource(name, run) })
    const replica = openReplica(people, name, { store, run, ownSource, wholeness: store })
    return { ...replica, store }
  }
  const openArchived: Scene['openArchived'] = async (name, log = LOG) => {
    const { store, signers } = open(name)
    fill(store, log, signers)
    store[Symbol.dispose]()
    const again = open(name)
    again.replica.wholeness.noteAlone()
    again.replica.checks.start()
    await again.replica.settled()
    using archiving = archivingOf(again)
    t.is((await archiving.run()).changes > 1_000, true)
    again.store[Symbol.dispose]()
    rmSync(join(folder, 'archive-1.db'))
    return open(name)
  }
  return { open, openArchived }
}

function end(of: TestReplica): TestEnd {
  return { ...of, wasWhole: () => of.replica.wholeness.wasWhole }
}

/** Link a newcomer to a node, and wait until it has had the list of that. */
async function bring(from: TestReplica, to: TestReplica): Promise<TestNetwork> {
  const linked = testNetwork()
  linked.connect(end(from), end(to))
  await linked.quiet()
  return linked
}

test('a node that holds nothing is sent what a checkpoint states, and then what came behind it', async t => {
  const { open, openArchived } = await makeScene(t)
  const alpha = await openArchived('alpha')
  await alpha.grant(COCOA)
  const gamma = open('gamma')
  const { network } = await bring(alpha, gamma)
  t.deepEqual(network.refusals, [])
  t.deepEqual(network.leaves, [])
  t.deepEqual(gamma.states(), alpha.states())
  t.is(gamma.replica.whitelist.changes, alpha.replica.whitelist.changes)
  t.deepEqual(gamma.replica.whitelist.clock(), alpha.replica.whitelist.clock())
  t.false(gamma.replica.wholeness.isWhole)
  gamma.replica.stateExchange.noteOthers(1)
  t.true(gamma.replica.wholeness.isWhole)
  t.true([...gamma.store.after(alpha.replica.whitelist.clock())].length === 0)
  t.true(gamma.store.leftBehind(0, 2_000).length < 10)
})

test('attack: what a stolen node forks behind a checkpoint keeps no newcomer from beginning there', async t => {
  const { open, openArchived } = await makeScene(t)
  const alpha = await openArchived('alpha')
  const thief = { operator: people.operator('oscar'), node: people.node('delta') }
  const source = testSource('delta')
  const [one, other] = [COCOA, DILL].map(subject =>
    signEntry({ ...grantAt(source, 1, { subject }), operator: OSCAR }, '', thief),
  )
  if (one === undefined || other === undefined) return t.fail()
  const signers = [thief.operator, thief.node].map(({ signer }) => signer)
  await attackReplica(alpha.replica, source, signers).tell(one, other)
  t.true(alpha.replica.whitelist.hasEquivocated(DELTA))
  await alpha.revoke(subjectOf('operator', OSCAR))
  const gamma = open('gamma')
  const { network } = await bring(alpha, gamma)
  t.deepEqual(network.refusals, [])
  t.deepEqual(network.leaves, [])
  t.deepEqual(gamma.states(), alpha.states())
  t.true(gamma.replica.whitelist.hasEquivocated(DELTA))
  gamma.replica.stateExchange.noteOthers(1)
  t.true(gamma.replica.wholeness.isWhole)
  return undefined
})

test('attack: of a checkpoint behind a fork no state is sent', async t => {
  const { open, openArchived } = await makeScene(t)
  const alpha = await openArchived('alpha')
  const thief = { operator: people.operator(), node: people.node('beta') }
  const source = testSource('beta')
  const [first] = LOG.ofSource(source, 1)
  if (first === undefined) return t.fail()
  const rival = signEntry(grantAt(source, 2, { subject: COCOA }), first.hash, thief)
  const signers = [thief.operator, thief.node].map(({ signer }) => signer)
  await attackReplica(alpha.replica, source, signers).tell(rival)
  t.true(alpha.replica.whitelist.hasEquivocated(parseName('beta')))
  const gamma = open('gamma')
  const { network } = await bring(alpha, gamma)
  t.deepEqual(network.refusals, [])
  t.is(gamma.replica.whitelist.changes, 0)
  t.false(gamma.replica.wholeness.isWhole)
  return undefined
})

test('a list that begins at a checkpoint survives a restart, is served by, and begins the list of others', async t => {
  const { open, openArchived } = await makeScene(t)
  const alpha = await openArchived('alpha')
  const gamma = open('gamma')
  await bring(alpha, gamma)
  gamma.replica.stateExchange.noteOthers(1)
  gamma.store[Symbol.dispose]()
  const again = open('gamma')
  t.true(again.store.isSealed)
  t.true(again.replica.wholeness.isWhole)
  t.deepEqual(again.states(), alpha.states())
  t.is((await again.grant(COCOA)).outcome, 'committed')
  const delta = open('delta')
  const { network } = await bring(again, delta)
  t.deepEqual([...network.refusals, ...network.leaves], [])
  t.deepEqual(delta.states(), again.states())
  t.is(delta.replica.whitelist.changes, again.replica.whitelist.changes)
})

test('what later changes name of before the checkpoint has come with it', async t => {
  const { open, openArchived } = await makeScene(t)
  const [alpha, beta] = [await openArchived('alpha'), await openWhole('beta')]
  const gamma = open('gamma')
  const { network, connect, quiet } = await bring(alpha, gamma)
  connect(end(beta), end(gamma))
  // It names the last grant of the operator in each source, and the checkpoint the newest entry.
  const oscar = people.operator('oscar')
  const removal = requestOf('revocation', subjectOf('operator', OPERATOR))
  await beta.request({ ...removal, operator: oscar.signer.identity.name }, oscar)
  await beta.checkpoint(oscar)
  await quiet()
  t.deepEqual(network.refusals, [])
  t.deepEqual(gamma.states(), beta.states())
  t.is(gamma.replica.whitelist.standingCheckpoints.length, 2)
})

test('where two nodes are known, nobody is let in by a checkpoint before it stands at both', async t => {
  const { open, openArchived } = await makeScene(t)
  const [alpha, beta] = [await openArchived('alpha'), await openWhole('beta')]
  const gamma = open('gamma')
  const { network, connect, quiet } = await bring(alpha, gamma)
  gamma.replica.stateExchange.noteOthers(2)
  t.true(gamma.isIn(BASIL))
  t.is(gamma.replica.stateExchange.lacking, 1)
  connect(end(beta), end(gamma))
  await quiet()
  t.deepEqual(network.refusals, [])
  t.is(gamma.replica.stateExchange.lacking, undefined)
  t.true(gamma.replica.wholeness.isWhole)
})

test('a node that starts again before a second one has answered asks again', async t => {
  const { open, openArchived } = await makeScene(t)
  const alpha = await openArchived('alpha')
  const gamma = open('gamma')
  await bring(alpha, gamma)
  gamma.store[Symbol.dispose]()
  const again = open('gamma')
  again.replica.stateExchange.noteOthers(2)
  const { connect, quiet } = await bring(alpha, again)
  t.false(again.replica.wholeness.isWhole)
  connect(end(await openWhole('beta')), end(again))
  await quiet()
  t.true(again.replica.wholeness.isWhole)
})

test('a list that begins at a checkpoint is archived behind the next one, and begins the list of others there', async t => {
  const { open, openArchived } = await makeScene(t)
  const [alpha, gamma] = [await openArchived('alpha'), open('gamma')]
  await bring(alpha, gamma)
  gamma.replica.stateExchange.noteOthers(1)
  await gamma.grant(AMBER)
  await gamma.revoke(AMBER)
  await gamma.grant(AMBER)
  await gamma.checkpoint()
  await gamma.replica.settled()
  t.deepEqual(gamma.replica.whitelist.standingCheckpoints.length, 2)
  using archiving = archivingOf(gamma)
  t.true((await archiving.run()).changes > 0)
  const before = gamma.states()
  gamma.store[Symbol.dispose]()
  const again = open('gamma')
  t.deepEqual(again.states(), before)
  t.is(again.replica.whitelist.changes, gamma.replica.whitelist.changes)
  const delta = open('delta')
  const { network } = await bring(again, delta)
  t.deepEqual([...network.refusals, ...network.leaves], [])
  t.deepEqual(delta.states(), before)
  t.is(delta.replica.whitelist.changes, again.replica.whitelist.changes)
  t.is(delta.replica.whitelist.standingCheckpoints.length, 2)
})

test('a change that has seen what a node never held ends its link by no fault of the peer, and a removal acts', async t => {
  const { open, openArchived } = await makeScene(t)
  const alpha = await openArchived('alpha')
  const gamma = open('gamma')
  await bring(alpha, gamma)
  // It was off when the checkpoint was made, with the first turns alone.
  const early = new MemoryStore()
  fill(early, LOG, people.signers(early), 10)
  const beta = openReplica(people, 'delta', { store: early })
  await beta.grant(AMBER)
  await beta.revoke(BASIL)
  const sender = attachEndpoint(beta.replica, gamma.replica.id)
  const clock = Object.fromEntries(gamma.replica.whitelist.clock())
  await sender.receive({ id: gamma.replica.id, clock })
  const link = attachEndpoint(gamma.replica, beta.replica.id)
  await link.receive(...sender.sent)
  await gamma.replica.settled()
  t.deepEqual(link.refusals, [])
  t.true(link.leaves.some(text => text.startsWith('this node lacks what a change has seen')))
  t.false(gamma.isIn(AMBER))
  t.true(gamma.replica.stateOf(BASIL).revocations.size > 0)
})

test('attack: a stolen node that shows the list of an old checkpoint lets nobody in who is out by now', async t => {
  const { open, openArchived } = await makeScene(t)
  const stolen = await openArchived('alpha')
  const beta = await openWhole('beta')
  await beta.revoke(BASIL)
  const gamma = open('gamma')
  const { network, connect, quiet } = await bring(stolen, gamma)
  gamma.replica.stateExchange.noteOthers(2)
  t.true(gamma.isIn(BASIL))
  t.false(gamma.replica.wholeness.isWhole)
  connect(end(beta), end(gamma))
  await quiet()
  t.deepEqual(network.refusals, [])
  t.false(gamma.isIn(BASIL))
  t.true(gamma.replica.wholeness.isWhole)
})

test('attack: a checkpoint of which no other node knows opens nothing', async t => {
  const { open, openArchived } = await makeScene(t)
  const stolen = await openArchived('delta', await makeLog('delta'))
  const gamma = open('gamma')
  const { connect, quiet } = await bring(stolen, gamma)
  gamma.replica.stateExchange.noteOthers(2)
  connect(end(await openWhole('beta')), end(gamma))
  await quiet()
  t.true(gamma.isIn(BASIL))
  t.false(gamma.replica.wholeness.isWhole)
})

/** Send a newcomer the state that a node has, altered. @returns why it ended the link */
async function takeAltered(
  t: ExecutionContext,
  alter: (row: unknown[], change: string) => readonly unknown[] | undefined,
): Promise<readonly string[]> {
  const { open, openArchived } = await makeScene(t)
  const alpha = await openArchived('alpha')
  const gamma = open('gamma')
  const sender = attachEndpoint(alpha.replica, gamma.replica.id, { here: true, there: undefined })
  await sender.receive({ id: gamma.replica.id, clock: {} })
  const link = attachEndpoint(gamma.replica, alpha.replica.id, { here: undefined, there: true })
  for (const frame of sender.sent) {
    if (!(frame instanceof Object && 'state' in frame)) await link.receive(frame)
    else {
      const rows = frame.state as [{ readonly change: string }, ...unknown[]][]
      const altered = rows.map(row => alter(row, row[0].change)).filter(row => row !== undefined)
      await link.receive({ state: altered })
    }
    await gamma.replica.settled()
  }
  t.is(gamma.replica.whitelist.changes === 0, link.refusals.length > 0)
  return link.refusals
}

test('attack: a state from which a removal or a grant is left out, or called spent, is refused', async t => {
  t.deepEqual(await takeAltered(t, row => row), [])
  const why = ['a state is not what its checkpoint states']
  const [grant, removal] = [
    '"grant","subject":"client/basil"',
    '"revocation","subject":"client/dill","source":"alpha',
  ]
  for (const text of [grant, removal]) {
    const isIt = (change: string): boolean => change.includes(text)
    t.deepEqual(
      await takeAltered(t, (row, change) => (isIt(change) ? [...row, 'spent'] : row)),
      why,
    )
  }
  const left = await takeAltered(t, (row, change) => (change.includes(grant) ? undefined : row))
  t.deepEqual(left, why)
})

test('attack: a state in which what is spent is called standing, or an entry is altered, is refused', async t => {
  const standing = await takeAltered(t, row => row.slice(0, 3))
  t.deepEqual(standing, ['a state is not what its checkpoint states'])
  const altered = await takeAltered(t, (row, change) => {
    const [value, ...place] = row as [object, ...unknown[]]
    return [{ ...value, change: change.replace('client/amber', 'client/apple') }, ...place]
  })
  t.is(altered.length, 1)
  t.regex(altered[0] ?? '', /is not signed by its/)
})

test('attack: a state with a signature that is not under its entry is refused, whatever the entry decides', async t => {
  // Genuine ones, of another entry: only a check of this one tells.
  const [first] = LOG.entries.flatMap(one => (isStray(one) ? [] : [one.signatures]))
  const kinds = [
    ['a grant that stands', '"grant","subject":"client/basil"', undefined],
    ['the newest removal', '"revocation","subject":"client/dill","source":"alpha', undefined],
    ['what is spent', '', 'spent'],
  ] as const
  for (const [title, text, spent] of kinds) {
    for (const [field, role] of [
      ['operatorSignature', 'operator'],
      ['nodeSignature', 'node'],
    ] as const) {
      const refusals = await takeAltered(t, (row, change) => {
        const [value, ...place] = row as [object, ...unknown[]]
        const isIt = change.includes(text) && place[2] === spent
        return isIt ? [{ ...value, [field]: first?.[field] }, ...place] : row
      })
      t.is(refusals.length, 1, `${title}: ${field}`)
      t.regex(refusals[0] ?? '', new RegExp(`is not signed by its ${role}`))
    }
  }
})

/** A store in which storing a list takes until it is let go on. */
class SlowStore extends MemoryStore {
  readonly begun = Promise.withResolvers<void>()
  mayEnd = false;

  override *beginWith(
    ...[entries, base]: Parameters<ChangeStore['beginWith']>
  ): Generator<undefined, void> {
    this.begun.resolve()
    while (!this.mayEnd) yield
    yield* super.beginWith(entries, base)
  }
}

test('while a list is being stored that a peer has brought, a change of an operator and those of other peers wait', async t => {
  const { openArchived } = await makeScene(t)
  const [alpha, beta] = [await openArchived('alpha'), await openWhole('beta')]
  const store = new SlowStore()
  const gamma = openReplica(people, 'gamma', { store })
  const sent = async (from: TestReplica): Promise<unknown[]> => {
    const sender = attachEndpoint(from.replica, gamma.replica.id, { here: true, there: undefined })
    await sender.receive({ id: gamma.replica.id, clock: {} })
    await from.replica.settled()
    return sender.sent
  }
  const attach = (from: TestReplica): TestEndpoint =>
    attachEndpoint(gamma.replica, from.replica.id, { here: undefined, there: true })
  const [first, second] = [attach(alpha), attach(beta)]
  await first.receive(...(await sent(alpha)))
  await store.begun.promise
  const granted = gamma.grant(COCOA)
  await second.receive(...(await sent(beta)))
  t.deepEqual(store.entries, [])
  store.mayEnd = true
  t.is((await granted).outcome, 'committed')
  await gamma.replica.settled()
  t.deepEqual([...first.refusals, ...second.refusals, ...first.leaves], [])
  t.true(gamma.isIn(COCOA))
  t.is(gamma.replica.whitelist.changes, alpha.replica.whitelist.changes + 1)
})

test('attack: of a state that a node does not need it keeps nothing, and two that come at once are one', async t => {
  const { open, openArchived } = await makeScene(t)
  const [alpha, gamma] = [await openArchived('alpha'), open('gamma')]
  const sender = attachEndpoint(alpha.replica, gamma.replica.id, { here: true, there: undefined })
  await sender.receive({ id: gamma.replica.id, clock: {} })
  const attach = (): TestEndpoint =>
    attachEndpoint(gamma.replica, alpha.replica.id, {
      here: gamma.replica.wholeness.wasWhole,
      there: true,
    })
  const [first, second] = [attach(), attach()]
  await Promise.all([first, second].map(async link => link.receive(...sender.sent)))
  await gamma.replica.settled()
  t.deepEqual([...first.refusals, ...second.refusals], [])
  t.is(first.leaves.length + second.leaves.length, 1)
  t.deepEqual(gamma.states(), alpha.states())
  const third = attach()
  await third.receive(...sender.sent)
  t.is(gamma.replica.backlog, 0)
  t.deepEqual(third.leaves, ['another peer has begun to bring the list meanwhile'])
})
