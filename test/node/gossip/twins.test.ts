import test from 'ava'
import type { Twin } from '../../../node/gossip/member.ts'
import { isAlive, Twins, twinsAmong } from '../../../node/gossip/twins.ts'
import { parseName } from '../../../node/identity/names.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { GossipCluster, recordLog, TIMES, type LogLine } from '../../support/gossip-cluster.ts'
import { client, testSource } from '../../support/replica-changes.ts'
import { makePeople } from '../../support/replica-people.ts'

/** Two machines that run under one name. */

const BETA = parseName('beta')
const people = await makePeople({ nodes: ['alpha', 'beta', 'gamma'] })

function watch() {
  const clock = new FakeClock()
  const log: LogLine[] = []
  const told: (readonly Twin[])[] = []
  const twins = new Twins({
    times: TIMES,
    clock,
    log: recordLog(log),
    onChange: list => told.push(list),
  })
  const held = { source: testSource('beta', 1), from: '10.0.0.5', heardAt: clock.monotonic() }
  const rival = { source: testSource('beta', 2), from: '10.0.0.7' }
  return { clock, log, told, twins, held, rival }
}

test('a run lives that has missed no more than two beats', t => {
  const held = { source: testSource('beta'), from: '', heardAt: 1_000 }
  t.true(isAlive(held, 1_000 + 2 * TIMES.heartbeatMs, TIMES))
  t.false(isAlive(held, 1_001 + 2 * TIMES.heartbeatMs, TIMES))
})

test('a second run is turned away while the first one lives, and both are named once that is sure', async t => {
  const { clock, log, told, twins, held, rival } = watch()
  const refusal = twins.meet(BETA, held, rival)
  t.is(refusal?.reason, 'name in use')
  t.regex(refusal?.text ?? '', /10\.0\.0\.5.*10\.0\.0\.7/)
  t.deepEqual(log, [], 'the first one may just have died')
  for (let second = 0; second < 10; second += 1) {
    await clock.advance(1_000)
    const alive = { ...held, heardAt: clock.monotonic() }
    t.is(twins.meet(BETA, alive, rival)?.reason, 'name in use')
  }
  const twin = { name: BETA, kept: '10.0.0.5', refused: '10.0.0.7' }
  t.deepEqual(told, [[twin]])
  t.is(log.length, 1)
  t.like(log[0], { level: 'error', fields: twin })
})

test('a run that was started anew takes the place of the one that died, and nobody is accused', async t => {
  const { clock, log, told, twins, held, rival } = watch()
  t.not(twins.meet(BETA, held, rival), undefined)
  await clock.advance(2 * TIMES.heartbeatMs + 1)
  t.is(twins.meet(BETA, held, rival), undefined)
  t.deepEqual([log.length, told.length], [0, 0])
})

test('two that take turns at one link are found as well', async t => {
  const { clock, told, twins, held, rival } = watch()
  t.not(twins.meet(BETA, held, rival), undefined)
  await clock.advance(3 * TIMES.heartbeatMs)
  const other = { ...rival, heardAt: clock.monotonic() }
  t.not(twins.meet(BETA, other, held), undefined)
  t.deepEqual(told.at(-1), [{ name: BETA, kept: '10.0.0.7', refused: '10.0.0.5' }])
})

test('twins of which one is stopped are forgotten', async t => {
  const { clock, told, twins, held, rival } = watch()
  twins.meet(BETA, held, rival)
  await clock.advance(3_000)
  twins.meet(BETA, { ...held, heardAt: clock.monotonic() }, rival)
  t.is(told.length, 1)
  await clock.advance(60_000)
  twins.look()
  t.deepEqual(told.at(-1), [])
})

test('what several have met is told once a name', t => {
  const twin = { name: BETA, kept: 'a', refused: 'b' }
  const other = { ...twin, kept: 'b', refused: 'a' }
  t.deepEqual([...twinsAmong([{ twins: [twin] }, {}, { twins: [other] }])], [[BETA, twin]])
})

test('a cloned node is turned away by its peers, told so, and shown to all; nothing flaps', async t => {
  const cluster = new GossipCluster(t, people)
  const names = ['alpha', 'beta', 'gamma'] as const
  for (const name of names) cluster.start(name, { seeds: name === 'alpha' ? [] : ['alpha:1'] })
  await cluster.until('all are linked', () =>
    names.every(name => cluster.node(name).linked().length === 2),
  )
  const twin = cluster.start('beta', { address: 'clone:1', seeds: ['alpha:1', 'gamma:1'] })
  const { members, log } = cluster.node('alpha')
  await cluster.until('all know', () =>
    names.every(name => twinsAmong(cluster.node(name).members.live().values()).has(BETA)),
  )
  await cluster.until('it knows itself', () => twin.overlay.ownName.inUse !== undefined)
  t.deepEqual(twin.linked(), [])
  t.is(twin.log.filter(({ level }) => level === 'error').length, 1)
  t.is(log.filter(({ level }) => level === 'error').length, 1)
  t.true(members.live().has(testSource('beta', 1)), 'the one that they had stays')
  t.false(log.some(({ fields }) => fields['reason'] === 'replaced'))
  const before = cluster.dials.length
  const lines = twin.log.filter(({ level }) => level !== 'debug').length
  await cluster.pass(60_000)
  t.is(twin.log.filter(({ level }) => level !== 'debug').length, lines, 'all was said already')
  const often = cluster.dials.length - before
  t.true(often < 60, `${often} dials in a minute`)
  // Whoever is to count must count the clone too.
  const commit = await cluster.node('alpha').grant(client('amber'))
  t.is(commit.outcome, 'committed')
})
