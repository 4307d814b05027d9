import test from 'ava'
import { client, testSource } from '../../support/replica-changes.ts'
import { attachEndpoint, type TestEndpoint } from '../../support/gossip-document.ts'
import { openReplica, type TestReplica } from '../../support/replica-pair.ts'
import { makePeople } from '../../support/replica-people.ts'

const people = await makePeople({ nodes: ['alpha', 'beta', 'gamma', 'delta'], operators: ['olga'] })
const AMBER = client('amber')

/** A link of a newcomer to a replica that lets in amber and removes her again. */
interface Telling {
  readonly link: TestEndpoint
  /** Send the digest, and the first change: a removed client is in. */
  begin(): Promise<void>
  /** Send all that is left. */
  end(): Promise<void>
}

async function tellOf({ replica, source }: TestReplica, to: TestReplica): Promise<Telling> {
  const sender = attachEndpoint(replica, to.replica.id)
  await sender.receive({ id: to.replica.id, clock: {} })
  const frames = sender.sent.filter(frame => !(frame instanceof Object && 'clock' in frame))
  const link = attachEndpoint(to.replica, replica.id, {
    here: to.replica.wholeness.wasWhole,
    there: replica.wholeness.wasWhole,
  })
  const first = frames.findIndex(frame => Array.isArray(frame)) + 1
  return {
    link,
    begin: async () => {
      const [holds, ...rest] = frames.slice(0, first)
      await link.receive(holds, { id: replica.id, clock: { [source]: 2 } }, ...rest)
      await to.replica.settled()
    },
    end: async () => {
      await link.receive(...frames.slice(first))
      await to.replica.settled()
    },
  }
}

/** Link a newcomer to another one, which has nothing for it. */
async function meet(
  newcomer: TestReplica,
  other: string,
  there: boolean | undefined,
): Promise<TestEndpoint> {
  const peer = testSource(other)
  const link = attachEndpoint(newcomer.replica, peer, {
    here: newcomer.replica.wholeness.wasWhole,
    there,
  })
  await link.receive({ id: peer, clock: {} }, 'SYNC')
  await newcomer.replica.settled()
  return link
}

/** A replica whose list is whole, and lets nobody in any more. */
async function openWhole(): Promise<TestReplica> {
  const alpha = openReplica(people, 'alpha')
  alpha.replica.wholeness.noteAlone()
  await alpha.grant(AMBER)
  await alpha.revoke(AMBER)
  return alpha
}

test('a newcomer that has met another one takes the list that comes then for a beginning, until all of it is there', async t => {
  const beta = openReplica(people, 'beta')
  const heard: boolean[] = []
  using _exchanged = beta.replica.wholeness.subscribe(has => heard.push(has))
  await meet(beta, 'gamma', undefined)
  t.deepEqual(heard, [true])
  const alpha = await tellOf(await openWhole(), beta)
  await alpha.begin()
  t.true(beta.isIn(AMBER))
  t.deepEqual(heard, [true, false])
  await alpha.end()
  t.false(beta.isIn(AMBER))
  t.deepEqual(heard, [true, false, true])
})

test('two newcomers that hold the same beginning do not take it for the list when the node that has it is gone', async t => {
  const beta = openReplica(people, 'beta')
  const alpha = await tellOf(await openWhole(), beta)
  await alpha.begin()
  alpha.link.dispose()
  await meet(beta, 'gamma', undefined)
  await meet(beta, 'gamma', false)
  t.false(beta.replica.wholeness.hasExchanged)
  t.false(beta.replica.wholeness.isWhole)
  await meet(beta, 'delta', true)
  t.true(beta.replica.wholeness.hasExchanged)
})

test('a link that has ended before what it brought was checked is waited for by nobody', async t => {
  const beta = openReplica(people, 'beta')
  const alpha = await tellOf(await openWhole(), beta)
  const begun = alpha.begin()
  alpha.link.dispose()
  await begun
  t.true(beta.isIn(AMBER))
  await meet(beta, 'delta', true)
  t.true(beta.replica.wholeness.hasExchanged)
})

test('attack: what one peer has begun to send, another one cannot say to be all', async t => {
  const beta = openReplica(people, 'beta')
  const alpha = await tellOf(await openWhole(), beta)
  await alpha.begin()
  await meet(beta, 'gamma', true)
  t.false(beta.replica.wholeness.hasExchanged)
  await alpha.end()
  t.true(beta.replica.wholeness.hasExchanged)
})

test('a newcomer says anew what it holds to other newcomers, and to nobody else', async t => {
  const beta = openReplica(people, 'beta')
  const gamma = await meet(beta, 'gamma', undefined)
  const delta = await meet(beta, 'delta', true)
  t.is(beta.replica.wholeness.wasWhole, undefined)
  const alpha = await tellOf(await openWhole(), beta)
  await alpha.begin()
  t.false(beta.replica.wholeness.wasWhole)
  t.is(gamma.leaves.length, 1)
  const again = await meet(beta, 'gamma', false)
  await alpha.end()
  t.true(beta.replica.wholeness.wasWhole)
  t.is(again.leaves.length, 1)
  t.deepEqual([...delta.leaves, ...alpha.link.leaves], [])
})

test('a list that two newcomers have begun themselves is whole once they have met', async t => {
  const [beta, gamma] = ['beta', 'gamma'].map(name => openReplica(people, name))
  if (beta === undefined || gamma === undefined) return t.fail()
  await gamma.grant(AMBER)
  await gamma.revoke(AMBER)
  const telling = await tellOf(gamma, beta)
  await telling.begin()
  t.false(beta.replica.wholeness.hasExchanged)
  await telling.end()
  t.true(beta.replica.wholeness.isWhole)
  t.true(beta.replica.wholeness.wasWhole)
})
