import test from 'ava'
import * as fc from 'fast-check'
import { backoffMs, redialDelay } from '../../../node/lib/backoff.ts'
import { seededRandom } from '../../../node/sensors/drivers/seeded-random.ts'

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

test('the wait before a redial doubles up to its limit, at random, and is never none', t => {
  const limits = { minMs: 250, maxMs: 30_000 }
  fc.assert(
    fc.property(fc.nat(2_000), fc.integer(), (failures, seed) => {
      const delay = redialDelay(failures, limits, seededRandom(seed))
      t.true(delay >= 125 && delay <= 30_000)
      t.true(delay <= 250 * 2 ** failures)
    }),
  )
  const longest = (failures: number): number => redialDelay(failures, limits, () => 0.999_999)
  t.deepEqual(
    [0, 1, 2, 6, 7, 100].map(failures => Math.round(longest(failures))),
    [250, 500, 1_000, 16_000, 30_000, 30_000],
  )
})
