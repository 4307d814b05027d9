import test from 'ava'
import { DialBudget, dialPatiently } from '../../../node/gossip/dial-budget.ts'
import { FakeClock } from '../../support/fake-clock.ts'

test('eight dials may be made at once, and two a second from then on', t => {
  const budget = new DialBudget(0)
  let made = 0
  for (let now = 0; now <= 60_000; now += 50) while (budget.take(now)) made += 1
  t.is(made, 8 + 2 * 60)
})

test('when it is used up it says when the next may be made', t => {
  const budget = new DialBudget(1_000)
  while (budget.take(1_000));
  t.is(budget.waitMs(1_000), 500)
  t.false(budget.take(1_499))
  t.true(budget.take(1_500))
  t.is(budget.waitMs(9_000), 0)
})

test('a dial that nobody answers ends after two seconds, then four, eight and ten', async t => {
  const clock = new FakeClock()
  const took: number[] = []
  for (let failures = 0; failures < 5; failures += 1) {
    const from = clock.monotonic()
    const dialed = dialPatiently('black:1', failures, {
      dial: async (_, signal) => clock.sleep(60_000, signal),
      clock,
      stop: new AbortController().signal,
    })
    const failed = t.throwsAsync(dialed, { name: 'TimeoutError' }).then(() => {
      took.push(clock.monotonic() - from)
    })
    await clock.advance(20_000)
    await failed
  }
  t.deepEqual(took, [2_000, 4_000, 8_000, 10_000, 10_000])
  t.is(clock.pending, 0)
})

test('a dial ends when the node stops', async t => {
  const clock = new FakeClock()
  const stop = new AbortController()
  const dialed = dialPatiently('black:1', 0, {
    dial: async (_, signal) => clock.sleep(60_000, signal),
    clock,
    stop: stop.signal,
  })
  const failed = t.throwsAsync(dialed, { name: 'AbortError' })
  stop.abort()
  await failed
})
