import test from 'ava'
import { MEMBER_LIMITS } from '../../../node/gossip/member.ts'
import { placeOfPart } from '../../../node/gossip/member-part.ts'
import {
  attachMallory,
  memberUpdate,
  namesOf,
  openMembers,
  PROFILE,
  profileOf,
  STATE,
} from '../../support/members.ts'
import { testSource } from '../../support/replica-changes.ts'
import { makePeople } from '../../support/replica-people.ts'

const ALPHA = testSource('alpha')
const BETA = testSource('beta')
const people = await makePeople({ nodes: ['alpha', 'beta', 'gamma', 'mallory'] })
const mallory = people.node('mallory')

test('what a node says of itself is taken once its signature holds, each part by itself', async t => {
  const { replica } = openMembers(people, 'alpha')
  const { end, send } = await attachMallory(people, replica)
  await send(memberUpdate({ ...STATE, links: [BETA] }, mallory))
  t.deepEqual(namesOf(replica.list()), ['alpha'], 'of whom no profile has come nothing is told')
  await send(profileOf(testSource('mallory'), mallory))
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
    const { replica } = openMembers(people, 'alpha')
    const { end, send } = await attachMallory(people, replica)
    const before = { ...replica.sources }
    await send(frame)
    t.is(end.refusals.length, 1, String(end.refusals))
    t.deepEqual(namesOf(replica.list()), ['alpha'])
    t.deepEqual({ ...replica.sources }, before)
  })
}

test('a field that only a newer version knows is passed over', async t => {
  const { replica } = openMembers(people, 'alpha')
  const { end, send } = await attachMallory(people, replica)
  await send(
    profileOf(testSource('mallory'), mallory),
    memberUpdate({ ...STATE, mood: 'fine' }, mallory),
  )
  t.deepEqual(end.refusals, [])
  t.false('mood' in (replica.get(testSource('mallory')) ?? {}))
})

test('an old word of a node, sent again, does not replace its newer one', async t => {
  const { replica } = openMembers(people, 'alpha')
  const { end, send } = await attachMallory(people, replica)
  await send(profileOf(testSource('mallory'), mallory))
  const old = memberUpdate(STATE, mallory, { sequence: 3 })
  const newer = memberUpdate({ ...STATE, links: [BETA] }, mallory, { sequence: 4 })
  await send(newer)
  await send(old)
  t.deepEqual(end.refusals, [])
  t.deepEqual(replica.get(testSource('mallory'))?.links, [BETA])
})
