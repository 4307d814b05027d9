import test from 'ava'

import type { SensorEvent, SensorKind } from '../../../node/sensors/kinds.ts'
import { paced } from '../../../node/sensors/pace.ts'
import type { SensorLog, TellEvent } from '../../../node/sensors/sensor.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const reading = (value: number): SensorEvent => ({ type: 'reading', value, unit: 'C', at: 1 })

/** A sensor that says what a test hands to `tell`, at most once in 100 ms. */
async function start(kind: SensorKind, minIntervalMs = 100) {
  const clock = new FakeClock()
  const warned: unknown[] = []
  const log: SensorLog = {
    debug() {},
    info() {},
    warn: (fields: unknown) => warned.push(fields),
    error() {},
  }
  const told: SensorEvent[] = []
  const started = Promise.withResolvers<TellEvent>()
  const { promise: end, resolve, reject } = Promise.withResolvers<void>()
  const sensor = paced(
    {
      name: 'it',
      kind,
      watch: async tell => {
        started.resolve(tell)
        await end
      },
    },
    { clock, log, minIntervalMs },
  )
  const ended = sensor.watch(event => told.push(event), new AbortController().signal)
  return { clock, warned, told, tell: await started.promise, end: resolve, fail: reject, ended }
}

test('of thirty thousand readings in one turn the newest is told, once', async t => {
  const { clock, told, tell } = await start('temperature')
  for (let value = 1; value <= 30_000; value += 1) tell(reading(value))
  await clock.advance(0)
  t.deepEqual(told, [reading(30_000)])
  await clock.advance(1_000)
  t.is(told.length, 1)
})

test('readings that come faster than the pace are told at the pace, each the newest', async t => {
  const { clock, told, tell, warned } = await start('temperature')
  for (let ms = 0; ms < 1_000; ms += 10) {
    tell(reading(ms))
    await clock.advance(10)
  }
  t.deepEqual(
    told.map(event => event.type === 'reading' && event.value),
    [0, 90, 190, 290, 390, 490, 590, 690, 790, 890, 990],
  )
  t.deepEqual(warned, [{ sensor: 'it', minIntervalMs: 100 }])
})

test('a sensor within its pace is told at once, and no timer is set', async t => {
  const { clock, told, tell, warned } = await start('temperature')
  for (const value of [1, 2, 3]) {
    tell(reading(value))
    await clock.advance(100)
    t.deepEqual(told.at(-1), reading(value))
    t.is(clock.pending, 0)
  }
  t.deepEqual(warned, [])
})

test('every move of a door is told, in order, unless no door moves like that', async t => {
  const { clock, told, tell } = await start('door')
  const moves = Array.from({ length: 1_001 }, (_, index) => ({
    type: index % 2 === 0 ? ('open' as const) : ('close' as const),
    at: index,
  }))
  for (const move of moves) tell(move)
  t.deepEqual(told, moves.slice(0, 64))
  await clock.advance(100)
  t.deepEqual(told.slice(64), moves.slice(-1))
  await clock.advance(100_000)
  t.is(told.length, 65)
})

test('what waits is told before the sensor ends, however it ends', async t => {
  const { told, tell, end, ended } = await start('temperature')
  tell(reading(4))
  end()
  await ended
  t.deepEqual(told, [reading(4)])
  const failing = await start('temperature')
  failing.tell(reading(5))
  failing.fail(new Error('it broke'))
  await t.throwsAsync(failing.ended, { message: 'it broke' })
  t.deepEqual(failing.told, [reading(5)])
  t.is(failing.clock.pending, 0)
})

test('without a pace each is told', async t => {
  const { told, tell } = await start('temperature', 0)
  tell(reading(1))
  tell(reading(2))
  t.deepEqual(told, [reading(1), reading(2)])
})
