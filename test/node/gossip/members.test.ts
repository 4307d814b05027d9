import test from 'ava'
import { MEMBER_LIMITS, parseMember, type Member } from '../../../node/gossip/member.ts'
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
      changes: 0,
      clients: 0,
      applied: {},
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
  for (const { replica } of ends) t.deepEqual(namesOf(replica.all()), ['alpha', 'beta', 'gamma'])
  const [alpha, , gamma] = ends
  alpha.replica.update({ clients: 7 })
  alpha.replica.advertise(['10.0.0.1:7443'])
  await quiet()
  const heard = gamma.replica.get(alpha.replica.id)
  t.is(heard?.clients, 7)
  t.deepEqual(heard?.addresses, ['10.0.0.1:7443'])
})

test('what a node says within a few milliseconds goes out as one update', async t => {
  const { ends, quiet } = openThree()
  await quiet()
  const [alpha] = ends
  const before = alpha.replica.sources[ALPHA] ?? 0
  for (let clients = 1; clients <= 20; clients += 1) alpha.replica.update({ clients })
  await quiet()
  t.is(alpha.replica.sources[ALPHA], before + 1)
  t.is(ends[2].replica.get(ALPHA)?.clients, 20)
})

test('a node says no more of itself than its peers take', async t => {
  const { ends, quiet } = openThree()
  const [alpha, beta] = ends
  const many = Array.from({ length: 1_025 }, (_, run) => testSource('gamma', run + 1))
  const addresses = Array.from({ length: 9 }, (_, port) => `alpha:${port + 1}`)
  alpha.replica.update({ links: many })
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
  alpha.replica.update({ links: [b] })
  beta.replica.update({ links: [a, c] })
  gamma.replica.update({ links: [b] })
  await quiet()
  for (const { replica } of ends) t.is(replica.live().size, 3)
  // Its last words name its links, but the other end has let go.
  beta.replica.update({ links: [a] })
  await quiet()
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
  alpha.replica.update({ links: [second.replica.id] })
  second.replica.update({ links: [alpha.replica.id] })
  for (const { clock } of [alpha, second]) await clock.advance(10)
  await quiet()
  t.is(alpha.replica.unreachable().size, 0)
})

test('how far a node has come is told for the latest sources only', async t => {
  const { replica, clock } = openMembers('alpha')
  const sources = Array.from({ length: 100 }, (_, index) => testSource('beta', index + 1))
  for (const [index, source] of sources.entries()) {
    replica.noteApplied([{ source, sequence: index + 1 }], index + 1)
  }
  t.deepEqual(Object.keys(replica.self.applied), sources.slice(-MEMBER_LIMITS.maxApplied))
  t.is(typeof parseMember(JSON.parse(JSON.stringify(replica.self))), 'object')
  await clock.advance(5)
  t.is(replica.get(ALPHA)?.changes, 100)
})

test('a stopped document says nothing more', async t => {
  const { replica, clock } = openMembers('alpha')
  replica.update({ clients: 3 })
  replica[Symbol.dispose]()
  await clock.advance(1_000)
  t.is(clock.pending, 0)
})

/** What one that is not `node` itself would have to send to speak for it. */
function memberUpdate(
  self: object,
  { signer, key }: Person,
  options: { sequence?: number; source?: Source; signed?: number } = {},
): unknown[] {
  const { sequence = 1, source = testSource('mallory') } = options
  const { signed = sequence } = options
  const member = JSON.stringify(self)
  const signature = signText(key, 'member', `${signed}\n${member}`)
  return [{ member, certificate: signer.identity.fingerprint, signature }, sequence, source]
}

function selfOf(name: string): Member {
  return openMembers(name).replica.self
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

test('what a node says of itself is taken once its signature holds', async t => {
  const { replica } = openMembers('alpha')
  const { end, send } = await attachMallory(replica)
  await send(memberUpdate(selfOf('mallory'), people.node('mallory')))
  t.deepEqual(end.refusals, [])
  t.deepEqual(namesOf(replica.all()), ['alpha', 'mallory'])
})

const mallory = people.node('mallory')
const genuine = selfOf('mallory')
const beta = { ...selfOf('beta'), clients: 99 }
const hostile: [what: string, frame: unknown][] = [
  ['to be another node, under its own name', memberUpdate(beta, mallory)],
  ['to be another node, under that name', memberUpdate(beta, mallory, { source: BETA })],
  ['another name than its source', memberUpdate({ ...genuine, name: 'beta' }, mallory)],
  [
    'to be the node that it speaks to',
    memberUpdate({ ...selfOf('alpha'), clients: 99 }, mallory, { source: ALPHA, sequence: 50 }),
  ],
  [
    'a place that is not the one it signed',
    memberUpdate(genuine, mallory, { sequence: 9, signed: 8 }),
  ],
  ['a certificate that was never sent', memberUpdate(genuine, people.node('gamma'))],
  [
    'no signature',
    [{ member: JSON.stringify(genuine), certificate: 'x', signature: '' }, 1, genuine.source],
  ],
  [
    'a signature that is none',
    [{ ...(memberUpdate(genuine, mallory)[0] as object), signature: 'AAAA' }, 1, genuine.source],
  ],
  [
    'with too many links',
    memberUpdate({ ...genuine, links: Array.from({ length: 1_025 }, () => BETA) }, mallory),
  ],
  [
    'with too many sources',
    memberUpdate(
      {
        ...genuine,
        applied: Object.fromEntries(
          Array.from({ length: 33 }, (_, index) => [testSource('beta', index + 1), 1]),
        ),
      },
      mallory,
    ),
  ],
  ['with an address that is none', memberUpdate({ ...genuine, addresses: ['../etc'] }, mallory)],
  ['with a number that is none', memberUpdate({ ...genuine, changes: -1 }, mallory)],
  ['what is no object', memberUpdate([], mallory)],
  [
    'what is no JSON',
    [{ ...(memberUpdate(genuine, mallory)[0] as object), member: '{bad' }, 1, genuine.source],
  ],
  ['no value at all', [null, 1, genuine.source]],
]

for (const [what, frame] of hostile) {
  test(`a node that claims ${what} is refused, and nothing of it is kept`, async t => {
    const { replica } = openMembers('alpha')
    const { end, send } = await attachMallory(replica)
    const before = { ...replica.sources }
    await send(frame)
    t.is(end.refusals.length, 1, String(end.refusals))
    t.deepEqual(namesOf(replica.all()), ['alpha'])
    t.deepEqual({ ...replica.sources }, before)
    t.is(replica.self.clients, 0)
  })
}

test('a field that only a newer version knows is passed over', async t => {
  const { replica } = openMembers('alpha')
  const { end, send } = await attachMallory(replica)
  await send(memberUpdate({ ...genuine, mood: 'fine' }, mallory))
  t.deepEqual(end.refusals, [])
  t.false('mood' in (replica.get(testSource('mallory')) ?? {}))
})

test('an old word of a node, sent again, does not replace its newer one', async t => {
  const { replica } = openMembers('alpha')
  const { end, send } = await attachMallory(replica)
  const old = memberUpdate({ ...genuine, clients: 1 }, mallory, { sequence: 3 })
  const newer = memberUpdate({ ...genuine, clients: 2 }, mallory, { sequence: 4 })
  await send(newer)
  await send(old)
  t.deepEqual(end.refusals, [])
  t.is(replica.get(testSource('mallory'))?.clients, 2)
})

test('among many, what nobody waits for is told late, or with what is urgent', async t => {
  const { replica, clock } = openMembers('alpha')
  const { send } = await attachMallory(replica)
  for (let run = 1; run <= 8; run += 1) {
    const source = testSource('mallory', run)
    await send(memberUpdate({ ...genuine, source }, mallory, { source }))
  }
  replica.noteApplied([{ source: BETA, sequence: 1 }], 1)
  await clock.advance(200)
  t.is(replica.get(ALPHA)?.changes, 0)
  replica.update({ links: [BETA] })
  await clock.advance(5)
  t.is(replica.get(ALPHA)?.changes, 1)
  replica.noteApplied([{ source: BETA, sequence: 2 }], 2)
  await clock.advance(1_000)
  t.is(replica.get(ALPHA)?.changes, 2)
})
