import test from 'ava'
import { Liveness } from '../../../node/gossip/liveness.ts'
import { nodeOf } from '../../../node/identity/names.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { testSource } from '../../support/replica-changes.ts'

const [ALPHA, BETA, GAMMA] = [testSource('alpha'), testSource('beta'), testSource('gamma')]
const NEXT_GAMMA = testSource('gamma', 2)
const RUNS = [ALPHA, BETA, GAMMA, NEXT_GAMMA]
const SUSPICION_MS = 2_000

/** Alpha, linked to beta, linked to gamma, as alpha sees it. */
function openLine(): { liveness: Liveness; clock: FakeClock; deaths: () => number } {
  const clock = new FakeClock()
  let deaths = 0
  const onDead = (): void => {
    deaths += 1
  }
  const liveness = new Liveness({
    self: ALPHA,
    clock,
    suspicionMs: SUSPICION_MS,
    runsOf: name => RUNS.filter(run => nodeOf(run) === name),
    onDead,
  })
  liveness.hear(ALPHA, [BETA], false)
  liveness.hear(BETA, [ALPHA, GAMMA], false)
  liveness.hear(GAMMA, [BETA], false)
  return { liveness, clock, deaths: () => deaths }
}

test('a run whose last link was given up counts as alive for a while, and then as dead', async t => {
  const { liveness, clock, deaths } = openLine()
  t.true(liveness.isLive(GAMMA))
  liveness.hear(BETA, [ALPHA], false)
  await clock.advance(SUSPICION_MS - 1)
  t.true(liveness.isLive(GAMMA))
  t.deepEqual(new Set(liveness.live()), new Set([ALPHA, BETA, GAMMA]))
  t.is(deaths(), 0)
  await clock.advance(1)
  t.false(liveness.isLive(GAMMA))
  t.is(deaths(), 1)
  t.is(clock.pending, 0)
})

test('a run that finds another link meanwhile was never dead', async t => {
  const { liveness, clock, deaths } = openLine()
  liveness.hear(BETA, [ALPHA], false)
  await clock.advance(SUSPICION_MS / 2)
  liveness.hear(GAMMA, [ALPHA], false)
  liveness.hear(ALPHA, [BETA, GAMMA], false)
  await clock.advance(SUSPICION_MS)
  t.true(liveness.isLive(GAMMA))
  t.is([...liveness.live()].length, 3)
  liveness.hear(ALPHA, [BETA], false)
  await clock.advance(SUSPICION_MS / 2)
  t.true(liveness.isLive(GAMMA), 'it is suspected anew, from then on')
  t.is(deaths(), 1)
})

test('a run that leaves is gone with its word, whatever its peers say', t => {
  const { liveness } = openLine()
  liveness.hear(GAMMA, [BETA], true)
  t.false(liveness.isLive(GAMMA))
})

test('a run that another of its name has followed is gone at once', t => {
  const { liveness } = openLine()
  liveness.hear(NEXT_GAMMA, [BETA], false)
  liveness.hear(BETA, [ALPHA, NEXT_GAMMA], false)
  t.true(liveness.isLive(NEXT_GAMMA))
  t.false(liveness.isLive(GAMMA))
})

test('whoever was reached over a run that died is suspected with it', async t => {
  const { liveness, clock } = openLine()
  liveness.hear(ALPHA, [], false)
  t.deepEqual(new Set(liveness.live()), new Set([ALPHA, BETA, GAMMA]))
  await clock.advance(SUSPICION_MS)
  t.deepEqual([...liveness.live()], [ALPHA])
})

test('what is disposed waits for nothing', t => {
  const { liveness, clock } = openLine()
  liveness.hear(BETA, [ALPHA], false)
  liveness[Symbol.dispose]()
  t.is(clock.pending, 0)
})
