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

test('twelve days of readings every 5 s come to what a model says, minute by minute and hour by hour', async t => {
  t.timeout(120_000)
  // Longer than readings are kept.
  const days = 12
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

test('a door is open from when it says so until it says otherwise, and its opening is one though it falls silent meanwhile', async t => {
  const history = await makeHistory(t)
  const at = (seconds: number): number => BEGIN + seconds * 1_000
  history.move('close', at(0))
  history.move('open', at(30))
  history.unavailable('door', at(90))
  history.move('open', at(150))
  history.move('close', at(170))
  history.writer().end(at(300), 'the end')
  const span = { from: BEGIN, to: at(300) }
  const minutes = history.read(reader => [...reader.buckets('door', MINUTE_MS, span)])
  t.deepEqual(
    minutes.map(({ openings, openMs, unavailableMs }) => [openings, openMs, unavailableMs]),
    [
      [1, 30_000, 0],
      [0, 30_000, 30_000],
      [0, 20_000, 30_000],
      [0, 0, 0],
      [0, 0, 0],
    ],
  )
})

test('a further reason why nothing is known is kept under the moment when it came', async t => {
  const history = await makeHistory(t)
  const at = (seconds: number): number => BEGIN + seconds * 1_000
  history.reading(4, at(5))
  history.unavailable('temperature', at(10), 'the broker has closed')
  const further = 'the broker cannot be reached'
  const event = { type: 'unavailable', reason: further, at: at(10) } as const
  history.writer().tell('temperature', event, at(70))
  history.writer().end(at(80), 'the end')
  const span = { from: BEGIN, to: at(80) }
  const events = history.read(reader => [...reader.events('temperature', span)])
  t.deepEqual(
    events.filter(({ type }) => type === 'unavailable').map(({ at: when }) => when),
    [at(10), at(70)],
  )
})

test('what a run before has seen open is no further opening', async t => {
  const history = await makeHistory(t)
  history.move('open', BEGIN + 1_000)
  history.writer().flush()
  history.restart(BEGIN + 600_000)
  history.move('open', BEGIN + 601_000)
  history.writer().end(BEGIN + 700_000, 'the end')
  const span = { from: BEGIN, to: BEGIN + HOUR_MS }
  const [hour] = history.read(reader => [...reader.buckets('door', HOUR_MS, span)])
  t.is(hour?.openings, 1)
})

test('a node that is killed loses what it had not written, and its next run signs the rest', async t => {
  const history = await makeHistory(t)
  for (let second = 0; second < 100; second += 1) {
    history.reading(4 + second / 100, BEGIN + second * 1_000)
    if (second === 89) history.writer().flush()
  }
  history.restart(BEGIN + 3 * HOUR_MS)
  history.writer().flush()
  const span = { from: BEGIN, to: BEGIN + HOUR_MS }
  const [hour] = history.read(reader => [...reader.buckets('temperature', HOUR_MS, span)])
  t.is(hour?.count, 90)
  t.is(hour?.recordedMs, 89_000)
  t.is(hour?.high, 4.89)
  const { findings, gaps, hours } = await history.verify()
  t.deepEqual(findings, [])
  t.deepEqual(gaps, [{ from: BEGIN + 89_000, to: BEGIN + 3 * HOUR_MS }])
  t.is(hours, 1)
})

test('time in which the node did not run is a gap, in minutes too', async t => {
  const history = await makeHistory(t)
  history.reading(4, BEGIN + 1_000)
  history.writer().end(BEGIN + 90_000, 'the node stopped')
  history.restart(BEGIN + 210_000)
  history.reading(5, BEGIN + 211_000)
  history.writer().end(BEGIN + 240_000, 'the node stopped')
  const span = { from: BEGIN, to: BEGIN + 240_000 }
  const minutes = history.read(reader => [...reader.buckets('temperature', MINUTE_MS, span)])
  t.deepEqual(
    minutes.map(({ start, recordedMs }) => [start - BEGIN, recordedMs]),
    [
      [0, 60_000],
      [60_000, 30_000],
      [180_000, 30_000],
    ],
  )
  t.deepEqual(
    history.read(reader => reader.stretches('temperature', span)),
    [
      { from: BEGIN, to: BEGIN + 90_000 },
      { from: BEGIN + 210_000, to: BEGIN + 240_000 },
    ],
  )
  t.deepEqual((await history.verify()).findings, [])
})

test('a clock that is set back a year is shown, nothing is lost or removed, and the count goes on', async t => {
  const history = await makeHistory(t)
  for (let minute = 0; minute < 90; minute += 1) history.reading(4, BEGIN + minute * MINUTE_MS)
  const before = BEGIN + 90 * MINUTE_MS
  history.writer().advance(before)
  history.writer().jump(before - 365 * DAY_MS)
  history.reading(5, before - 365 * DAY_MS + 1_000)
  history.writer().end(before - 365 * DAY_MS + 60_000, 'the end')
  const { findings, jumps } = await history.verify()
  t.deepEqual(findings, [])
  t.deepEqual(jumps, [{ from: before, to: before - 365 * DAY_MS }])
  const all = { from: BEGIN - 366 * DAY_MS, to: BEGIN + DAY_MS }
  const readings = history.read(reader => [...reader.readings('temperature', all)])
  t.is(readings.length, 91)
  t.true(
    readings.every(
      ({ number }, index) => index === 0 || number > (readings[index - 1]?.number ?? 0),
    ),
  )
  t.is(readings.at(-1)?.value, 5)
})

test('a clock that is wrong by ten years removes nothing', async t => {
  const history = await makeHistory(t)
  history.reading(4, BEGIN + 1_000)
  history.writer().jump(BEGIN + 3_660 * DAY_MS)
  for (let hour = 0; hour < 5; hour += 1) {
    history.reading(5, BEGIN + 3_660 * DAY_MS + hour * HOUR_MS)
    history.writer().flush()
  }
  const span = { from: BEGIN, to: BEGIN + HOUR_MS }
  t.is(history.read(reader => [...reader.readings('temperature', span)]).length, 1)
})

test('of readings that come faster than they can be kept the sums count each, and it is said', async t => {
  const history = await makeHistory(t)
  for (let count = 0; count < 10_000; count += 1) history.reading(count, BEGIN + 1_000)
  history.writer().end(BEGIN + MINUTE_MS, 'the end')
  const span = { from: BEGIN, to: BEGIN + HOUR_MS }
  const [minute] = history.read(reader => [...reader.buckets('temperature', MINUTE_MS, span)])
  t.is(minute?.count, 10_000)
  t.is(minute?.high, 9_999)
  const events = history.read(reader => [...reader.events('temperature', span)])
  t.regex(events.find(({ type }) => type === 'overrun')?.detail ?? '', /rows came too fast/)
  t.true(history.read(reader => [...reader.readings('temperature', span)]).length < 5_000)
  t.deepEqual((await history.verify()).findings, [])
})

test('what is older than it is kept is removed, and the rest stays sound', async t => {
  const retention = { readingsMs: 2 * HOUR_MS, minutesMs: 5 * HOUR_MS, hoursMs: 20 * HOUR_MS }
  const history = await makeHistory(t, { retention })
  for (let minute = 0; minute < 60 * 30; minute += 1) {
    history.reading(4, BEGIN + minute * MINUTE_MS)
    history.writer().flush()
  }
  const all = { from: BEGIN, to: BEGIN + 2 * DAY_MS }
  const oldest = (found: readonly { readonly at?: number; readonly start?: number }[]): number => {
    const [first] = found
    return Math.round(((first?.at ?? first?.start ?? 0) - BEGIN) / HOUR_MS)
  }
  t.is(oldest(history.read(reader => [...reader.readings('temperature', all)])), 26)
  t.is(oldest(history.read(reader => [...reader.buckets('temperature', MINUTE_MS, all)])), 23)
  t.is(oldest(history.read(reader => [...reader.buckets('temperature', HOUR_MS, all)])), 8)
  t.deepEqual((await history.verify()).findings, [])
})
