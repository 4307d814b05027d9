import test from 'ava'
import { attachEmitter, encodeEvent, type RemoteEmitter } from '../../../node/wire/emitter.ts'
import { CLIENT_LIMITS } from '../../../node/wire/limits.ts'
import type { MuxStream } from '../../../node/wire/mux.ts'
import { pairWithStock, TestMux } from '../../support/wire.ts'
import { stockEmitter } from '../../support/wire-stock.ts'

function attach(ours: TestMux, stream: MuxStream, ...accepts: string[]): RemoteEmitter {
  const { onRefused } = ours
  return attachEmitter(stream, { limits: CLIENT_LIMITS, accepts: new Set(accepts), onRefused })
}

test('a stock client hears events with all their values', async t => {
  const heard: unknown[] = []
  const pair = pairWithStock({
    onConnection: stream => {
      const events = stockEmitter(stream)
      events.on('open', (...values) => heard.push(['open', ...values]))
      events.on('reading', (...values) => heard.push(['reading', ...values]))
    },
  })
  const emitter = attach(pair.ours, pair.ours.mux.open('door'))
  emitter.emit('open', 1_766_000_000_000)
  emitter.emit('reading', { value: -3.5, unit: '°C' }, [1, [null]], 'é😀', true)
  emitter.emit('open')
  await pair.quiet()
  t.deepEqual(heard, [
    ['open', 1_766_000_000_000],
    ['reading', { value: -3.5, unit: '°C' }, [1, [null]], 'é😀', true],
    ['open'],
  ])
  t.deepEqual(pair.ours.refusals, [])
})

test('events of a stock peer are heard with all their values, wherever its chunks end', async t => {
  const heard: unknown[] = []
  const pair = pairWithStock({
    chunking: bytes => [...bytes].map(byte => Buffer.from([byte])),
    onStream: (stream, ours) => {
      attach(ours, stream, 'open').on('open', (...values) => heard.push(values))
      return true
    },
  })
  const events = stockEmitter(pair.stock.createStream('door'))
  events.emit('open', 1, { a: 'é€😀' }, [null])
  events.emit('open')
  await pair.quiet()
  t.deepEqual(heard, [[1, { a: 'é€😀' }, [null]], []])
})

test('an event may be split over frames, and frames may hold several', t => {
  const ours = new TestMux()
  const stream = ours.mux.open('door')
  const heard: unknown[] = []
  attach(ours, stream, 'open').on('open', value => heard.push(value))
  for (const text of ['["op', 'en",1]\n["open",2]\n', '\n["open"', ',3]', '\n']) {
    ours.frames([stream.id, 'data', text])
  }
  t.deepEqual(heard, [1, 2, 3])
  t.deepEqual(ours.refusals, [])
})

test('an event is encoded as the stock package encodes it', t => {
  const ours = new TestMux()
  const stream = ours.mux.open('door')
  const values = [1, 'é', { a: [null] }, undefined]
  attach(ours, stream).emit('open', ...values)
  t.is(ours.textOn(stream.id), encodeEvent('open', ...values))
})

test('what an end does not accept ends the connection, whatever else is in the same text', t => {
  const payloads = [
    '["open",1]',
    '["error","boom"]',
    '["newListener"]',
    '["__proto__"]',
    '[{"toString":1,"valueOf":1}]',
    '[]',
    '{}',
    '7',
    'null',
    '"open"',
    '{bad json',
    JSON.stringify(['close', ...Array<number>(CLIENT_LIMITS.maxArguments + 1).fill(0)]),
  ]
  for (const payload of payloads) {
    const ours = new TestMux()
    const stream = ours.mux.open('door')
    const heard: unknown[] = []
    const emitter = attach(ours, stream, 'close')
    emitter.on('close', value => heard.push(value))
    ours.frames([stream.id, 'data', `["close",1]\n${payload}\n["close",2]\n`])
    t.deepEqual(heard, [1], payload)
    t.is(ours.refusals.length, 1, payload)
  }
})

test('where an end accepts nothing, the first event is refused', t => {
  const ours = new TestMux()
  const stream = ours.mux.open('door')
  attach(ours, stream)
  ours.frames([stream.id, 'data', '["open"]\n'])
  t.deepEqual(
    ours.refusals.map(({ layer }) => layer),
    ['emitter'],
  )
})

test('after the stream has closed nothing is sent, and a text is heard no further', t => {
  const ours = new TestMux()
  const stream = ours.mux.open('door')
  const emitter = attach(ours, stream, 'open')
  const heard: unknown[] = []
  emitter.on('open', value => {
    heard.push(value)
    stream.destroy()
  })
  ours.frames([stream.id, 'data', '["open",1]\n["open",2]\n'])
  const before = ours.sent.length
  emitter.emit('open')
  t.deepEqual(heard, [1])
  t.is(ours.sent.length, before)
})
