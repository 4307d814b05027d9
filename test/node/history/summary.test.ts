import test from 'ava'
import { addReading, emptyBucket } from '../../../node/history/bucket.ts'
import { gapsIn, outagesIn, restOf, summarize } from '../../../node/history/summary.ts'
import type { EventType, RecordedEvent } from '../../../node/history/seal.ts'

function bucketsOf(...values: readonly number[][]) {
  return values.map((readings, index) => {
    const bucket = emptyBucket(index)
    for (const value of readings) addReading(bucket, value)
    return bucket
  })
}

/** Everything was recorded, and the span begins with what was known. */
const ALL = { gaps: [], first: undefined }

/** A moment at which all of a span is long over. */
const LATER = 1_000_000

function event(type: EventType, at: number, detail = ''): RecordedEvent {
  return { number: at, at, sensor: 'temperature', type, detail }
}

test('a sum has both extremes with their moments, and the mean of all readings', t => {
  const { lowest, highest, mean, readings } = summarize(bucketsOf([4, 6], [], [1], [9, 5]))
  t.deepEqual(lowest, { value: 1, at: 2 })
  t.deepEqual(highest, { value: 9, at: 3 })
  t.is(mean, 5)
  t.is(readings, 5)
})

test('the mean kinetic temperature is that of USP 1079.2: of what does not change the mean, else above it', t => {
  t.is(summarize(bucketsOf([5], [5], [5])).kineticMean?.toFixed(6), '5.000000')
  // By hand: −10000 / ln((e^(−10000/278.15) + e^(−10000/298.15)) / 2) − 273.15
  t.is(summarize(bucketsOf([5], [25])).kineticMean?.toFixed(2), '19.70')
  t.is(summarize([]).kineticMean, undefined)
})

test('a gap is what no stretch covers, at both ends as well', t => {
  const span = { from: 0, to: 100 }
  t.deepEqual(gapsIn(span, [], LATER), [span])
  t.deepEqual(gapsIn(span, [{ from: -5, to: 105 }], LATER), [])
  t.deepEqual(
    gapsIn(
      span,
      [
        { from: 10, to: 30 },
        { from: 20, to: 50 },
        { from: 60, to: 90 },
      ],
      LATER,
    ),
    [
      { from: 0, to: 10 },
      { from: 50, to: 60 },
      { from: 90, to: 100 },
    ],
  )
})

test('what a node that runs has not written yet is no gap', t => {
  const stretches = [{ from: 0, to: 100_000 }]
  const to = 150_000
  t.deepEqual(gapsIn({ from: 0, to }, stretches, to), [])
  t.deepEqual(gapsIn({ from: 0, to }, stretches, to + 60_000), [{ from: 100_000, to }])
})

test('an outage lasts from the first word of it until anything else is said, or the node stops', t => {
  const outages = outagesIn(
    { from: 0, to: 100 },
    [
      event('unavailable', 10, 'no answer'),
      event('unavailable', 20, 'silent'),
      event('clock', 25),
      event('raised', 26),
      event('acknowledged', 27),
      event('available', 30),
      event('unavailable', 50, 'gone'),
      event('stopped', 60),
      event('unavailable', 90, 'gone again'),
    ],
    ALL,
  )
  t.deepEqual(outages, [
    { from: 10, to: 30, reason: 'no answer' },
    { from: 50, to: 60, reason: 'gone' },
    { from: 90, to: 100, reason: 'gone again' },
  ])
})

test('nothing is known of a sensor from the start of its node on, until it says something', t => {
  const events = [
    event('started', 10),
    event('available', 15),
    event('stopped', 20),
    event('started', 30),
    event('unavailable', 40, 'no answer'),
    event('available', 50),
  ]
  t.deepEqual(outagesIn({ from: 0, to: 100 }, events, ALL), [
    { from: 10, to: 15, reason: 'nothing was heard of it yet' },
    { from: 30, to: 40, reason: 'nothing was heard of it yet' },
    { from: 40, to: 50, reason: 'no answer' },
  ])
})

test('an outage that began before the span is one in it, as its first sums tell', t => {
  const silent = { ...emptyBucket(0), recordedMs: 60, unavailableMs: 60 }
  const span = { from: 0, to: 100 }
  const before = { from: 0, to: 80, reason: 'since before that' }
  t.deepEqual(outagesIn(span, [event('available', 80)], { gaps: [], first: silent }), [before])
  t.deepEqual(outagesIn(span, [], { gaps: [], first: silent }), [{ ...before, to: 100 }])
  const partly = { ...silent, unavailableMs: 30 }
  t.deepEqual(outagesIn(span, [event('available', 80)], { gaps: [], first: partly }), [])
})

test('a node that is killed while a sensor is unavailable leaves a gap, and no outage in it', t => {
  const events = [event('unavailable', 10, 'no answer'), event('started', 60), event('open', 60)]
  const gaps = [{ from: 30, to: 60 }]
  t.deepEqual(outagesIn({ from: 0, to: 100 }, events, { gaps, first: undefined }), [
    { from: 10, to: 30, reason: 'no answer' },
  ])
})

test('what is left of a span reaches to both of its ends, and not beyond', t => {
  const others = [
    { from: -20, to: -10 },
    { from: -5, to: 10 },
    { from: 20, to: 30 },
    { from: 120, to: 130 },
  ]
  t.deepEqual(restOf({ from: 0, to: 100 }, others), [
    { from: 10, to: 20 },
    { from: 30, to: 100 },
  ])
  t.deepEqual(restOf({ from: 0, to: 100 }, [{ from: 0, to: 100 }]), [])
})
