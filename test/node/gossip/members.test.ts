import test from 'ava'
import { MEMBER_LIMITS, type Member } from '../../../node/gossip/member.ts'
import { placeOfPart, signedText, type Part } from '../../../node/gossip/member-part.ts'
import { Members } from '../../../node/gossip/members.ts'
import { parseName, type Source } from '../../../node/identity/names.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { signText } from '../../../node/identity/signature.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { attachEndpoint, type TestEndpoint } from '../../support/gossip-document.ts'
import { NOON, testSource } from '../../support/replica-changes.ts'
import { testNetwork, type TestEnd } from '../../support/replica-pair.ts'
import { makePeople, type Person } from '../../support/replica-people.ts'

const ALPHA = testSource('alpha')
const BETA = testSource('beta')
const people = await makePeople({ nodes: ['alpha', 'beta', 'gamma', 'mallory'] })

interface TestMembers extends TestEnd {
  readonly replica: Members
  readonly clock: FakeClock
}

function openMembers(
  name: string,
  options: { run?: number; startedAt?: number } = {},
): TestMembers {
  const { run = 1, startedAt = NOON } = options
  const clock = new FakeClock(NOON)
  const { signer, key } = people.node(name)
  const signers = people.signers(new MemoryStore())
  const known = signers.learn(signer.chain)
  if (typeof known === 'string') throw new Error(known)
  const members = new Members({
    clock,
    random: () => 0.5,
    signers,
    signer: known,
    key,
    self: {
      name: parseName(name),
      source: testSource(name, run),
      addresses: [`${name}:1`],
      version: '0.0.0',
      startedAt,
      links: [],
    },
  })
  return { name, replica: members, clock }
}

/** Three nodes, each linked to the next by gossip. */
function openThree(): {
  ends: [TestMembers, TestMembers, TestMembers]
  quiet: () => Promise<void>
} {
  const { connect, quiet } = testNetwork()
  const ends: [TestMembers, TestMembers, TestMembers] = [
    openMembers('alpha'),
    openMembers('beta'),
    openMembers('gamma'),
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

function namesOf(members: Iterable<Member>): string[] {
  return Array.from(members, ({ name }) => String(name)).sort()
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
  const alpha = openMembers('alpha')
  const first = openMembers('beta', { run: 1, startedAt: NOON })
  const second = openMembers('beta', { run: 2, startedAt: NOON + 1 })
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

test('a stopped document says nothing more', async t => {
  const { replica, clock } = openMembers('alpha')
  replica.say({ links: [BETA] })
  replica[Symbol.dispose]()
  await clock.advance(1_000)
  t.is(clock.pending, 0)
})

interface SaidOptions {
  readonly part?: Part
  readonly sequence?: number
  readonly run?: Source
  /** What it signs as the place of its words, where that is another one. */
  readonly signed?: { readonly place?: Source; readonly sequence?: number }
}

/** What one that is not `node` itself would have to send to speak for it. */
function memberUpdate(
  words: unknown,
  { signer, key }: Person,
  { part = 'state', sequence = 1, run = testSource('mallory'), signed = {} }: SaidOptions = {},
): unknown[] {
  const place = placeOfPart(run, part)
  const member = JSON.stringify(words)
  const text = signedText(signed.place ?? place, signed.sequence ?? sequence, member)
  const value = {
    member,
    certificate: signer.identity.fingerprint,
    signature: signText(key, 'member', text),
  }
  return [value, sequence, place]
}

const PROFILE = { addresses: ['mallory:1'], version: '0.0.0', startedAt: NOON }
const STATE = { saidAt: NOON, links: [] }

function profileOf(run: Source, { sequence = 1 } = {}): unknown[] {
  return memberUpdate(PROFILE, people.node('mallory'), { part: 'profile', sequence, run })
}

async function attachMallory(
  members: Members,
): Promise<{ end: TestEndpoint; send: (...frames: unknown[]) => Promise<void> }> {
  const end = attachEndpoint(members, testSource('mallory'))
  const certificates = ['mallory', 'beta'].map(name => ({
    certificate: people.node(name).signer.chain,
  }))
  await end.receive({ id: testSource('mallory'), clock: {} }, ...certificates)
  return {
    end,
    send: async (...frames) => {
      await end.receive(...frames)
      await members.settled()
    },
  }
}

test('what a node says of itself is taken once its signature holds, each part by itself', async t => {
  const { replica } = openMembers('alpha')
  const { end, send } = await attachMallory(replica)
  const mallory = people.node('mallory')
  await send(memberUpdate({ ...STATE, links: [BETA] }, mallory))
  t.deepEqual(namesOf(replica.list()), ['alpha'], 'of whom no profile has come nothing is told')
  await send(profileOf(testSource('mallory')))
  await send(memberUpdate({ temperature: 4.5 }, mallory, { part: 'vitals' }))
  t.deepEqual(end.refusals, [])
  t.deepEqual(namesOf(replica.list()), ['alpha', 'mallory'])
  t.like(replica.get(testSource('mallory')), {
    addresses: ['mallory:1'],
    links: [BETA],
    vitals: { temperature: 4.5 },
    certificateEndsAt: mallory.signer.identity.notAfter,
  })
})

const mallory = people.node('mallory')
const tooLong = { note: 'x'.repeat(MEMBER_LIMITS.maxVitals) }
const hostile: [what: string, frame: unknown][] = [
  ['to be another node', memberUpdate(STATE, mallory, { run: BETA })],
  [
    'to be another node, by its profile',
    memberUpdate(PROFILE, mallory, { run: BETA, part: 'profile' }),
  ],
  ['to be the node that it speaks to', memberUpdate(STATE, mallory, { run: ALPHA, sequence: 50 })],
  [
    'to be the node that it speaks to, by its profile',
    memberUpdate(PROFILE, mallory, { run: ALPHA, sequence: 50, part: 'profile' }),
  ],
  [
    'a place that is not the one it signed',
    memberUpdate(STATE, mallory, { sequence: 9, signed: { sequence: 8 } }),
  ],
  [
    'a part that is not the one it signed',
    memberUpdate({ ...STATE, ...PROFILE }, mallory, {
      signed: { place: placeOfPart(testSource('mallory'), 'profile') },
    }),
  ],
  [
    'a run that is not the one it signed',
    memberUpdate(STATE, mallory, {
      signed: { place: placeOfPart(testSource('mallory', 2), 'state') },
    }),
  ],
  [
    'a part that there is not',
    [memberUpdate(STATE, mallory)[0], 1, `${testSource('mallory')}.mood`],
  ],
  ['a part of no run', [memberUpdate(STATE, mallory)[0], 1, `mallory#${'0'.repeat(32)}.state`]],
  ['a profile of no run', [memberUpdate(PROFILE, mallory)[0], 1, `mallory#${'0'.repeat(32)}`]],
  ['a certificate that was never sent', memberUpdate(STATE, people.node('gamma'))],
  [
    'no signature',
    [
      { member: JSON.stringify(STATE), certificate: 'x', signature: '' },
      1,
      'mallory#0000000000000001.state',
    ],
  ],
  [
    'a signature that is none',
    [
      { ...(memberUpdate(STATE, mallory)[0] as object), signature: 'AAAA' },
      1,
      placeOfPart(testSource('mallory'), 'state'),
    ],
  ],
  [
    'with too many links',
    memberUpdate({ ...STATE, links: Array.from({ length: 1_025 }, () => BETA) }, mallory),
  ],
  [
    'with an address that is none',
    memberUpdate({ ...PROFILE, addresses: ['../etc'] }, mallory, { part: 'profile' }),
  ],
  ['with a time that is none', memberUpdate({ ...STATE, saidAt: -1 }, mallory)],
  ['with vitals without end', memberUpdate(tooLong, mallory, { part: 'vitals' })],
  ['with vitals that are no object', memberUpdate([4.5], mallory, { part: 'vitals' })],
  ['what is no object', memberUpdate([], mallory)],
  [
    'what is no JSON',
    [
      { ...(memberUpdate(STATE, mallory)[0] as object), member: '{bad' },
      1,
      placeOfPart(testSource('mallory'), 'state'),
    ],
  ],
  ['no value at all', [null, 1, testSource('mallory')]],
]

for (const [what, frame] of hostile) {
  test(`a node that claims ${what} is refused, and nothing of it is kept`, async t => {
    const { replica } = openMembers('alpha')
    const { end, send } = await attachMallory(replica)
    const before = { ...replica.sources }
    await send(frame)
    t.is(end.refusals.length, 1, String(end.refusals))
    t.deepEqual(namesOf(replica.list()), ['alpha'])
    t.deepEqual({ ...replica.sources }, before)
  })
}

test('a field that only a newer version knows is passed over', async t => {
  const { replica } = openMembers('alpha')
  const { end, send } = await attachMallory(replica)
  await send(profileOf(testSource('mallory')), memberUpdate({ ...STATE, mood: 'fine' }, mallory))
  t.deepEqual(end.refusals, [])
  t.false('mood' in (replica.get(testSource('mallory')) ?? {}))
})

test('an old word of a node, sent again, does not replace its newer one', async t => {
  const { replica } = openMembers('alpha')
  const { end, send } = await attachMallory(replica)
  await send(profileOf(testSource('mallory')))
  const old = memberUpdate(STATE, mallory, { sequence: 3 })
  const newer = memberUpdate({ ...STATE, links: [BETA] }, mallory, { sequence: 4 })
  await send(newer)
  await send(old)
  t.deepEqual(end.refusals, [])
  t.deepEqual(replica.get(testSource('mallory'))?.links, [BETA])
})

/** A node that knows of eight runs of another, so that it is one of many. */
async function openAmongMany(): Promise<TestMembers> {
  const members = openMembers('alpha')
  const { send } = await attachMallory(members.replica)
  for (let run = 1; run <= 8; run += 1) await send(profileOf(testSource('mallory', run)))
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
  replica.say({ vitals: { temperature: 4 } })
  await clock.advance(5)
  t.deepEqual(told(), { temperature: 4 })
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
  const { replica } = openMembers('alpha')
  t.throws(() => replica.say({ vitals: tooLong }), { instanceOf: RangeError })
})

test('a node that is dead is forgotten a day after its last word, and what it said is not asked for again', async t => {
  const { replica, clock } = openMembers('alpha')
  const { send } = await attachMallory(replica)
  const [old, recent] = [testSource('mallory', 1), testSource('mallory', 2)]
  await send(profileOf(old), memberUpdate(STATE, mallory, { run: old }))
  await clock.advance(12 * HOUR_MS)
  const state = { ...STATE, saidAt: NOON + 12 * HOUR_MS }
  await send(profileOf(recent), memberUpdate(state, mallory, { run: recent }))
  await clock.advance(12 * HOUR_MS)
  replica.tidy()
  t.deepEqual(runsOf(replica), [old, recent])
  await clock.advance(HOUR_MS)
  replica.tidy()
  t.deepEqual(runsOf(replica), [recent])
  t.is(replica.sources[old], undefined)
})

test('a node that starts anew is told of a ghost and forgets it when the others do', async t => {
  const { replica, clock } = openMembers('alpha')
  await clock.advance(24 * HOUR_MS)
  const { send } = await attachMallory(replica)
  await send(profileOf(testSource('mallory')), memberUpdate(STATE, mallory))
  t.deepEqual(runsOf(replica), [testSource('mallory')])
  await clock.advance(HOUR_MS)
  replica.tidy()
  t.deepEqual(runsOf(replica), [])
})

test('a node that lives is not forgotten, whatever its clock shows, and is for a day after it died', async t => {
  const { replica, clock } = openMembers('alpha')
  const { send } = await attachMallory(replica)
  const run = testSource('mallory')
  const late = { ...STATE, saidAt: 0, links: [ALPHA] }
  await send(profileOf(run), memberUpdate(late, mallory))
  replica.say({ links: [run] })
  await clock.advance(5 * 24 * HOUR_MS)
  replica.tidy()
  t.true(replica.live().has(run))
  replica.say({ links: [] })
  await clock.advance(23 * HOUR_MS)
  replica.tidy()
  t.deepEqual(runsOf(replica), [run])
  await clock.advance(2 * HOUR_MS)
  replica.tidy()
  t.deepEqual(runsOf(replica), [])
})

test('a node says its state anew every few hours, so that nobody takes it for a ghost', async t => {
  const { replica, clock } = openMembers('alpha')
  await clock.advance(6 * HOUR_MS)
  replica.tidy()
  await clock.advance(10)
  t.is(replica.get(ALPHA)?.saidAt, NOON + 6 * HOUR_MS + 5)
})

const HOUR_MS = 3_600_000

/** The runs of mallory that are known. */
function runsOf(members: Members): Source[] {
  return members.runsOf(parseName('mallory'))
}
