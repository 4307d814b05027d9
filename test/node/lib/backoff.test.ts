import test from 'ava'

import { backoffMs } from '../../../node/lib/backoff.ts'

const limits = { firstMs: 1_000, maxMs: 60_000 }

test('the wait doubles with each failure and stops growing at its maximum', t => {
  const longest = [1, 2, 3, 6, 7, 8, 1_000_000].map(failures =>
    backoffMs(failures, limits, () => 1),
  )
  t.deepEqual(longest, [1_000, 2_000, 4_000, 32_000, 60_000, 60_000, 60_000])
})

test('the jitter takes off at most half', t => {
  t.is(
    backoffMs(3, limits, () => 0),
    2_000,
  )
  t.is(
    backoffMs(3, limits, () => 0.5),
    3_000,
  )
})

test('with a least wait the jitter takes off all above it', t => {
  const redial = { firstMs: 250, maxMs: 30_000, leastMs: 125 }
  const waits = (random: number): number[] =>
    [1, 2, 3, 7, 8, 1_000_000].map(failures => backoffMs(failures, redial, () => random))
  t.deepEqual(waits(0), [125, 125, 125, 125, 125, 125])
  t.deepEqual(waits(1), [250, 500, 1_000, 16_000, 30_000, 30_000])
})
