import test from 'ava'

import { startFeeds, type FeedOptions } from '../../../node/sensors/feed.ts'
import type { SensorEvent, SensorKind } from '../../../node/sensors/kinds.ts'
import type { Sensor, TellEvent } from '../../../node/sensors/sensor.ts'
import { FakeClock } from '../../support/fake-clock.ts'

type Step = SensorEvent | 'end' | Error

/** A sensor that says what a test tells it to. */
class Puppet implements Sensor {
  readonly name: string
  readonly kind: SensorKind
  readonly silentAfterMs: number | undefined
  /** How often it was started, and how often it ended, by itself or not. */
  starts = 0
  ends = 0
  readonly #steps: Step[] = []
  #wake: () => void = () => undefined

  constructor(name: string, kind: SensorKind, silentAfterMs?: number) {
    this.name = name
    this.kind = kind
    this.silentAfterMs = silentAfterMs
  }

  say(...steps: Step[]): void {
    this.#steps.push(...steps)
    this.#wake()
  }

  async watch(tell: TellEvent, signal: AbortSignal): Promise<void> {
    this.starts++
    const stop = (): void => this.#wake()
    signal.addEventListener('abort', stop)
    try {
      while (!signal.aborted) {
        const step = this.#steps.shift()
        if (step === 'end') return
        if (step instanceof Error) throw step
        if (step !== undefined) tell(step)
        else await new Promise<void>(resolve => (this.#wake = resolve))
      }
    } finally {
      this.ends++
      signal.removeEventListener('abort', stop)
    }
  }
}

const reading = (value: number, at = 1): SensorEvent => ({ type: 'reading', value, unit: 'C', at })

function start(sensors: Sensor[], options: Partial<FeedOptions> = {}) {
  const clock = new FakeClock()
  const feeds = startFeeds(sensors, { clock, random: () => 1, ...options })
  const seen: [string, SensorEvent][] = []
  feeds.subscribe((sensor, event) => seen.push([sensor.name, event]))
  return { clock, feeds, seen }
}

test('every event reaches every listener in order, and the last of each sensor is kept', async t => {
  const door = new Puppet('door', 'door')
  const temperature = new Puppet('temperature', 'temperature')
  const { clock, feeds, seen } = start([door, temperature])
  await using _ = feeds
  t.is(feeds.last('door'), undefined)
  temperature.say(reading(4), reading(4), reading(5))
  door.say({ type: 'open', at: 2 })
  await clock.advance(0)
  t.deepEqual(
    seen.filter(([name]) => name === 'temperature').map(([, event]) => event),
    [reading(4), reading(4), reading(5)],
  )
  t.deepEqual(feeds.last('temperature'), reading(5))
  t.deepEqual(feeds.last('door'), { type: 'open', at: 2 })
  t.is(feeds.last('nothing'), undefined)
})

test('one that subscribes as soon as the sensors run hears their first events', async t => {
  const atOnce: Sensor = {
    name: 'door',
    kind: 'door',
    watch: async tell => tell({ type: 'open', at: 1 }),
  }
  const { clock, feeds, seen } = start([atOnce])
  await using _ = feeds
  await clock.advance(0)
  t.deepEqual(seen[0], ['door', { type: 'open', at: 1 }])
})

test('a listener that throws hurts neither the others nor the sensor', async t => {
  const errors: unknown[] = []
  const log = { debug() {}, info() {}, warn() {}, error: (entry: unknown) => errors.push(entry) }
  const temperature = new Puppet('temperature', 'temperature')
  const clock = new FakeClock()
  await using feeds = startFeeds([temperature], { clock, random: () => 1, log })
  const seen: SensorEvent[] = []
  feeds.subscribe(() => {
    throw new Error('mine alone')
  })
  feeds.subscribe((_sensor, event) => seen.push(event))
  temperature.say(reading(4), reading(5))
  await clock.advance(0)
  t.deepEqual(seen, [reading(4), reading(5)])
  t.is(errors.length, 2)
})

test('a disposed subscription is told nothing more, even while an event goes round', async t => {
  const temperature = new Puppet('temperature', 'temperature')
  const clock = new FakeClock()
  await using feeds = startFeeds([temperature], { clock, random: () => 1 })
  const seen: number[] = []
  feeds.subscribe(() => {
    second[Symbol.dispose]()
    // One that comes while an event goes round is told of the next one.
    if (seen.length === 0) feeds.subscribe(() => seen.push(3))
    seen.push(1)
  })
  const second = feeds.subscribe(() => seen.push(2))
  temperature.say(reading(4))
  await clock.advance(0)
  t.deepEqual(seen, [1])
  temperature.say(reading(5))
  await clock.advance(0)
  t.deepEqual(seen, [1, 1, 3])
})

test('a sensor that throws is unavailable with the reason and is started again', async t => {
  const temperature = new Puppet('temperature', 'temperature')
  const { clock, feeds } = start([temperature])
  await using _ = feeds
  temperature.say(reading(4), new Error('the wire is cut'))
  await clock.advance(0)
  t.deepEqual(feeds.last('temperature'), {
    type: 'unavailable',
    reason: 'the wire is cut',
    at: clock.now(),
  })
  t.is(temperature.starts, 1)
  temperature.say(reading(6))
  await clock.advance(1_000)
  t.is(temperature.starts, 2)
  t.deepEqual(feeds.last('temperature'), reading(6))
})

test('a sensor that ends is unavailable and is started again', async t => {
  const door = new Puppet('door', 'door')
  const { clock, feeds } = start([door])
  await using _ = feeds
  door.say({ type: 'open', at: 1 }, 'end')
  await clock.advance(0)
  t.is(feeds.last('door')?.type, 'unavailable')
  await clock.advance(1_000)
  t.is(door.starts, 2)
})

test('a sensor whose watch() itself throws is unavailable too', async t => {
  const broken: Sensor = {
    name: 'door',
    kind: 'door',
    watch: () => {
      throw new Error('no such bus')
    },
  }
  const { clock, feeds } = start([broken])
  await using _ = feeds
  await clock.advance(0)
  t.like(feeds.last('door'), { type: 'unavailable', reason: 'no such bus' })
})

test('an event that the kind may not give makes the sensor unavailable', async t => {
  const door = new Puppet('door', 'door')
  const { clock, feeds, seen } = start([door])
  await using _ = feeds
  door.say(reading(4))
  await clock.advance(0)
  t.deepEqual(
    seen.map(([, event]) => event.type),
    ['unavailable'],
  )
})

test('the pause doubles while a sensor keeps failing, and a long good run forgives it', async t => {
  const door = new Puppet('door', 'door')
  const { clock, feeds } = start([door])
  await using _ = feeds
  const startsAfter = async (ms: number): Promise<number> => {
    await clock.advance(ms)
    return door.starts
  }
  door.say('end', 'end', 'end')
  await clock.advance(0)
  t.is(await startsAfter(999), 1)
  t.is(await startsAfter(1), 2)
  t.is(await startsAfter(1_999), 2)
  t.is(await startsAfter(1), 3)
  t.is(await startsAfter(4_000), 4)
  await clock.advance(60_000)
  door.say('end')
  await clock.advance(0)
  t.is(await startsAfter(1_000), 5)
})

test('the same unavailability is sent once, whoever repeats it', async t => {
  const door = new Puppet('door', 'door')
  const { clock, feeds, seen } = start([door])
  await using _ = feeds
  const gone: SensorEvent = { type: 'unavailable', reason: 'gone', at: 5 }
  door.say(gone, { ...gone, at: 6 }, new Error('gone'))
  await clock.advance(0)
  door.say(new Error('gone'))
  await clock.advance(1_000)
  t.is(door.starts, 2)
  t.deepEqual(seen, [['door', gone]])
  door.say({ ...gone, reason: 'still gone' })
  await clock.advance(2_000)
  t.is(seen.length, 2)
})

test('a door that repeats its state is not sent again, so its first moment stands', async t => {
  const door = new Puppet('door', 'door')
  const { clock, feeds, seen } = start([door])
  await using _ = feeds
  door.say({ type: 'open', at: 1 }, { type: 'open', at: 2 })
  await clock.advance(0)
  t.deepEqual(seen, [['door', { type: 'open', at: 1 }]])
  door.say({ type: 'unavailable', reason: 'gone', at: 3 }, { type: 'open', at: 4 })
  await clock.advance(0)
  t.deepEqual(feeds.last('door'), { type: 'open', at: 4 })
})

test('a silent thermometer becomes unavailable, never its last value, until it speaks again', async t => {
  const temperature = new Puppet('temperature', 'temperature', 30_000)
  const { clock, feeds, seen } = start([temperature])
  await using _ = feeds
  temperature.say(reading(4))
  await clock.advance(29_999)
  t.deepEqual(feeds.last('temperature'), reading(4))
  await clock.advance(1)
  t.deepEqual(feeds.last('temperature'), {
    type: 'unavailable',
    reason: 'silent for 30 s',
    at: clock.now(),
  })
  await clock.advance(300_000)
  t.is(seen.length, 2)
  const again: SensorEvent = { type: 'reading', value: 5, unit: 'C', at: clock.now() }
  temperature.say(again)
  await clock.advance(0)
  t.deepEqual(feeds.last('temperature'), again)
  t.is(temperature.starts, 1)
  await clock.advance(30_000)
  t.is(feeds.last('temperature')?.type, 'unavailable')
})

test('a thermometer that never says anything is unavailable as well', async t => {
  const { clock, feeds } = start([new Puppet('temperature', 'temperature')])
  await using _ = feeds
  await clock.advance(299_999)
  t.is(feeds.last('temperature'), undefined)
  await clock.advance(1)
  t.like(feeds.last('temperature'), { type: 'unavailable', reason: 'silent for 300 s' })
})

test('a door may be silent for ever, unless its own limit says otherwise', async t => {
  const quiet = new Puppet('door', 'door')
  const strict = new Puppet('back-door', 'door', 60_000)
  const { clock, feeds } = start([quiet, strict])
  await using _ = feeds
  quiet.say({ type: 'close', at: 1 })
  strict.say({ type: 'close', at: 1 })
  await clock.advance(86_400_000)
  t.is(feeds.last('door')?.type, 'close')
  t.like(feeds.last('back-door'), { type: 'unavailable', reason: 'silent for 60 s' })
})

test("a sensor's own limit comes before that of its kind", async t => {
  const slow = new Puppet('temperature', 'temperature', 10_000)
  const { clock, feeds } = start([slow])
  await using _ = feeds
  slow.say(reading(4))
  await clock.advance(9_999)
  t.is(feeds.last('temperature')?.type, 'reading')
  await clock.advance(1)
  t.is(feeds.last('temperature')?.type, 'unavailable')
})

test('what a sensor says late has been silent since it was measured', async t => {
  const temperature = new Puppet('temperature', 'temperature', 30_000)
  const { clock, feeds } = start([temperature])
  await using _ = feeds
  await clock.advance(30_000)
  t.is(feeds.last('temperature')?.type, 'unavailable')
  const late: SensorEvent = { type: 'reading', value: 4, unit: 'C', at: clock.now() - 20_000 }
  temperature.say(late)
  await clock.advance(9_999)
  t.deepEqual(feeds.last('temperature'), late)
  await clock.advance(1)
  t.like(feeds.last('temperature'), { reason: 'silent for 30 s' })
})

test('while a failed sensor waits for its restart its reason stands', async t => {
  const temperature = new Puppet('temperature', 'temperature', 100)
  const { clock, feeds } = start([temperature])
  await using _ = feeds
  temperature.say(new Error('broken'))
  await clock.advance(900)
  t.like(feeds.last('temperature'), { reason: 'broken' })
})

test('what has failed for a reason is not told to be silent as well', async t => {
  const temperature = new Puppet('temperature', 'temperature', 30_000)
  const { clock, feeds, seen } = start([temperature])
  await using _ = feeds
  const hung: SensorEvent = { type: 'unavailable', reason: 'it does not answer', at: 1 }
  temperature.say(hung)
  await clock.advance(600_000)
  t.deepEqual(seen, [['temperature', hung]])
})

test('nothing has been known since the first reason, whatever comes after it', async t => {
  const temperature = new Puppet('temperature', 'temperature')
  const { clock, feeds } = start([temperature])
  await using _ = feeds
  temperature.say({ type: 'unavailable', reason: 'the broker has closed', at: 5 })
  temperature.say({ type: 'unavailable', reason: 'the broker cannot be reached', at: 60_000 })
  await clock.advance(0)
  t.like(feeds.last('temperature'), { reason: 'the broker cannot be reached', at: 5 })
  temperature.say(reading(4, 70_000), { type: 'unavailable', reason: 'gone', at: 80_000 })
  await clock.advance(0)
  t.like(feeds.last('temperature'), { reason: 'gone', at: 80_000 })
})

test('a reason is one short line without control characters', async t => {
  const door = new Puppet('door', 'door')
  const { clock, feeds } = start([door])
  await using _ = feeds
  door.say({ type: 'unavailable', reason: `a\u001B[31m\r\n\u202Eb ${'x'.repeat(1_000)}`, at: 1 })
  await clock.advance(0)
  const last = feeds.last('door')
  if (last?.type !== 'unavailable') throw new Error('it is available')
  t.is(last.reason.length, 200)
  t.true(last.reason.startsWith('a [31m b xxx'))
})

test('stopping ends every sensor, waits for it, tells nobody more and leaves no timer', async t => {
  const door = new Puppet('door', 'door')
  const temperature = new Puppet('temperature', 'temperature')
  const failed = new Puppet('failed', 'door')
  const { clock, feeds, seen } = start([door, temperature, failed])
  failed.say('end')
  await clock.advance(0)
  const before = seen.length
  temperature.say(reading(4))
  await Promise.all([feeds[Symbol.asyncDispose](), feeds[Symbol.asyncDispose]()])
  t.is(door.ends + temperature.ends + failed.ends, 3)
  t.is(seen.length, before)
  t.is(clock.pending, 0)
  await feeds[Symbol.asyncDispose]()
})

test('stopping waits for a sensor that takes its time to end', async t => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const slow: Sensor = {
    name: 'door',
    kind: 'door',
    watch: async tell => {
      tell({ type: 'open', at: 1 })
      await released
    },
  }
  const { clock, feeds } = start([slow])
  await clock.advance(0)
  let isStopped = false
  const stopping = (async () => {
    await feeds[Symbol.asyncDispose]()
    isStopped = true
  })()
  await clock.advance(0)
  t.false(isStopped)
  release()
  await stopping
})

test('two sensors of one name are refused', t => {
  const sensors = [new Puppet('door', 'door'), new Puppet('door', 'door')]
  t.throws(() => startFeeds(sensors, { clock: new FakeClock(), random: () => 0 }), {
    instanceOf: TypeError,
  })
})
