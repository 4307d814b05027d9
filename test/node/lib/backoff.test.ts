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
