import test from 'ava'
import { Alarms, type Alarm, type AlarmOptions } from '../../cli/alarms.ts'
import type { SensorInfo } from '../../node/client/node-connection.ts'
import { FakeClock } from '../support/fake-clock.ts'

const DOOR: SensorInfo = { name: 'door', kind: 'door' }
const AIR: SensorInfo = { name: 'temperature', kind: 'temperature' }

function listen(options: Partial<AlarmOptions> = {}): {
  clock: FakeClock
  alarms: Alarms
  said: Alarm[]
} {
  const clock = new FakeClock()
  const said: Alarm[] = []
  const alarms = new Alarms({
    clock,
    doorTimeoutMs: 30_000,
    maxTemperature: 8,
    onAlarm: alarm => said.push(alarm),
    ...options,
  })
  return { clock, alarms, said }
}

const reading = (value: number) => ({ type: 'reading', value, unit: 'C', at: 0 }) as const

test('a door that stays open for longer than the limit raises one alarm, which ends when it closes', async t => {
  const { clock, alarms, said } = listen()
  alarms.hear(DOOR, { type: 'open', at: clock.now() })
  await clock.advance(29_999)
  t.deepEqual(said, [])
  await clock.advance(1)
  t.deepEqual(said, [
    {
      sensor: 'door',
      state: 'raised',
      text: 'the door has been open for more than 30 s: close it',
    },
  ])
  await clock.advance(600_000)
  t.is(said.length, 1)
  alarms.hear(DOOR, { type: 'close', at: clock.now() })
  t.deepEqual(said.at(-1), { sensor: 'door', state: 'over', text: 'the door is closed' })
})

test('a door that closes in time raises nothing, and each opening counts anew', async t => {
  const { clock, alarms, said } = listen()
  for (let times = 0; times < 3; times += 1) {
    alarms.hear(DOOR, { type: 'open', at: clock.now() })
    await clock.advance(29_000)
    alarms.hear(DOOR, { type: 'close', at: clock.now() })
    await clock.advance(29_000)
  }
  t.deepEqual(said, [])
  t.is(clock.pending, 0)
})

test('a door that was open before the client came has been open since then', async t => {
  const { clock, alarms, said } = listen()
  alarms.hear(DOOR, { type: 'open', at: clock.now() - 20_000 })
  await clock.advance(10_000)
  t.is(said.length, 1)
  const late = listen()
  late.alarms.hear(DOOR, { type: 'open', at: late.clock.now() - 3_600_000 })
  await late.clock.advance(0)
  t.is(late.said.length, 1)
})

test('a door whose node has a clock ahead of ours is not open for longer than we watch it', async t => {
  const { clock, alarms, said } = listen()
  alarms.hear(DOOR, { type: 'open', at: clock.now() + 3_600_000 })
  await clock.advance(29_999)
  t.deepEqual(said, [])
  await clock.advance(1)
  t.is(said.length, 1)
})

test('warmth above the limit raises one alarm, which ends at the limit', t => {
  const { alarms, said } = listen()
  for (const value of [8, 8.01, 9, 8.5]) alarms.hear(AIR, reading(value))
  t.deepEqual(said, [{ sensor: 'temperature', state: 'raised', text: '8.01 °C is more than 8 °C' }])
  alarms.hear(AIR, reading(8))
  t.is(said.at(-1)?.state, 'over')
  alarms.hear(AIR, reading(8.2))
  t.is(said.length, 3)
})

test('two doors and two thermometers have alarms of their own', async t => {
  const { clock, alarms, said } = listen()
  alarms.hear(DOOR, { type: 'open', at: clock.now() })
  await clock.advance(10_000)
  alarms.hear({ name: 'cold-room', kind: 'door' }, { type: 'open', at: clock.now() })
  alarms.hear({ name: 'shelf', kind: 'temperature' }, reading(12))
  await clock.advance(20_000)
  alarms.hear(DOOR, { type: 'close', at: clock.now() })
  await clock.advance(10_000)
  t.deepEqual(
    said.map(({ sensor, state }) => `${sensor} ${state}`),
    ['shelf raised', 'door raised', 'door over', 'cold-room raised'],
  )
})

test('without limits nothing is an alarm', async t => {
  const { clock, alarms, said } = listen({ doorTimeoutMs: undefined, maxTemperature: undefined })
  alarms.hear(DOOR, { type: 'open', at: clock.now() })
  alarms.hear(AIR, reading(99))
  await clock.advance(86_400_000)
  t.deepEqual(said, [])
})

test('what was known of a lost node is forgotten', async t => {
  const { clock, alarms, said } = listen()
  alarms.hear(DOOR, { type: 'open', at: clock.now() })
  alarms[Symbol.dispose]()
  t.is(clock.pending, 0)
  await clock.advance(60_000)
  t.deepEqual(said, [])
})

test('a sensor that is unavailable raises nothing and ends nothing', async t => {
  const { clock, alarms, said } = listen()
  alarms.hear(AIR, reading(12))
  alarms.hear(AIR, { type: 'unavailable', reason: 'gone', at: clock.now() })
  alarms.hear(DOOR, { type: 'unavailable', reason: 'gone', at: clock.now() })
  await clock.advance(60_000)
  t.deepEqual(
    said.map(({ state }) => state),
    ['raised'],
  )
})
