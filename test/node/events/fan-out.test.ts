import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import type { Dialect } from '../../../node/events/dialect.ts'
import { FanOut } from '../../../node/events/fan-out.ts'
import type { FeedListener, Feeds } from '../../../node/sensors/feed.ts'
import type { SensorEvent, SensorKind } from '../../../node/sensors/kinds.ts'
import type { Carrier } from '../../../node/events/subscriber.ts'
import type { MuxStream } from '../../../node/wire/mux.ts'
import { TestMux } from '../../support/wire.ts'

/** A connection that a test looks at, and whose peer reads when the test says so. */
class TestCarrier implements Carrier {
  readonly end = new TestMux()
  /** Each write of bytes that others are sent too. */
  readonly shared: Uint8Array[] = []
  bufferedBytes = 0
  cuts = 0
  #drained = Promise.withResolvers<void>()

  writeShared(bytes: Uint8Array): void {
    this.shared.push(bytes)
    this.end.sent.push(
      ...Buffer.from(bytes)
        .toString()
        .split(/(?<=\n)/),
    )
  }

  async drained(): Promise<void> {
    return this.#drained.promise
  }

  cutAsTooSlow(): void {
    this.cuts += 1
  }

  /** The peer reads all that waits. */
  async read(): Promise<void> {
    this.bufferedBytes = 0
    this.#drained.resolve()
    this.#drained = Promise.withResolvers()
    await nextTurn()
  }
}

/** Sensors that a test speaks for, and the streams that they are served on. */
function openFanOut() {
  let listener: FeedListener = () => {}
  const feeds: Pick<Feeds, 'subscribe'> = {
    subscribe: hears => {
      listener = hears
      return { [Symbol.dispose]: () => {} }
    },
  }
  const fanOut = new FanOut(feeds, { check: () => {} })
  const serve = (sensors: readonly string[], dialect: Dialect = 'fridge/1') => {
    const carrier = new TestCarrier()
    const subscriber = fanOut.join(carrier, dialect)
    const streams = sensors.map((sensor, index) => {
      const stream = carrier.end.mux.open(sensor, `a${index}`)
      fanOut.serve(subscriber, sensor, stream)
      return stream
    })
    const said = (stream = streams[0]): string[] => textOn(carrier, stream)
    return { carrier, subscriber, streams, said }
  }
  return {
    fanOut,
    say: (name: string, kind: SensorKind, event: SensorEvent): void =>
      listener({ name, kind, watch: async () => undefined }, event),
    /** Serve one sensor on a connection of its own. */
    serve: (sensor: string, dialect?: Dialect) => {
      const { streams, ...rest } = serve([sensor], dialect)
      const [stream] = streams
      if (stream === undefined) throw new Error('no stream')
      return { stream, ...rest }
    },
    /** Serve several on one connection. */
    serveAll: serve,
  }
}

function textOn({ end }: TestCarrier, stream: MuxStream | undefined): string[] {
  return end
    .textOn(stream?.id ?? '')
    .split('\n')
    .filter(line => line !== '')
}

const move = (at: number): SensorEvent => ({ type: at % 2 === 0 ? 'close' : 'open', at })
const warmth = (value: number): SensorEvent => ({ type: 'reading', value, unit: 'C', at: 5 })

test('events of a sensor are numbered from 1, alike for all clients, whenever they came', async t => {
  const { say, serve } = openFanOut()
  say('door', 'door', move(1))
  const early = serve('door')
  say('temperature', 'temperature', warmth(4))
  say('door', 'door', move(2))
  const late = serve('door')
  say('door', 'door', { type: 'unavailable', reason: 'unplugged', at: 3 })
  await nextTurn()
  t.deepEqual(early.said(), ['["open",1,1]', '["close",2,2]', '["unavailable","unplugged",3,3]'])
  t.deepEqual(late.said(), early.said().slice(1))
  t.deepEqual(serve('temperature').said(), ['["reading",4,"C",5,1]'])
})

test('the plain protocol knows no numbers', async t => {
  const { say, serve } = openFanOut()
  const door = serve('door', 'plain')
  const temperature = serve('temperature', 'plain')
  say('door', 'door', move(1))
  say('door', 'door', { type: 'unavailable', reason: 'unplugged', at: 3 })
  say('temperature', 'temperature', warmth(4))
  await nextTurn()
  t.deepEqual(door.said(), ['["open",1]', '["unavailable","unplugged"]'])
  t.deepEqual(temperature.said(), ['["reading",4,"C"]'])
})

test('who comes back hears every move of a door since, then that this is all', async t => {
  const { fanOut, say, serve } = openFanOut()
  for (let at = 1; at <= 4; at += 1) say('door', 'door', move(at))
  const { stream, subscriber, said } = serve('door')
  say('door', 'door', move(5))
  await nextTurn()
  fanOut.resume(subscriber, 'door', stream, 2)
  say('door', 'door', move(6))
  await nextTurn()
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
  fanOut.resume(door.subscriber, 'door', door.stream, 1)
  const again = door.said().slice(1)
  t.is(again.length, 65)
  t.is(again[0], '["open",37,37]')
  const temperature = serve('temperature')
  fanOut.resume(temperature.subscriber, 'temperature', temperature.stream, 1)
  t.deepEqual(temperature.said().slice(1), ['["reading",100,"C",5,100]', '["resumed"]'])
})

test('who has missed nothing is told only that this is all, as is one that claims to be ahead', t => {
  const { fanOut, say, serve } = openFanOut()
  say('door', 'door', move(1))
  const { stream, subscriber, said } = serve('door')
  fanOut.resume(subscriber, 'door', stream, 1)
  fanOut.resume(subscriber, 'door', stream, 9)
  t.deepEqual(said(), ['["open",1,1]', '["resumed"]', '["resumed"]'])
})

test('one that resumes when it is behind already is told each move once, in order', async t => {
  const { fanOut, say, serve } = openFanOut()
  for (let at = 1; at <= 10; at += 1) say('door', 'door', move(at))
  const { carrier, subscriber, stream, said } = serve('door')
  carrier.bufferedBytes = 65_536
  // More than a node keeps for those who come back.
  for (let at = 11; at <= 110; at += 1) say('door', 'door', move(at))
  await nextTurn()
  fanOut.resume(subscriber, 'door', stream, 8)
  await carrier.read()
  const numbers = said().map(line => (JSON.parse(line) as unknown[])[2])
  const missed = Array.from({ length: 100 }, (_, index) => index + 11)
  t.deepEqual(numbers, [10, undefined, ...missed])
  t.is(fanOut.counts.delivered, 101)
  const bytes = carrier.end.sent.filter(
    line => line.includes('"data"') && !line.includes('resumed'),
  )
  t.is(fanOut.counts.bytes, Buffer.byteLength(bytes.join('')))
})

test('what one turn brings is one write of the same bytes for all with the same sensors', async t => {
  const { say, serveAll } = openFanOut()
  const [one, two] = [serveAll(['door', 'temperature']), serveAll(['door', 'temperature'])]
  const plain = serveAll(['door', 'temperature'], 'plain')
  const narrow = serveAll(['temperature'])
  for (let at = 1; at <= 3; at += 1) {
    say('door', 'door', move(at))
    say('temperature', 'temperature', warmth(at))
  }
  await nextTurn()
  for (const { carrier } of [one, two, plain, narrow]) t.is(carrier.shared.length, 1)
  t.is(one.carrier.shared[0], two.carrier.shared[0])
  t.not(one.carrier.shared[0], plain.carrier.shared[0])
  t.is(one.said().length, 3)
  t.deepEqual(plain.said(), ['["open",1]', '["close",2]', '["open",3]'])
  t.deepEqual(textOn(narrow.carrier, narrow.streams[0]), textOn(one.carrier, one.streams[1]))
})

test('a stream that closes is told nothing more, not even what is on its way, and the others of its connection are', async t => {
  const { say, serveAll } = openFanOut()
  const { carrier, streams, said } = serveAll(['door', 'temperature'])
  say('door', 'door', move(1))
  say('temperature', 'temperature', warmth(1))
  streams[1]?.destroy()
  say('door', 'door', move(2))
  say('temperature', 'temperature', warmth(2))
  await nextTurn()
  t.deepEqual(said(), ['["open",1,1]', '["close",2,2]'])
  t.deepEqual(textOn(carrier, streams[1]), [])
  streams[0]?.destroy()
  say('door', 'door', move(3))
  await nextTurn()
  t.is(said().length, 2)
})

test('who does not read is told the newest reading and every move of the door, once it reads', async t => {
  const { say, serveAll } = openFanOut()
  const slow = serveAll(['door', 'temperature'])
  const quick = serveAll(['door', 'temperature'])
  slow.carrier.bufferedBytes = 65_536
  for (let at = 1; at <= 5; at += 1) {
    say('door', 'door', move(at))
    say('temperature', 'temperature', warmth(at))
    await nextTurn()
  }
  t.is(slow.carrier.shared.length, 0)
  t.is(quick.carrier.shared.length, 5)
  await slow.carrier.read()
  t.deepEqual(slow.said(), quick.said())
  t.deepEqual(slow.said(slow.streams[1]), ['["reading",5,"C",5,5]'])
  say('temperature', 'temperature', warmth(6))
  await nextTurn()
  t.deepEqual(slow.said(slow.streams[1]).at(-1), '["reading",6,"C",5,6]')
})

test('more moves of a door than are kept for who does not read cut it', async t => {
  const { say, serve } = openFanOut()
  const { carrier } = serve('door')
  carrier.bufferedBytes = 65_536
  for (let at = 1; at <= 1_024; at += 1) say('door', 'door', move(at))
  await nextTurn()
  t.is(carrier.cuts, 0)
  say('door', 'door', move(1_025))
  await nextTurn()
  t.is(carrier.cuts, 1)
})
