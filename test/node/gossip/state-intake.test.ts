import test from 'ava'
import type { ChangeStore } from '../../../node/whitelist/store.ts'
import { archivingOf } from '../../support/archiving.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { parseName, subjectOf } from '../../../node/identity/names.ts'
import { attachEndpoint, type TestEndpoint } from '../../support/gossip-document.ts'
import { attackReplica, signEntry } from '../../support/hostile-node.ts'
import { grantAt, OPERATOR, requestOf, testSource } from '../../support/replica-changes.ts'
import { openReplica, type TestReplica } from '../../support/replica-pair.ts'
import {
  people,
  AMBER,
  BASIL,
  COCOA,
  DILL,
  OSCAR,
  DELTA,
  LOG,
  makeLog,
  fill,
  openWhole,
  makeScene,
  end,
  bring,
} from '../../support/state-scene.ts'

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
