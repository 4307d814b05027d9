import test from 'ava'
import { FanOut, type Dialect } from '../../node/fan-out.ts'
import type { FeedListener, Feeds } from '../../node/sensors/feed.ts'
import type { SensorEvent, SensorKind } from '../../node/sensors/sensor.ts'
import { TestMux } from '../support/wire.ts'

/** Sensors that a test speaks for, and the streams that they are served on. */
function openFanOut() {
  let listener: FeedListener = () => {}
  const feeds: Pick<Feeds, 'subscribe'> = {
    subscribe: hears => {
      listener = hears
      return { [Symbol.dispose]: () => {} }
    },
  }
  const fanOut = new FanOut(feeds)
  return {
    fanOut,
    say: (name: string, kind: SensorKind, event: SensorEvent): void =>
      listener({ name, kind, events: () => neverAny() }, event),
    serve: (sensor: string, dialect: Dialect = 'fridge/1') => {
      const end = new TestMux()
      const stream = end.mux.open(sensor)
      fanOut.serve(stream, sensor, dialect)
      return { stream, said: () => end.textOn(stream.id).trim().split('\n') }
    },
  }
}

async function* neverAny(): AsyncGenerator<SensorEvent> {}

const move = (at: number): SensorEvent => ({ type: at % 2 === 0 ? 'close' : 'open', at })
const warmth = (value: number): SensorEvent => ({ type: 'reading', value, unit: 'C', at: 5 })

test('events of a sensor are numbered from 1, alike for all clients, whenever they came', t => {
  const { say, serve } = openFanOut()
  say('door', 'door', move(1))
  const early = serve('door')
  say('temperature', 'temperature', warmth(4))
  say('door', 'door', move(2))
  const late = serve('door')
  say('door', 'door', { type: 'unavailable', reason: 'unplugged', at: 3 })
  t.deepEqual(early.said(), ['["open",1,1]', '["close",2,2]', '["unavailable","unplugged",3,3]'])
  t.deepEqual(late.said(), early.said().slice(1))
  t.deepEqual(serve('temperature').said(), ['["reading",4,"C",5,1]'])
})

test('the plain protocol knows no numbers', t => {
  const { say, serve } = openFanOut()
  const door = serve('door', 'plain')
  const temperature = serve('temperature', 'plain')
  say('door', 'door', move(1))
  say('door', 'door', { type: 'unavailable', reason: 'unplugged', at: 3 })
  say('temperature', 'temperature', warmth(4))
  t.deepEqual(door.said(), ['["open",1]', '["unavailable","unplugged"]'])
  t.deepEqual(temperature.said(), ['["reading",4,"C"]'])
})

test('who comes back hears every move of a door since, then that this is all', t => {
  const { fanOut, say, serve } = openFanOut()
  for (let at = 1; at <= 4; at += 1) say('door', 'door', move(at))
  const { stream, said } = serve('door')
  say('door', 'door', move(5))
  fanOut.resume(stream, 'door', 2)
  say('door', 'door', move(6))
  t.deepEqual(said(), [
    '["close",4,4]',
    '["open",5,5]',
    '["open",3,3]',
    '["close",4,4]',
    '["open",5,5]',
    '["resumed"]',
    '["close",6,6]',
  ])
})

test('who was away for long hears what is kept: 64 moves of a door, the newest reading', t => {
  const { fanOut, say, serve } = openFanOut()
  for (let at = 1; at <= 100; at += 1) {
    say('door', 'door', move(at))
    say('temperature', 'temperature', warmth(at))
  }
  const door = serve('door')
  fanOut.resume(door.stream, 'door', 1)
  const again = door.said().slice(1)
  t.is(again.length, 65)
  t.is(again[0], '["open",37,37]')
  const temperature = serve('temperature')
  fanOut.resume(temperature.stream, 'temperature', 1)
  t.deepEqual(temperature.said().slice(1), ['["reading",100,"C",5,100]', '["resumed"]'])
})

test('who has missed nothing is told only that this is all, as is one that claims to be ahead', t => {
  const { fanOut, say, serve } = openFanOut()
  say('door', 'door', move(1))
  const { stream, said } = serve('door')
  fanOut.resume(stream, 'door', 1)
  fanOut.resume(stream, 'door', 9)
  t.deepEqual(said(), ['["open",1,1]', '["resumed"]', '["resumed"]'])
})
