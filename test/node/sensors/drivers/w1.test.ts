import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import test, { type ExecutionContext } from 'ava'

import { FileReader } from '../../../../node/sensors/drivers/file-reader.ts'
import type { SensorEvent } from '../../../../node/sensors/kinds.ts'
import { isW1Device, w1Sensor } from '../../../../node/sensors/drivers/w1.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { watchSensor } from '../../../support/watch-sensor.ts'

const device = '28-00000a1b2c3d'
const good = '72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t=23125\n'

/** A bus in a folder of its own, and what its one thermometer says next, an interval later. */
async function bus(t: ExecutionContext) {
  const root = await mkdtemp(join(tmpdir(), 'fridge-w1-'))
  t.teardown(() => rm(root, { recursive: true }))
  await mkdir(join(root, device))
  const clock = new FakeClock()
  const abort = new AbortController()
  const reader = new FileReader({ clock })
  t.teardown(() => reader[Symbol.dispose]())
  const options = { name: 'temperature', clock, random: () => 1, reader, device, root }
  const sensor = w1Sensor({ ...options, intervalMs: 5_000 })
  const told = watchSensor(sensor, abort.signal)
  let isFirst = true
  return {
    clock,
    abort,
    file: join(root, device, 'w1_slave'),
    next: async (): Promise<SensorEvent | undefined> => {
      const event = told.next()
      // The first look waits for nobody; the pause before the next one began before it was told.
      if (!isFirst) await clock.advance(5_000)
      isFirst = false
      return event
    },
  }
}

test('a thermometer is read at once and then at its interval', async t => {
  const { file, next, clock } = await bus(t)
  await writeFile(file, good)
  t.like(await next(), { type: 'reading', value: 23.125, unit: 'C' })
  await writeFile(file, good.replace('t=23125', 't=23187'))
  const event = await next()
  t.like(event, { type: 'reading', value: 23.187 })
  t.is(event?.at, clock.now())
})

test('a thermometer that goes is unavailable, and comes back by itself', async t => {
  const { file, next } = await bus(t)
  t.like(await next(), { type: 'unavailable', reason: 'the thermometer is not there' })
  await writeFile(file, good.replace('YES', 'NO'))
  t.like(await next(), { type: 'unavailable', reason: 'the reading was damaged on the bus (CRC)' })
  await writeFile(file, good)
  t.like(await next(), { type: 'reading', value: 23.125 })
  await rm(join(file, '..'), { recursive: true })
  t.like(await next(), { type: 'unavailable', reason: 'the thermometer is not there' })
})

test('a file that is empty, binary, huge, a folder or a FIFO is unavailable', async t => {
  const { file, next } = await bus(t)
  await writeFile(file, '')
  t.like(await next(), { reason: 'the thermometer gave no data' })
  await writeFile(file, Buffer.from([0, 255, 254, 10, 0]))
  t.like(await next(), { reason: 'the thermometer gave something that is not a reading' })
  await writeFile(file, good + ' '.repeat(10_000_000))
  t.like(await next(), { reason: 'the thermometer gave more than a reading' })
  await rm(file)
  await mkdir(file)
  t.like(await next(), { reason: 'the thermometer has no file that can be read' })
  await rm(file, { recursive: true })
  await promisify(execFile)('mkfifo', [file])
  t.like(await next(), { reason: 'the thermometer has no file that can be read' })
})

test('a reason names no path of this machine', async t => {
  const { file, next } = await bus(t)
  const event = await next()
  t.false(JSON.stringify(event).includes(file))
})

test('it ends when it is stopped, and leaves no timer', async t => {
  const { file, next, clock, abort } = await bus(t)
  await writeFile(file, good)
  await next()
  abort.abort()
  t.is(await next(), undefined)
  t.is(clock.pending, 0)
})

test('only the name of a thermometer becomes part of a path', t => {
  for (const name of ['28-00000a1b2c3d', '10-000802824e58', '42-0123456789ab']) {
    t.true(isW1Device(name), name)
  }
  for (const name of [
    '../../etc',
    '28-00000A1B2C3D',
    '01-00000a1b2c3d',
    '28-0',
    `${device}/..`,
    '',
  ]) {
    t.false(isW1Device(name), name)
    const clock = new FakeClock()
    const reader = new FileReader({ clock })
    const options = { name: 'temperature', clock, random: () => 1, reader, device: name }
    t.throws(() => w1Sensor(options), { code: 'ERR_CONFIG' })
  }
})
