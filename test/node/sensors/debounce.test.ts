import test from 'ava'

import { debounced } from '../../../node/sensors/debounce.ts'
import type { SensorEvent } from '../../../node/sensors/kinds.ts'
import type { TellEvent } from '../../../node/sensors/sensor.ts'
import { FakeClock } from '../../support/fake-clock.ts'

async function start(debounceMs = 50) {
  const clock = new FakeClock()
  const told: SensorEvent[] = []
  const started = Promise.withResolvers<TellEvent>()
  const { promise: end, resolve } = Promise.withResolvers<void>()
  const sensor = debounced(
    {
      name: 'door',
      kind: 'door',
      watch: async tell => {
        started.resolve(tell)
        await end
      },
    },
    clock,
    debounceMs,
  )
  const ended = sensor.watch(event => told.push(event), new AbortController().signal)
  return { clock, told, tell: await started.promise, end: resolve, ended }
}

const open = (at: number): SensorEvent => ({ type: 'open', at })
const close = (at: number): SensorEvent => ({ type: 'close', at })
const gone: SensorEvent = { type: 'unavailable', reason: 'gone', at: 9 }

test('a contact that bounces is one move, at the moment of its first edge', async t => {
  const { clock, told, tell } = await start()
  tell(close(0))
  t.deepEqual(told, [close(0)])
  for (const at of [1, 2, 3]) {
    tell(open(at))
    await clock.advance(10)
    tell(close(at))
    await clock.advance(10)
  }
  tell(open(4))
  await clock.advance(10)
  tell(open(5))
  await clock.advance(39)
  t.is(told.length, 1)
  await clock.advance(1)
  t.deepEqual(told, [close(0), open(4)])
  t.is(clock.pending, 0)
})

test('a move that does not hold is none', async t => {
  const { clock, told, tell } = await start()
  tell(close(0))
  tell(open(1))
  await clock.advance(49)
  tell(close(2))
  await clock.advance(1_000)
  t.deepEqual(told, [close(0)])
})

test('that nothing is known, and what is known again after it, is told at once', async t => {
  const { clock, told, tell } = await start()
  tell(close(0))
  tell(open(1))
  tell(gone)
  tell(open(10))
  t.deepEqual(told, [close(0), gone, open(10)])
  t.is(clock.pending, 0)
})

test('a sensor that ends leaves no timer', async t => {
  const { clock, tell, end, ended } = await start()
  tell(close(0))
  tell(open(1))
  end()
  await ended
  t.is(clock.pending, 0)
})

test('without a time each move is told at once', async t => {
  const { told, tell } = await start(0)
  tell(close(0))
  tell(open(1))
  t.is(told.length, 2)
})
