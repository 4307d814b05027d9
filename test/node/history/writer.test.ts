import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import {
  addReading,
  emptyBucket,
  HOUR_MS,
  MINUTE_MS,
  startOf,
  type Bucket,
} from '../../../node/history/bucket.ts'
import { seededRandom } from '../../../node/sensors/drivers/seeded-random.ts'
import { BEGIN, DAY_MS, makeHistory } from '../../support/history.ts'

/** What buckets come to, by a second and slower definition: each span is cut into milliseconds' worth of minutes. */
class Model {
  readonly #buckets = new Map<number, Bucket>()
  readonly #lengthMs: number

  constructor(lengthMs: number) {
    this.#lengthMs = lengthMs
  }

  get all(): Bucket[] {
    return [...this.#buckets.values()].sort((a, b) => a.start - b.start)
  }

  at(moment: number): Bucket {
    const start = startOf(moment, this.#lengthMs)
    const bucket = this.#buckets.get(start) ?? emptyBucket(start)
    this.#buckets.set(start, bucket)
    return bucket
  }

  span(from: number, to: number, field: 'recordedMs' | 'unavailableMs' | 'openMs'): void {
    for (let moment = from; moment < to;) {
      const next = Math.min(to, startOf(moment, this.#lengthMs) + this.#lengthMs)
      this.at(moment)[field] += next - moment
      moment = next
    }
  }
}

/** Sums of doubles differ in their last digits by the order in which they were added. */
function rounded(buckets: Iterable<Bucket>): Bucket[] {
  return Array.from(buckets, bucket => ({ ...bucket, sum: Math.round(bucket.sum * 1e6) / 1e6 }))
}

test('a month of readings every 5 s comes to what a model says, minute by minute and hour by hour', async t => {
  t.timeout(120_000)
  const days = 30
  const end = BEGIN + days * DAY_MS
  const history = await makeHistory(t)
  const random = seededRandom(7)
  const models = [new Model(MINUTE_MS), new Model(HOUR_MS)]
  const each = (work: (model: Model) => void): void => models.forEach(work)
  const [unavailableFrom, unavailableTo] = [
    BEGIN + 3 * DAY_MS + 7_000,
    BEGIN + 3 * DAY_MS + 5_000_000,
  ]
  let openFrom: number | undefined
  for (let moment = BEGIN; moment < end; moment += 5_000) {
    const isUnavailable = moment > unavailableFrom - 2_000 && moment < unavailableTo
    if (!isUnavailable) {
      const value = Math.round((4 + 2 * Math.sin(moment / 3e6) + random()) * 100) / 100
      history.reading(value, moment)
      each(model => addReading(model.at(moment), value))
    }
    if (moment === unavailableFrom - 2_000) history.unavailable('temperature', unavailableFrom)
    if (random() < 0.001) {
      history.move(openFrom === undefined ? 'open' : 'close', moment + 1_234)
      if (openFrom !== undefined) openFrom = undefined
      else openFrom = moment + 1_234
    }
    if (moment % 60_000 === 0) history.writer().flush()
  }
  each(model => model.span(BEGIN, end, 'recordedMs'))
  each(model => model.span(unavailableFrom, unavailableTo, 'unavailableMs'))
  history.writer().end(end, 'the end')

  const span = { from: BEGIN, to: end }
  const [minutes, hours] = models.map(({ all }) => rounded(all))
  const differences = (lengthMs: number, expected: readonly Bucket[] = []): unknown[] => {
    const found = history.read(reader => rounded(reader.buckets('temperature', lengthMs, span)))
    t.is(found.length, expected.length)
    return found.flatMap((bucket, index) =>
      isDeepStrictEqual(bucket, expected[index]) ? [] : [[bucket, expected[index]]],
    )
  }
  t.deepEqual(differences(MINUTE_MS, minutes).slice(0, 3), [])
  t.deepEqual(differences(HOUR_MS, hours).slice(0, 3), [])
  const kept = history.read(reader => [...reader.readings('temperature', span)])
  t.true(kept.length >= 7 * 17_280 && kept.length < 7.1 * 17_280 + 720)
  t.true((kept[0]?.at ?? 0) >= end - 7 * DAY_MS - HOUR_MS)
  const { findings, gaps, hours: sealed, unsigned } = await history.verify()
  t.deepEqual(findings, [])
  t.deepEqual(gaps, [])
  t.is(sealed, days * 24 + 1)
  t.is(unsigned, 0)
})
