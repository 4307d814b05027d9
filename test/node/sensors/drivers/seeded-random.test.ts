import test from 'ava'

import { seededRandom } from '../../../../node/sensors/drivers/seeded-random.ts'

function take(seed: number, count: number): number[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => random())
}

test('the same seed gives the same numbers', t => {
  t.deepEqual(take(42, 100), take(42, 100))
})

test('other seeds give other numbers, also where only their high or sign bits differ', t => {
  const seeds = [0, 1, -1, 2 ** 32, 2 ** 32 + 1, 2 ** 40, Number.MAX_SAFE_INTEGER]
  t.is(new Set(seeds.map(seed => take(seed, 3).join())).size, seeds.length)
})

test('the numbers are spread evenly over [0, 1)', t => {
  const buckets = Array.from({ length: 10 }, () => 0)
  for (const value of take(7, 10_000)) {
    t.true(value >= 0 && value < 1)
    const bucket = Math.floor(value * 10)
    buckets[bucket] = (buckets[bucket] ?? 0) + 1
  }
  for (const count of buckets) t.true(count > 850 && count < 1_150, String(count))
})

test('a seed must be a safe integer', t => {
  for (const seed of [0.5, Number.NaN, Infinity, 2 ** 53]) {
    t.throws(() => seededRandom(seed), { instanceOf: RangeError })
  }
})
