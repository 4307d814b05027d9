import test from 'ava'
import { LimitWatch, rulesOf, type OwnLimits } from '../../cli/alarms.ts'
import type { AlarmChange } from '../../node/alarms/alarm.ts'
import { Alarms } from '../../node/alarms/alarms.ts'
import type { SensorInfo } from '../../node/client/node-connection.ts'
import type { SensorEvent } from '../../node/sensors/kinds.ts'
import { FakeClock } from '../support/fake-clock.ts'

const DOOR: SensorInfo = { name: 'door', kind: 'door' }
const AIR: SensorInfo = { name: 'temperature', kind: 'temperature' }

function start(limits: OwnLimits = { doorTimeoutMs: 30_000, maxTemperature: 8 }) {
  const clock = new FakeClock()
  const said: AlarmChange[] = []
  const watch = new LimitWatch({ clock, limits, onAlarm: change => said.push(change) })
  watch.greet('node-1', 0)
  const read = (value: number, node = 'node-1'): void =>
    watch.hear(node, AIR, { type: 'reading', value, unit: 'C', at: clock.now() })
  const move = (type: 'open' | 'close', sensor = DOOR): void =>
    watch.hear('node-1', sensor, { type, at: clock.now() })
  const fail = (sensor: SensorInfo): void =>
    watch.hear('node-1', sensor, { type: 'unavailable', reason: 'gone', at: clock.now() })
  const told = (): string[] =>
    said.map(({ state, alarm }) => `${alarm.node} ${alarm.sensor} ${alarm.rule} ${state}`)
  return { clock, watch, said, read, move, fail, told }
}

test('a door that stays open for longer than the limit raises one alarm, which ends when it closes', async t => {
  const { clock, move, said, told } = start()
  move('open')
  await clock.advance(29_999)
  t.deepEqual(said, [])
  await clock.advance(1)
  t.like(said, [
    { state: 'raised', alarm: { node: 'node-1', sensor: 'door', since: clock.now() - 30_000 } },
  ])
  await clock.advance(600_000)
  t.is(said.length, 1)
  move('close')
  t.is(told().at(-1), 'node-1 door open over')
})

test('an alarm by a limit of whoever watches is another one than that of the node about the same', async t => {
  const { clock, move, said } = start()
  using alarms = new Alarms({
    node: 'node-1',
    clock,
    rulesOf: () => [{ type: 'open', forMs: 30_000 }],
  })
  move('open')
  alarms.hear(DOOR, { type: 'open', at: clock.now() })
  await clock.advance(30_000)
  const [theirs] = alarms.standing()
  t.is(said[0]?.alarm.since, theirs?.since)
  t.not(said[0]?.alarm.id, theirs?.id)
})

test('a door that closes in time raises nothing, and each opening counts anew', async t => {
  const { clock, move, said } = start()
  for (let times = 0; times < 3; times += 1) {
    move('open')
    await clock.advance(29_000)
    move('close')
    await clock.advance(29_000)
  }
  t.deepEqual(said, [])
  t.is(clock.pending, 0)
})

test('a door of which every third second nothing is known is open all the same', async t => {
  const { clock, move, fail, told } = start()
  for (let times = 0; times < 11; times += 1) {
    move('open')
    await clock.advance(2_999)
    fail(DOOR)
    await clock.advance(1)
  }
  t.deepEqual(told(), ['node-1 door open raised'])
})

test('a door that was open before the client came has been open since then', async t => {
  const { clock, watch, told } = start()
  const opened: SensorEvent = { type: 'open', at: clock.now() - 20_000 }
  watch.hear('node-1', DOOR, opened)
  await clock.advance(9_999)
  t.deepEqual(told(), [])
  await clock.advance(1)
  t.deepEqual(told(), ['node-1 door open raised'])
})

test('how far a clock is ahead or behind says nothing of how long a door is open', async t => {
  for (const aheadMs of [3_600_000, -3_600_000]) {
    const { clock, watch, told, said } = start()
    watch.greet('node-1', aheadMs)
    const at = clock.now() + aheadMs
    watch.hear('node-1', DOOR, { type: 'open', at })
    await clock.advance(29_999)
    t.deepEqual(told(), [])
    await clock.advance(1)
    t.is(said[0]?.alarm.since, at)
  }
})

test('readings that come and go at a limit raise one alarm, of warmth and of cold', t => {
  const { read, told } = start({ maxTemperature: 8, minTemperature: 2 })
  for (let times = 0; times < 10; times += 1) read(times % 2 ? 7.99 : 8.01)
  t.deepEqual(told(), ['node-1 temperature high raised'])
  for (let times = 0; times < 10; times += 1) read(times % 2 ? 2.01 : 1.99)
  t.deepEqual(told().slice(1), ['node-1 temperature high over', 'node-1 temperature low raised'])
})

test('a limit may be passed for as long as is said', async t => {
  const { read, told, clock } = start({ maxTemperature: 8, forMs: 60_000 })
  read(9)
  await clock.advance(59_999)
  t.deepEqual(told(), [])
  await clock.advance(1)
  t.deepEqual(told(), ['node-1 temperature high raised'])
})

test('a thermometer that falls silent keeps its alarm and raises another', async t => {
  const { read, fail, told, clock } = start({ maxTemperature: 10 })
  read(9.5)
  fail(AIR)
  await clock.advance(60_000)
  t.deepEqual(told(), ['node-1 temperature unavailable raised'])
  read(12)
  fail(AIR)
  await clock.advance(600_000)
  t.deepEqual(told().slice(1), ['node-1 temperature high raised'])
})

test('what a node says ends no alarm of another, and its own go on when it comes back', async t => {
  const { watch, read, told } = start({ maxTemperature: 8 })
  read(9)
  watch.greet('node-2', 0)
  read(4, 'node-2')
  read(9, 'node-2')
  watch.greet('node-1', 0)
  read(9)
  read(4)
  t.deepEqual(told(), [
    'node-1 temperature high raised',
    'node-2 temperature high raised',
    'node-1 temperature high over',
  ])
})

test('two doors and two thermometers have alarms of their own', async t => {
  const { clock, watch, move, told } = start()
  move('open')
  await clock.advance(10_000)
  move('open', { name: 'cold-room', kind: 'door' })
  const shelf = { name: 'shelf', kind: 'temperature' } as const
  watch.hear('node-1', shelf, { type: 'reading', value: 12, unit: 'C', at: clock.now() })
  await clock.advance(20_000)
  move('close')
  await clock.advance(10_000)
  t.deepEqual(told(), [
    'node-1 shelf high raised',
    'node-1 door open raised',
    'node-1 door open over',
    'node-1 cold-room open raised',
  ])
})

test('without limits nothing is an alarm, and what is not under one may be unavailable', async t => {
  t.deepEqual(rulesOf({}, 'door'), [])
  t.deepEqual(rulesOf({ maxTemperature: 8, doorTimeoutMs: 1 }, 'humidity'), [])
  const { clock, move, fail, told } = start({ maxTemperature: 8 })
  move('open')
  fail(DOOR)
  await clock.advance(86_400_000)
  t.deepEqual(told(), [])
})

test('of a sensor that may be read no more nothing is said', async t => {
  const { clock, watch, move, told } = start()
  move('open')
  watch.forget('node-1', 'door')
  await clock.advance(60_000)
  t.deepEqual(told(), [])
  t.is(clock.pending, 0)
})
