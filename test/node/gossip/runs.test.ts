import test from 'ava'
import { Runs } from '../../../node/gossip/runs.ts'
import type { Members } from '../../../node/gossip/members.ts'
import { parseName, type Source } from '../../../node/identity/names.ts'
import {
  attachMallory,
  memberUpdate,
  openMembers,
  PROFILE,
  profileOf,
  STATE,
} from '../../support/members.ts'
import { NOON, testSource } from '../../support/replica-changes.ts'
import { makePeople } from '../../support/replica-people.ts'

const PERIOD = { certificateRenewFrom: NOON, certificateEndsAt: NOON }
const HOUR_MS = 3_600_000
const TEN_YEARS_MS = 10 * 365 * 24 * HOUR_MS
const ALPHA = testSource('alpha')
const people = await makePeople({ nodes: ['alpha', 'beta', 'mallory'] })
const mallory = people.node('mallory')

/** The runs of mallory that are known. */
function runsOf(members: Members): Source[] {
  return members.runsOf(parseName('mallory'))
}

test('a node that is dead is forgotten a day after its last word, and what it said is not asked for again', async t => {
  const { replica, clock } = openMembers(people, 'alpha')
  const { send } = await attachMallory(people, replica)
  const [old, recent] = [testSource('mallory', 1), testSource('mallory', 2)]
  await send(profileOf(old, mallory), memberUpdate(STATE, mallory, { run: old }))
  await clock.advance(12 * HOUR_MS)
  const state = { ...STATE, saidAt: NOON + 12 * HOUR_MS }
  await send(profileOf(recent, mallory), memberUpdate(state, mallory, { run: recent }))
  await clock.advance(12 * HOUR_MS)
  replica.tidy()
  t.deepEqual(runsOf(replica), [old, recent])
  await clock.advance(HOUR_MS)
  replica.tidy()
  t.deepEqual(runsOf(replica), [recent])
  t.is(replica.sources[old], undefined)
})

test('a node that starts anew is told of a ghost and forgets it when the others do', async t => {
  const { replica, clock } = openMembers(people, 'alpha')
  await clock.advance(24 * HOUR_MS)
  const { send } = await attachMallory(people, replica)
  await send(profileOf(testSource('mallory'), mallory), memberUpdate(STATE, mallory))
  t.deepEqual(runsOf(replica), [testSource('mallory')])
  await clock.advance(HOUR_MS)
  replica.tidy()
  t.deepEqual(runsOf(replica), [])
})

test('a node that lives is not forgotten, whatever its clock shows, and is for a day after it died', async t => {
  const { replica, clock } = openMembers(people, 'alpha')
  const { send } = await attachMallory(people, replica)
  const run = testSource('mallory')
  const late = { ...STATE, saidAt: 0, links: [ALPHA] }
  await send(profileOf(run, mallory), memberUpdate(late, mallory))
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

test('a cluster of more living nodes than are kept of dead ones is kept whole, and not gone through with each word', t => {
  let looks = 0
  const dead = testSource('node-3')
  const runs = new Runs({
    self: testSource('node-0'),
    isLive: run => {
      looks += 1
      return run !== dead
    },
    awaited: () => [],
    onForgotten: () => {},
  })
  const hear = (index: number): void => {
    const run = testSource(`node-${index}`)
    const words = { part: 'state', state: STATE } as const
    runs.keep(run, words, [{}, 1, run], { period: PERIOD, now: NOON })
  }
  for (let index = 0; index < 16_500; index += 1) hear(index)
  t.is(runs.size, 16_499)
  t.is(looks, 16_384)
  for (let index = 16_500; index < 18_000; index += 1) hear(index)
  t.true(looks < 3 * 18_000)
})

test('of more runs than are kept the dead go, down to half of that', t => {
  const forgotten: Source[] = []
  const runs = new Runs({
    self: testSource('node-0'),
    isLive: run => run === testSource('node-1'),
    awaited: () => [],
    onForgotten: run => forgotten.push(run),
  })
  for (let index = 0; index <= 16_384; index += 1) {
    t.deepEqual(forgotten, [])
    const run = testSource(`node-${index}`)
    const words = { part: 'state', state: STATE } as const
    runs.keep(run, words, [{}, 1, run], { period: PERIOD, now: NOON })
  }
  t.is(runs.size, 8_192)
  t.is(forgotten[0], testSource('node-2'))
})

test('who was seen alive by a clock that was ahead is forgotten a day after that was set right', async t => {
  const { replica, clock } = openMembers(people, 'alpha')
  const { send } = await attachMallory(people, replica)
  const run = testSource('mallory')
  await send(profileOf(run, mallory), memberUpdate({ ...STATE, links: [ALPHA] }, mallory))
  replica.say({ links: [run] })
  clock.jump(TEN_YEARS_MS)
  await clock.advance(HOUR_MS)
  replica.tidy()
  replica.say({ links: [] })
  clock.jump(-TEN_YEARS_MS)
  await clock.advance(HOUR_MS)
  replica.tidy()
  t.deepEqual(runsOf(replica), [run])
  await clock.advance(25 * HOUR_MS)
  replica.tidy()
  t.deepEqual(runsOf(replica), [])
})

test('a node whose clock is ahead keeps its words no longer than others', async t => {
  const { replica, clock } = openMembers(people, 'alpha')
  const { send } = await attachMallory(people, replica)
  const run = testSource('mallory')
  const ahead = { ...STATE, saidAt: NOON + 365 * 24 * HOUR_MS }
  await send(profileOf(run, mallory), memberUpdate(ahead, mallory))
  await clock.advance(25 * HOUR_MS)
  replica.tidy()
  t.deepEqual(runsOf(replica), [])
})

test('a run that lives is kept, however many others its node says to have been', async t => {
  const { replica, clock } = openMembers(people, 'alpha')
  const { send } = await attachMallory(people, replica)
  const run = testSource('mallory')
  const old = { ...PROFILE, startedAt: 0 }
  await send(
    memberUpdate(old, mallory, { part: 'profile', run }),
    memberUpdate({ ...STATE, links: [ALPHA] }, mallory, { run }),
  )
  replica.say({ links: [run] })
  await clock.advance(100)
  for (let later = 2; later <= 12; later += 1) {
    await send(profileOf(testSource('mallory', later), mallory))
  }
  t.true(replica.live().has(run))
  t.is(runsOf(replica).length, 8)
})
