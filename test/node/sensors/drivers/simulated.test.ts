import test from 'ava'

import { seededRandom } from '../../../../node/sensors/drivers/seeded-random.ts'
import type { SensorEvent } from '../../../../node/sensors/kinds.ts'
import type { Sensor } from '../../../../node/sensors/sensor.ts'
import {
  openSimulatedFridge,
  type SimulatedFridgeOptions,
} from '../../../../node/sensors/drivers/simulated.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

function open(options: Partial<SimulatedFridgeOptions> = {}) {
  const clock = new FakeClock()
  const fridge = openSimulatedFridge({ clock, random: seededRandom(1), ...options })
  const [door, temperature] = fridge.sensors
  if (door === undefined || temperature === undefined) throw new Error('a sensor is missing')
  return { clock, fridge, door, temperature }
}

/** Collect what `sensor` says until `stop` is called. */
function collect(sensor: Sensor): { events: SensorEvent[]; stop: () => Promise<void> } {
  const events: SensorEvent[] = []
  const abort = new AbortController()
  const running = sensor.watch(event => events.push(event), abort.signal)
  return {
    events,
    stop: async () => {
      abort.abort()
      await running
    },
  }
}

test('the door says at once what it is, then each time it moves, with the moment', async t => {
  const { clock, fridge, door } = open()
  const startedAt = clock.now()
  const { events, stop } = collect(door)
  await clock.advance(5_000)
  fridge.openDoor()
  fridge.openDoor()
  await clock.advance(3_000)
  fridge.closeDoor()
  fridge.closeDoor()
  await clock.advance(0)
  t.deepEqual(events, [
    { type: 'close', at: startedAt },
    { type: 'open', at: startedAt + 5_000 },
    { type: 'close', at: startedAt + 8_000 },
  ])
  await stop()
  t.is(clock.pending, 0)
})

test('a door that moves twice before it is listened to again loses neither event', async t => {
  const { clock, fridge, door } = open()
  const { events, stop } = collect(door)
  await clock.advance(0)
  fridge.openDoor()
  fridge.closeDoor()
  await clock.advance(0)
  t.deepEqual(
    events.map(event => event.type),
    ['close', 'open', 'close'],
  )
  await stop()
})

test('the thermometer reads at once and then at its interval, to a hundredth of a degree', async t => {
  const { clock, temperature } = open({ readingIntervalMs: 500, noise: 0.2 })
  const startedAt = clock.now()
  const { events, stop } = collect(temperature)
  await clock.advance(20_000)
  t.is(events.length, 41)
  for (const [index, event] of events.entries()) {
    if (event.type !== 'reading') throw new Error(`a thermometer said ${event.type}`)
    t.is(event.at, startedAt + index * 500)
    t.is(event.value, Math.round(event.value * 100) / 100)
    t.true(Math.abs(event.value - 4) < 0.3, String(event.value))
  }
  t.true(new Set(events.map(event => (event.type === 'reading' ? event.value : ''))).size > 10)
  await stop()
  t.is(clock.pending, 0)
})

test('both sensors watch one fridge: an open door is felt by the thermometer', async t => {
  const { clock, fridge, temperature } = open({ noise: 0 })
  const { events, stop } = collect(temperature)
  fridge.openDoor()
  await clock.advance(60_000)
  const last = events.at(-1)
  t.true(last?.type === 'reading' && last.value > 6.5)
  await stop()
})

test('each command acts on the fridge and answers with a short text', async t => {
  const { clock, fridge } = open()
  const { actuator } = fridge
  t.is(await actuator.setTargetTemperature(5), 'target temperature set to 5 °C')
  t.is(fridge.state().target, 5)
  t.is(await actuator.defrost(), 'defrosting for 20 min')
  await clock.advance(10 * 60_000)
  t.is(fridge.state().defrostLeftMs, 10 * 60_000)
  t.is(await actuator.powerOff(), 'power is off')
  t.false(fridge.state().isPowered)
  await t.throwsAsync(actuator.defrost(), { code: 'ERR_COMMAND' })
  t.is(await actuator.powerOn(), 'power is on')
  t.true(fridge.state().isPowered)
  await t.throwsAsync(actuator.setTargetTemperature(16), { code: 'ERR_COMMAND' })
  t.is(fridge.state().target, 5)
})

test('a command takes effect from its own moment, not from the last reading', async t => {
  const { clock, fridge } = open()
  await clock.advance(3_600_000)
  await fridge.actuator.setTargetTemperature(-30)
  const { air } = fridge.state()
  t.true(Math.abs(air - 4) <= 0.5, String(air))
})

test('the same seed gives the same run, door and noise included', async t => {
  const runs = await Promise.all(
    [1, 2].map(async ignored => {
      const options = { seed: 7, random: seededRandom(ignored), doorOpensPerHour: 60 }
      const { clock, fridge, door, temperature } = open({ ...options, readingIntervalMs: 10_000 })
      const doorLog = collect(door)
      const temperatureLog = collect(temperature)
      await clock.advance(1_800_000)
      await Promise.all([doorLog.stop(), temperatureLog.stop()])
      fridge[Symbol.dispose]()
      return [...doorLog.events, ...temperatureLog.events]
    }),
  )
  t.deepEqual(runs[0], runs[1])
  const opened = runs[0]?.filter(event => event.type === 'open').length ?? 0
  t.true(opened > 8 && opened < 60, String(opened))
})

test('nobody opens the door unless asked to, and a disposed fridge is left alone', async t => {
  const quiet = open()
  t.is(quiet.clock.pending, 0)
  const visited = open({ doorOpensPerHour: 60 })
  await visited.clock.advance(600_000)
  visited.fridge[Symbol.dispose]()
  t.is(visited.clock.pending, 0)
})

test('a wall clock that jumps does not move the fridge in time', async t => {
  const { clock, fridge } = open()
  await fridge.actuator.powerOff()
  clock.jump(-3_600_000)
  t.is(fridge.state().air, 4)
  clock.jump(360 * 24 * 3_600_000)
  t.is(fridge.state().air, 4)
})
