import test from 'ava'
import { addReading, emptyBucket, MINUTE_MS, type Bucket } from '../../../node/history/bucket.ts'
import { excursionsOf, type Limit } from '../../../node/history/limits.ts'

const HIGH: Limit = { side: 'high', value: 8, forMs: 10 * MINUTE_MS }
const LOW: Limit = { side: 'low', value: 2, forMs: 5 * MINUTE_MS }

/** A minute for each value; null for one in which nothing was read. */
function minutes(...values: (number | null)[]): Bucket[] {
  return values.map((value, index) => {
    const bucket = emptyBucket(index * MINUTE_MS)
    if (value !== null) addReading(bucket, value)
    return bucket
  })
}

function repeat(value: number | null, count: number): (number | null)[] {
  return Array.from({ length: count }, () => value)
}

test('a limit that is passed for as long as it may be is an excursion, and for less it is none', t => {
  const short = minutes(4, ...repeat(9, 9), 4)
  t.deepEqual(excursionsOf(short, [HIGH], 11 * MINUTE_MS), [])
  const long = minutes(4, ...repeat(9, 9), 9.5, 8)
  t.deepEqual(excursionsOf(long, [HIGH], 12 * MINUTE_MS), [
    { limit: HIGH, since: MINUTE_MS, until: 11 * MINUTE_MS, extreme: 9.5 },
  ])
})

test('a time of which nothing is known ends no excursion, and one that goes on is not over', t => {
  const silent = minutes(9, ...repeat(null, 20))
  t.deepEqual(excursionsOf(silent, [HIGH], 21 * MINUTE_MS), [
    { limit: HIGH, since: 0, until: undefined, extreme: 9 },
  ])
})

test('both sides are watched, each for its own time, and told in order', t => {
  const values = minutes(...repeat(1, 6), 4, ...repeat(9, 12), 4)
  t.deepEqual(
    excursionsOf(values, [HIGH, LOW], 20 * MINUTE_MS).map(({ limit, since }) => [
      limit.side,
      since / MINUTE_MS,
    ]),
    [
      ['low', 0],
      ['high', 7],
    ],
  )
})

test('the limit itself is well', t => {
  t.deepEqual(excursionsOf(minutes(...repeat(8, 20)), [HIGH], 20 * MINUTE_MS), [])
})
