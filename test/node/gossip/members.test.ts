import test from 'ava'
import { MEMBER_LIMITS } from '../../../node/gossip/member.ts'
import { placeOfPart } from '../../../node/gossip/member-part.ts'
import { parseName, type Source } from '../../../node/identity/names.ts'
import {
  attachMallory,
  memberUpdate,
  namesOf,
  openMembers,
  profileOf,
  STATE,
  type TestMembers,
} from '../../support/members.ts'
import { NOON, testSource } from '../../support/replica-changes.ts'
import { testNetwork } from '../../support/replica-pair.ts'
import { makePeople } from '../../support/replica-people.ts'

const HOUR_MS = 3_600_000
const ALPHA = testSource('alpha')
const BETA = testSource('beta')
const people = await makePeople({ nodes: ['alpha', 'beta', 'gamma', 'mallory'] })
const mallory = people.node('mallory')

/** Three nodes, each linked to the next by gossip. */
function openThree(): {
  ends: [TestMembers, TestMembers, TestMembers]
  quiet: () => Promise<void>
} {
  const { connect, quiet } = testNetwork()
  const ends: [TestMembers, TestMembers, TestMembers] = [
    openMembers(people, 'alpha'),
    openMembers(people, 'beta'),
    openMembers(people, 'gamma'),
  ]
  connect(ends[0], ends[1])
  connect(ends[1], ends[2])
  return {
    ends,
    quiet: async () => {
      for (const { clock } of ends) await clock.advance(10)
      await quiet()
    },
  }
}

test('each node hears what every other says of itself', async t => {
  const { ends, quiet } = openThree()
  await quiet()
  for (const { replica } of ends) t.deepEqual(namesOf(replica.list()), ['alpha', 'beta', 'gamma'])
  const [alpha, , gamma] = ends
  alpha.replica.say({ vitals: { temperature: 4 } })
  alpha.replica.advertise(['10.0.0.1:7443'])
  await quiet()
  const heard = gamma.replica.get(alpha.replica.id)
  t.deepEqual(heard?.vitals, { temperature: 4 })
  t.deepEqual(heard?.addresses, ['10.0.0.1:7443'])
})

test('what a node says within a few milliseconds goes out as one update', async t => {
  const { ends, quiet } = openThree()
  await quiet()
  const [alpha] = ends
  const place = placeOfPart(ALPHA, 'state')
  const before = alpha.replica.sources[place] ?? 0
  const links = Array.from({ length: 20 }, (_, run) => testSource('gamma', run + 1))
  for (const link of links) alpha.replica.say({ links: [link] })
  await quiet()
  t.is(alpha.replica.sources[place], before + 1)
  t.is(alpha.replica.sources[ALPHA], 1, 'what has not changed is not said again')
  t.deepEqual(ends[2].replica.get(ALPHA)?.links, links.slice(-1))
})

test('a node says no more of itself than its peers take', async t => {
  const { ends, quiet } = openThree()
  const [alpha, beta] = ends
  const many = Array.from({ length: 1_025 }, (_, run) => testSource('gamma', run + 1))
  const addresses = Array.from({ length: 9 }, (_, port) => `alpha:${port + 1}`)
  alpha.replica.say({ links: many })
  alpha.replica.advertise(addresses)
  await quiet()
  const heard = beta.replica.get(alpha.replica.id)
  t.is(heard?.links.length, 1_024)
  t.is(heard?.addresses.length, 8)
})

test('live is who can be reached over links that both of their ends hold up', async t => {
  const { ends, quiet } = openThree()
  const [alpha, beta, gamma] = ends
  const ids = ends.map(({ replica }) => replica.id)
  const [a, b, c] = ids
  if (!a || !b || !c) return t.fail()
  alpha.replica.say({ links: [b] })
  beta.replica.say({ links: [a, c] })
  gamma.replica.say({ links: [b] })
  await quiet()
  for (const { replica } of ends) t.is(replica.live().size, 3)
  // Its last words name its links, but the other end has let go.
  beta.replica.say({ links: [a] })
  await quiet()
  for (const { replica } of ends) t.is(replica.live().size, 3, 'one word alone ends nobody')
  for (const { clock } of ends) await clock.advance(2_000)
  t.deepEqual(namesOf(alpha.replica.live().values()), ['alpha', 'beta'])
  t.deepEqual([...alpha.replica.unreachable().keys()].map(String).sort(), ['gamma'])
  t.deepEqual(namesOf(gamma.replica.live().values()), ['gamma'])
  t.deepEqual([...gamma.replica.unreachable().keys()].map(String).sort(), ['alpha', 'beta'])
})

test('of the runs of a node that cannot be reached the latest is told, and none of one that can', async t => {
  const { connect, quiet } = testNetwork()
  const alpha = openMembers(people, 'alpha')
  const first = openMembers(people, 'beta', { run: 1, startedAt: NOON })
  const second = openMembers(people, 'beta', { run: 2, startedAt: NOON + 1 })
  connect(alpha, second)
  connect(alpha, first)
  await quiet()
  t.is(alpha.replica.unreachable().get(parseName('beta'))?.source, second.replica.id)
  t.is(alpha.replica.unreachable().size, 1)
  alpha.replica.say({ links: [second.replica.id] })
  second.replica.say({ links: [alpha.replica.id] })
  for (const { clock } of [alpha, second]) await clock.advance(10)
  await quiet()
  t.is(alpha.replica.unreachable().size, 0)
})

test('attack: a peer that speaks as this very run is refused, whoever has signed it', async t => {
  const { replica } = openMembers(people, 'alpha')
  const { end, send } = await attachMallory(people, replica)
  const before = replica.self
  const alpha = people.node('alpha')
  await send(memberUpdate({ ...STATE, left: true }, alpha, { run: ALPHA, sequence: 1e15 }))
  t.deepEqual(end.refusals, ['a member claims to be this node'])
  t.is(replica.self, before)
})

test('last words leave at once where others are gathered: the link ends behind them', async t => {
  const { replica, clock } = openMembers(people, 'alpha')
  const { end, send } = await attachMallory(people, replica)
  await send('SYNC')
  for (let run = 2; run <= 9; run += 1) await send(profileOf(testSource('mallory', run), mallory))
  await clock.advance(1_000)
  const saidBefore = end.sent.length
  replica.leave()
  t.regex(JSON.stringify(end.sent.slice(saidBefore)), /left/)
})

test('a stopped document says nothing more', async t => {
  const { replica, clock } = openMembers(people, 'alpha')
  replica.say({ links: [BETA] })
  replica[Symbol.dispose]()
  await clock.advance(1_000)
  t.is(clock.pending, 0)
})

/** A node that knows of eight runs of another, so that it is one of many. */
async function openAmongMany(): Promise<TestMembers> {
  const members = openMembers(people, 'alpha')
  const { send } = await attachMallory(people, members.replica)
  const mallory = people.node('mallory')
  for (let run = 1; run <= 8; run += 1) await send(profileOf(testSource('mallory', run), mallory))
  return members
}

test('among many, links are told at once and then no more than once a second', async t => {
  const { replica, clock } = await openAmongMany()
  const told = (): readonly Source[] | undefined => replica.get(ALPHA)?.links
  await clock.advance(1_000)
  replica.say({ links: [BETA] })
  await clock.advance(5)
  t.deepEqual(told(), [BETA])
  replica.say({ links: [] })
  await clock.advance(900)
  t.deepEqual(told(), [BETA])
  await clock.advance(100)
  t.deepEqual(told(), [])
})

test('vitals are told at once, then at a pace of the cluster, and a few urgent ones before it', async t => {
  const { replica, clock } = await openAmongMany()
  const told = (): unknown => replica.get(ALPHA)?.vitals
  t.is(replica.vitalsInMs, 0)
  replica.say({ vitals: { temperature: 4 } })
  await clock.advance(5)
  t.deepEqual(told(), { temperature: 4 })
  t.true(replica.vitalsInMs > 2_000)
  t.true(replica.vitalsInMs < 42_000)
  replica.say({ vitals: { temperature: 5 } })
  await clock.advance(2_000)
  t.deepEqual(told(), { temperature: 4 })
  await clock.advance(40_000)
  t.deepEqual(told(), { temperature: 5 })
  for (let temperature = 6; temperature < 11; temperature += 1) {
    replica.say({ vitals: { temperature }, isUrgent: true })
    await clock.advance(5)
    t.deepEqual(told(), { temperature })
  }
  replica.say({ vitals: { temperature: 11 }, isUrgent: true })
  await clock.advance(2_000)
  t.deepEqual(told(), { temperature: 10 }, 'more of these wait like others')
})

test('vitals that peers would not take are the mistake of who says them', t => {
  const { replica } = openMembers(people, 'alpha')
  t.throws(() => replica.say({ vitals: { note: 'x'.repeat(MEMBER_LIMITS.maxVitals) } }), {
    instanceOf: RangeError,
  })
})

test('a node says its state anew every few hours, so that nobody takes it for a ghost', async t => {
  const { replica, clock } = openMembers(people, 'alpha')
  await clock.advance(6 * HOUR_MS)
  replica.tidy()
  await clock.advance(10)
  t.is(replica.get(ALPHA)?.saidAt, NOON + 6 * HOUR_MS + 5)
})
