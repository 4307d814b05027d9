import test from 'ava'
import * as fc from 'fast-check'
import { advance, type RuleState, type Step } from '../../../node/alarms/engine.ts'
import type { Rule } from '../../../node/alarms/rule.ts'
import type { SensorEvent } from '../../../node/sensors/kinds.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const HIGH: Rule = { type: 'high', limit: 8, forMs: HOUR, hysteresis: 0.5 }
const LOW: Rule = { type: 'low', limit: 2, forMs: 15 * MINUTE, hysteresis: 0.5 }
const OPEN: Rule = { type: 'open', forMs: 5 * MINUTE }
const UNAVAILABLE: Rule = { type: 'unavailable', forMs: 15 * MINUTE }

type Told = readonly [state: string, at: number]

/** Play events at their moments, and let time pass exactly where a rule asks for it. */
function play(rule: Rule, events: readonly SensorEvent[], until: number, from: RuleState = {}) {
  const told: Told[] = []
  let step: Step = { state: from }
  const take = (event: SensorEvent | undefined, now: number): void => {
    step = advance(rule, step.state, event, now)
    if (step.outcome !== undefined) told.push([step.outcome.state, now])
  }
  const passTo = (now: number): void => {
    while (step.dueAt !== undefined && step.dueAt <= now) take(undefined, step.dueAt)
  }
  for (const event of events) {
    passTo(event.at - 1)
    take(event, event.at)
  }
  passTo(until)
  return { told, state: step.state, dueAt: step.dueAt }
}

const reading = (at: number, value: number): SensorEvent => ({
  type: 'reading',
  value,
  unit: 'C',
  at,
})
const gone = (at: number): SensorEvent => ({ type: 'unavailable', reason: 'gone', at })

test('a limit that is passed for as long as it may be raises one alarm, and is over well within the limit', t => {
  const { told, state } = play(
    HIGH,
    [reading(0, 9), reading(HOUR + 1, 10), reading(2 * HOUR, 7.9), reading(3 * HOUR, 7.4)],
    9 * HOUR,
  )
  t.deepEqual(told, [
    ['raised', HOUR],
    ['over', 3 * HOUR],
  ])
  t.is(state.excursion, undefined)
})

test('an alarm keeps the worst of its excursion, of warmth and of cold', t => {
  const warm = play(HIGH, [reading(0, 9), reading(1, 11.5), reading(2, 8.2)], HOUR)
  t.like(warm.state.excursion, { since: 0, extreme: 11.5, value: 8.2 })
  const cold = play(LOW, [reading(0, 1), reading(1, -3), reading(2, 1.5)], HOUR)
  t.like(cold.state.excursion, { since: 0, extreme: -3, value: 1.5, raisedAt: 15 * MINUTE })
})

test('readings that come and go at a limit are one excursion, and one alarm', t => {
  const events = Array.from({ length: 800 }, (_, n) => reading(n * 5_000, n % 2 ? 7.99 : 8.01))
  t.deepEqual(play(HIGH, events, 2 * HOUR).told, [['raised', HOUR]])
  t.deepEqual(play({ ...HIGH, forMs: 0 }, events, HOUR + MINUTE).told, [['raised', 0]])
})

test('one warm reading is no excursion once readings have been within the limit for a minute', t => {
  const events = [reading(0, 8.01), reading(5_000, 7.9), reading(2 * MINUTE, 7.9)]
  const { told, state } = play(HIGH, events, 9 * HOUR)
  t.deepEqual(told, [])
  t.is(state.excursion, undefined)
})

test('unknown is not well: a sensor that falls silent while it is warm is warm still', t => {
  t.deepEqual(play(HIGH, [reading(0, 9.5), gone(MINUTE)], HOUR).told, [['raised', HOUR]])
  const later = [reading(0, 9.5), gone(2 * HOUR), gone(3 * HOUR), reading(4 * HOUR, 4)]
  t.deepEqual(play(HIGH, later, 9 * HOUR).told, [
    ['raised', HOUR],
    ['over', 4 * HOUR],
  ])
})

test('a door counts as open since it was first seen open, whatever was unavailable between', t => {
  const events: SensorEvent[] = [{ type: 'open', at: 0 }]
  for (let at = 3_000; at < 10 * MINUTE; at += 3_000) {
    events.push(gone(at), { type: 'open', at: at + 1 })
  }
  t.deepEqual(play(OPEN, events, 10 * MINUTE).told, [['raised', 5 * MINUTE]])
  const closed: SensorEvent[] = [{ type: 'open', at: 0 }, gone(1), { type: 'close', at: 2 }]
  t.deepEqual(play(OPEN, closed, HOUR).told, [])
})

test('a sensor that comes and goes is unavailable once it was gone for long enough in all, and available when it has been for a minute', t => {
  const events: SensorEvent[] = []
  // Gone for 31 of each 50 seconds: 29 times are 15 minutes, but for a second.
  for (let at = 0; at < 30 * MINUTE; at += 50_000) events.push(gone(at), reading(at + 31_000, 4))
  const last = events.at(-1)?.at ?? 0
  t.deepEqual(play(UNAVAILABLE, events, HOUR).told, [
    ['raised', 29 * 50_000 + 1_000],
    ['over', last + MINUTE],
  ])
})

test('time in which a sensor was known is no time in which it was unavailable', t => {
  const brief: Rule = { type: 'unavailable', forMs: 10_000 }
  const events = [gone(0), reading(3_000, 4), gone(28_000)]
  t.deepEqual(play(brief, events, HOUR).told, [['raised', 35_000]])
  const seldom: SensorEvent[] = []
  for (let at = 0; at < 10 * HOUR; at += 50_000) seldom.push(gone(at), reading(at + 100, 4))
  t.deepEqual(play(UNAVAILABLE, seldom, 20 * HOUR).told, [])
})

test('nothing is raised while all is well again, though it has not been so for long', t => {
  const events = [gone(0), reading(15 * MINUTE - 30_000, 4)]
  t.deepEqual(play(UNAVAILABLE, events, HOUR).told, [])
  // One that comes and goes is unavailable when it has been gone for as long, once more.
  const again = [...events, gone(15 * MINUTE + 20_000)]
  t.deepEqual(play(UNAVAILABLE, again, HOUR).told, [['raised', 15 * MINUTE + 50_000]])
  const warm = [reading(0, 9), reading(HOUR - 30_000, 7.9)]
  t.deepEqual(play(HIGH, warm, 2 * HOUR).told, [])
})

test('what an event says of later than now counts from now', t => {
  const step = advance(OPEN, {}, { type: 'open', at: 9 * HOUR }, 1_000)
  t.is(step.state.excursion?.since, 1_000)
  t.is(step.dueAt, 1_000 + 5 * MINUTE)
})

test('a reading that comes when an alarm is due, and is well, comes in time', t => {
  const { state } = advance(HIGH, {}, reading(0, 9), 0)
  t.is(advance(HIGH, state, reading(3 * HOUR, 4), 3 * HOUR).outcome, undefined)
  t.is(advance(HIGH, state, reading(3 * HOUR, 9), 3 * HOUR).outcome?.state, 'raised')
})

test('times past a limit add up over a day, and are forgotten after it', t => {
  const rule: Rule = { type: 'high-per-day', limit: 8, forMs: 2 * HOUR }
  const events: SensorEvent[] = []
  for (let hour = 0; hour < 10; hour += 1) {
    events.push(reading(hour * HOUR, 9), reading(hour * HOUR + 15 * MINUTE, 5))
  }
  const { told, state } = play(rule, events, 40 * HOUR)
  // Eight times a quarter; then three of ten are a day old, and more than a tenth of what may be is gone.
  t.deepEqual(told, [
    ['raised', 7 * HOUR + 15 * MINUTE],
    ['over', 26 * HOUR + 15 * MINUTE],
  ])
  t.true((state.total?.spans.length ?? 0) < 10)
})

test('however a limit is passed, a total of a day is that of the same readings summed up naively', t => {
  const rule: Rule = { type: 'high-per-day', limit: 8, forMs: 4 * HOUR }
  const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 7_200_000 }), fc.boolean()), {
    maxLength: 60,
  })
  fc.assert(
    fc.property(steps, list => {
      let at = 0
      const events = list.map(([ms, isWarm]) => reading((at += ms), isWarm ? 9 : 4))
      const isRaised = play(rule, events, at).told.some(([state]) => state === 'raised')
      const warmMs = (from: number, to: number): number =>
        events.reduce((sum, event, index) => {
          const end = events[index + 1]?.at ?? to
          const isWarm = event.type === 'reading' && event.value > 8
          return isWarm ? sum + Math.max(0, Math.min(end, to) - Math.max(event.at, from)) : sum
        }, 0)
      const ends = [...events.map(event => event.at), at]
      const most = Math.max(0, ...ends.map(end => warmMs(end - 24 * HOUR, end)))
      // What lies on the edge of the day counts for up to a quarter of an hour longer.
      const longest = Math.max(0, ...ends.map(end => warmMs(end - 24.25 * HOUR, end)))
      if (most >= rule.forMs) return isRaised
      return longest >= rule.forMs || !isRaised
    }),
  )
  t.pass()
})

test('whatever is heard, alarms are raised and over in turn, and time alone never goes on for ever', t => {
  const rules = fc.constantFrom<Rule>(HIGH, LOW, UNAVAILABLE, { ...HIGH, forMs: 0 })
  const heard = fc.array(
    fc.tuple(
      fc.integer({ min: 0, max: 3 * HOUR }),
      fc.option(fc.double({ min: -5, max: 15, noNaN: true })),
    ),
  )
  fc.assert(
    fc.property(rules, heard, (rule, list) => {
      let at = 0
      const events = list.map(([ms, value]) => {
        at += ms
        return value === null ? gone(at) : reading(at, value)
      })
      const { told } = play(rule, events, at + 100 * HOUR)
      return told.every(([state], index) => state === (index % 2 === 0 ? 'raised' : 'over'))
    }),
  )
  t.pass()
})
