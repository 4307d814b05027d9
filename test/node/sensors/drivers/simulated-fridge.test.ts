import test from 'ava'
import * as fc from 'fast-check'

import {
  advance,
  DEFAULT_PHYSICS,
  fridgeAt,
  withDefrost,
  withPower,
  withTarget,
  type FridgeState,
} from '../../../../node/sensors/drivers/simulated-fridge.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const physics = DEFAULT_PHYSICS

const celsius = (min: number, max: number) => fc.double({ min, max, noNaN: true })
const target = celsius(-30, 15)
const span = fc.integer({ min: 0, max: 6 * HOUR })
const state: fc.Arbitrary<FridgeState> = fc.record({
  air: celsius(-45, 45),
  target,
  isPowered: fc.boolean(),
  isDoorOpen: fc.boolean(),
  isCompressorOn: fc.boolean(),
  defrostLeftMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: physics.defrostMs })),
})

test('the air never leaves the span between the evaporator and the warmest of heater, room and start', t => {
  const steps = fc.array(fc.tuple(fc.constantFrom('door', 'power', 'defrost', 'wait'), span))
  fc.assert(
    fc.property(state, target, steps, (start, wanted, steps) => {
      const coldest = Math.min(physics.evaporator, start.air)
      const warmest = Math.max(physics.heater, physics.ambient, start.air)
      let now = withTarget(start, wanted)
      for (const [action, ms] of steps) {
        if (action === 'door') now = { ...now, isDoorOpen: !now.isDoorOpen }
        if (action === 'power') now = withPower(now, !now.isPowered)
        if (action === 'defrost' && now.isPowered) now = withDefrost(now, physics)
        now = advance(now, physics, ms)
        if (!(now.air >= coldest - 1e-9 && now.air <= warmest + 1e-9)) return false
      }
      return true
    }),
  )
  t.pass()
})

test('two steps end where one step of their sum ends', t => {
  fc.assert(
    fc.property(state, span, span, (start, first, second) => {
      const whole = advance(start, physics, first + second)
      const split = advance(advance(start, physics, first), physics, second)
      return Math.abs(whole.air - split.air) < 1e-6
    }),
    { numRuns: 500 },
  )
  t.pass()
})

test('a running fridge comes to its target and holds it within its hysteresis', t => {
  fc.assert(
    fc.property(state, target, span, (start, wanted, later) => {
      const running = { ...start, isPowered: true, isDoorOpen: false, target: wanted }
      const { air } = advance(running, physics, 72 * HOUR + later)
      return Math.abs(air - wanted) <= physics.hysteresis + 1e-9
    }),
  )
  t.pass()
})

test('without power the air only comes nearer to the room, and in the end is as warm', t => {
  fc.assert(
    fc.property(state, span, (start, ms) => {
      const off = withPower(start, false)
      const distance = (state: FridgeState): number => Math.abs(state.air - physics.ambient)
      const later = advance(off, physics, ms)
      return distance(later) <= distance(off) + 1e-9 && distance(advance(off, physics, 1e9)) < 1e-6
    }),
  )
  t.pass()
})

test('an open door warms the air many times as fast as closed walls', t => {
  const closed = advance(fridgeAt(4), physics, 10 * MINUTE)
  const open = advance({ ...fridgeAt(4), isDoorOpen: true }, physics, MINUTE)
  t.true(closed.air < 4.6)
  t.true(open.air > 6.5 && open.air < 7.5, String(open.air))
})

test('the compressor starts above the target, stops below it and rests in between', t => {
  const starts = advance(fridgeAt(4), physics, 7 * MINUTE)
  t.true(starts.isCompressorOn)
  t.true(starts.air < 4.5)
  const rests = advance(starts, physics, MINUTE)
  t.false(rests.isCompressorOn)
  t.true(rests.air > 3.5 && rests.air < 4)
})

test('a defrost warms the air with the compressor off, ends by itself, and the air is cooled again', t => {
  const started = withDefrost(fridgeAt(4), physics)
  const midway = advance(started, physics, physics.defrostMs / 2)
  t.false(midway.isCompressorOn)
  t.is(midway.defrostLeftMs, physics.defrostMs / 2)
  const ended = advance(midway, physics, physics.defrostMs / 2)
  t.is(ended.defrostLeftMs, 0)
  t.true(ended.air > 7 && ended.air < 10, String(ended.air))
  t.true(ended.isCompressorOn)
  t.true(advance(ended, physics, HOUR).air < 4.6)
})

test('power off ends a defrost; without power none starts', t => {
  const off = withPower(withDefrost(fridgeAt(4), physics), false)
  t.is(off.defrostLeftMs, 0)
  t.throws(() => withDefrost(off, physics), { code: 'ERR_COMMAND', message: /the power is off/ })
  t.is(withPower(off, true).defrostLeftMs, 0)
})

test('a target from -30 to 15 °C is taken, any other refused with the range', t => {
  for (const celsius of [-30, 0, 15]) t.is(withTarget(fridgeAt(4), celsius).target, celsius)
  for (const celsius of [-30.01, 15.01, Number.NaN, Infinity, -Infinity]) {
    t.throws(() => withTarget(fridgeAt(4), celsius), {
      code: 'ERR_COMMAND',
      message: /from -30 to 15 °C/,
    })
  }
})

test('time does not go back, nor on for ever', t => {
  for (const ms of [-1, Number.NaN, Infinity, 1e12]) {
    t.throws(() => advance(fridgeAt(4), physics, ms), { instanceOf: RangeError })
  }
  t.true(Number.isFinite(advance(fridgeAt(4), physics, 365 * 24 * HOUR).air))
})
