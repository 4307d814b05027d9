import test, { type ExecutionContext } from 'ava'

import {
  programSensor,
  type ProgramSensorOptions,
} from '../../../../node/sensors/drivers/program.ts'
import { startFeeds } from '../../../../node/sensors/feed.ts'
import type { SensorEvent } from '../../../../node/sensors/kinds.ts'
import type { SensorLog } from '../../../../node/sensors/sensor.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { watchSensor } from '../../../support/watch-sensor.ts'

/** A program that prints `lines` (a shell's printf format) and then waits to be ended. */
const printing = (lines: string): string[] => [
  'sh',
  '-c',
  'printf "$1"; exec sleep 1000',
  'sh',
  lines,
]

/** The events of a sensor one at a time. Stopped, and waited for, at the end of the test. */
function watch(t: ExecutionContext, options: Partial<ProgramSensorOptions> & { argv: string[] }) {
  const clock = new FakeClock()
  const abort = new AbortController()
  const sensor = programSensor({ name: 'temperature', kind: 'temperature', clock, ...options })
  const { next, ended } = watchSensor(sensor, abort.signal)
  t.teardown(async () => {
    abort.abort()
    await ended()
  })
  return { clock, abort, next }
}

test('each line of a program is an event, at the moment when it came', async t => {
  const { clock, next } = watch(t, { argv: printing('4.5\\n{"temperature":5}\\n') })
  const at = clock.now()
  t.deepEqual(await next(), { type: 'reading', value: 4.5, unit: 'C', at })
  t.deepEqual(await next(), { type: 'reading', value: 5, unit: 'C', at })
})

test('a door of any program opens and closes', async t => {
  const argv = printing('open\\n{"contact":true}\\n')
  const { next } = watch(t, { name: 'door', kind: 'door', argv })
  t.like(await next(), { type: 'open' })
  t.like(await next(), { type: 'close' })
})

test('lines about other things are passed over, with a line in the log', async t => {
  const debugged: unknown[] = []
  const log: SensorLog = {
    debug: (entry: unknown) => debugged.push(entry),
    info() {},
    warn() {},
    error() {},
  }
  const argv = printing('{"battery":97}\\n\\n{"temperature":5}\\n')
  const { next } = watch(t, { argv, log })
  t.like(await next(), { type: 'reading', value: 5 })
  t.like(debugged[0], { sensor: 'temperature', type: 'irrelevant', bytes: 14 })
})

test('a malformed line makes it unavailable until the next good one', async t => {
  const { next } = watch(t, { argv: printing('warm\\n4\\n\\377\\n5\\n') })
  t.like(await next(), { type: 'unavailable', reason: 'a value is no number' })
  t.like(await next(), { type: 'reading', value: 4 })
  t.like(await next(), { type: 'unavailable', reason: 'a value is not UTF-8' })
  t.like(await next(), { type: 'reading', value: 5 })
})

test('a line beyond 64 KiB is refused and the program ended', async t => {
  const argv = ['sh', '-c', 'echo 4; while :; do printf "%1000s" x; done']
  const { clock, next } = watch(t, { argv })
  t.like(await next(), { type: 'reading' })
  await t.throwsAsync(next(), { code: 'ERR_LIMIT', message: /longer than 65536 bytes/ })
  t.is(clock.pending, 0)
})

test('a program that floods is read more slowly, and still ended at once', async t => {
  const { clock, abort, next } = watch(t, { argv: ['yes', '5.25'] })
  t.like(await next(), { type: 'reading' })
  let told = 1
  // It pauses at the first timer: then no line comes until time passes.
  while (clock.pending === 0) {
    await next()
    told += 1
  }
  t.true(told < 1_000_000, String(told))
  abort.abort()
  while ((await next()) !== undefined) told += 1
  t.is(clock.pending, 0)
})

test('the end of the program is thrown with its status, for the feed to tell and mend', async t => {
  const { next } = watch(t, { argv: ['sh', '-c', 'echo 4; exit 5'] })
  t.like(await next(), { type: 'reading' })
  await t.throwsAsync(next(), { code: 'ERR_CLOSED', message: 'sh ended with status 5' })
})

test('a missing program is named', async t => {
  const { next } = watch(t, { argv: ['/nowhere/thermometer'] })
  await t.throwsAsync(next(), { message: 'there is no program /nowhere/thermometer' })
})

test('stopped while it waits for a line it ends without an error and leaves no timer', async t => {
  const { clock, abort, next } = watch(t, { argv: printing('4\\n') })
  await next()
  const end = next()
  abort.abort()
  t.is(await end, undefined)
  t.is(clock.pending, 0)
})

test('stopped before its program has started it ends as well', async t => {
  const { abort, next } = watch(t, { argv: printing('4\\n') })
  const end = next()
  abort.abort()
  t.is(await end, undefined)
})

test('stopped while its program goes on with its output closed it ends at once', async t => {
  const { promise: isWaiting, resolve } = Promise.withResolvers<void>()
  class TellingClock extends FakeClock {
    override after(ms: number, task: () => void): Disposable {
      resolve()
      return super.after(ms, task)
    }
  }
  const clock = new TellingClock()
  const script = 'echo 4; exec >&-; exec sleep 1000'
  const { abort, next } = watch(t, { clock, argv: ['sh', '-c', script] })
  await next()
  const end = next()
  await isWaiting
  abort.abort()
  t.is(await end, undefined)
  t.is(clock.pending, 0)
})

test('what it writes to stderr is logged, cut, and no more than sixty lines a minute', async t => {
  const warned: Record<string, unknown>[] = []
  const log: SensorLog = {
    debug() {},
    info() {},
    warn: (entry: unknown) => warned.push(entry as Record<string, unknown>),
    error() {},
  }
  const script = 'i=0; while [ $i -lt 500 ]; do echo "$i $1" >&2; i=$((i+1)); done'
  const { next } = watch(t, { argv: ['sh', '-c', script, 'sh', 'x'.repeat(1_500)], log })
  await t.throwsAsync(next(), { code: 'ERR_CLOSED' })
  t.true(warned.length > 0 && warned.length <= 60, String(warned.length))
  for (const { stderr } of warned) t.true(String(stderr).length <= 1_000)
})

test('the last complaint of a program that ends is logged', async t => {
  const warned: unknown[] = []
  const log: SensorLog = {
    debug() {},
    info() {},
    warn: (...entry: unknown[]) => warned.push(entry),
    error() {},
  }
  const { next } = watch(t, { argv: ['sh', '-c', 'echo "connection refused" >&2; exit 1'], log })
  await t.throwsAsync(next(), { message: 'sh ended with status 1' })
  t.deepEqual(warned, [
    [{ sensor: 'temperature', stderr: 'connection refused' }, 'sh wrote to stderr'],
  ])
})

test('a feed tells that the program ended, starts it again, and leaves none behind', async t => {
  const clock = new FakeClock()
  const sensor = programSensor({
    name: 'temperature',
    kind: 'temperature',
    clock,
    argv: ['sh', '-c', 'echo 4; exit 1'],
  })
  const seen: SensorEvent[] = []
  const feeds = startFeeds([sensor], { clock, random: () => 1 })
  const told = async (count: number): Promise<void> => {
    while (seen.length < count) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const subscription = feeds.subscribe(() => resolve())
      await promise
      subscription[Symbol.dispose]()
    }
  }
  feeds.subscribe((_sensor, event) => seen.push(event))
  await told(2)
  await clock.advance(1_000)
  await told(4)
  await feeds[Symbol.asyncDispose]()
  t.like(seen, [
    { type: 'reading', value: 4 },
    { type: 'unavailable', reason: 'sh ended with status 1' },
    { type: 'reading', value: 4 },
    { type: 'unavailable', reason: 'sh ended with status 1' },
  ])
  t.is(clock.pending, 0)
})
