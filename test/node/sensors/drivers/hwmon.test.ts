import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import test, { type ExecutionContext } from 'ava'

import { FileReader } from '../../../../node/sensors/drivers/file-reader.ts'
import {
  hwmonSensor,
  isHwmonChip,
  isHwmonInput,
  kindOfInput,
} from '../../../../node/sensors/drivers/hwmon.ts'
import type { SensorEvent } from '../../../../node/sensors/kinds.ts'
import { makeTestFolder } from '../../../support/certs.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { watchSensor } from '../../../support/watch-sensor.ts'

/** Chips in a folder of their own, and what a sensor of one says next, an interval later. */
async function start(t: ExecutionContext, chip = 'sht3x', input = 'temp1') {
  const root = await makeTestFolder(t)
  const clock = new FakeClock()
  const reader = new FileReader({ clock })
  t.teardown(() => reader[Symbol.dispose]())
  const abort = new AbortController()
  t.teardown(() => abort.abort())
  const options = { name: 'it', clock, random: () => 1, reader, chip, input, root }
  const sensor = hwmonSensor({ ...options, intervalMs: 5_000 })
  const told = watchSensor(sensor, abort.signal)
  let isFirst = true
  return {
    sensor,
    root,
    write: async (folder: string, files: Record<string, string>) => {
      await mkdir(join(root, folder), { recursive: true })
      await Promise.all(
        Object.entries(files).map(([name, text]) => writeFile(join(root, folder, name), text)),
      )
    },
    next: async (): Promise<SensorEvent | undefined> => {
      const event = told.next()
      if (!isFirst) await clock.advance(5_000)
      isFirst = false
      return event
    },
  }
}

test('thousandths of a degree are read with all their digits', async t => {
  const { write, next } = await start(t)
  await write('hwmon0', { name: 'k10temp\n', temp1_input: '45000\n' })
  await write('hwmon3', { name: 'sht3x\n', temp1_input: '8900\n' })
  t.like(await next(), { type: 'reading', value: 8.9, unit: 'C' })
  await write('hwmon3', { temp1_input: '-18125\n' })
  t.like(await next(), { type: 'reading', value: -18.125 })
})

test('the humidity of a chip is a hygrometer', async t => {
  const { sensor, write, next } = await start(t, 'sht3x', 'humidity1')
  t.is(sensor.kind, 'humidity')
  await write('hwmon0', { name: 'sht3x\n', humidity1_input: '48210\n' })
  t.like(await next(), { type: 'reading', value: 48.21, unit: '%' })
})

test('a chip that the kernel numbers anew is found by its name', async t => {
  const { root, write, next } = await start(t)
  t.like(await next(), { type: 'unavailable', reason: 'no chip is called sht3x' })
  await write('hwmon1', { name: 'sht3x\n', temp1_input: '4000\n' })
  t.like(await next(), { value: 4 })
  await rename(join(root, 'hwmon1'), join(root, 'hwmon2'))
  t.like(await next(), { type: 'unavailable', reason: 'the thermometer is not there' })
  t.like(await next(), { value: 4 })
  await rm(join(root, 'hwmon2'), { recursive: true })
  t.like(await next(), { type: 'unavailable' })
})

test('of two chips with one name none is guessed, and one is taken by its folder', async t => {
  const chips = { name: 'sht3x\n', temp1_input: '4000\n' }
  const { write, next } = await start(t)
  await write('hwmon0', chips)
  await write('hwmon7', chips)
  t.like(await next(), { reason: '2 chips are called sht3x: set chip to hwmon0 or hwmon7' })
  const second = await start(t, 'hwmon7')
  await second.write('hwmon7', { ...chips, temp1_input: '5000\n' })
  t.like(await second.next(), { value: 5 })
})

test('a chip that says that its sensor is faulty is believed', async t => {
  const { write, next } = await start(t)
  await write('hwmon0', { name: 'sht3x\n', temp1_input: '4000\n', temp1_fault: '1\n' })
  t.like(await next(), { reason: 'the chip says that its thermometer is faulty' })
  await write('hwmon0', { temp1_fault: '0\n' })
  t.like(await next(), { value: 4 })
})

test('what is no reading, or none beside a fridge, is told as neither', async t => {
  const { write, next } = await start(t)
  await write('hwmon0', { name: 'sht3x\n' })
  for (const text of ['', 'N/A\n', '4.5\n', '4000\n5000\n', '0x10\n', '1'.repeat(10)]) {
    await write('hwmon0', { temp1_input: text })
    t.like(await next(), { reason: 'the thermometer gave something that is not a reading' }, text)
  }
  await write('hwmon0', { temp1_input: '-127000\n' })
  t.like(await next(), { reason: '-127 °C is not from -100 to 200 °C' })
})

test('only the names of chips and of their inputs become parts of a path', t => {
  for (const chip of ['sht3x', 'hwmon2', 'k10temp', 'jc42-i2c']) t.true(isHwmonChip(chip), chip)
  for (const chip of ['..', 'a/b', '', 'a b', 'ü', 1]) t.false(isHwmonChip(chip), String(chip))
  for (const input of ['temp1', 'temp12', 'humidity1']) t.true(isHwmonInput(input), input)
  for (const input of ['temp', 'temp1_input', 'in0', '../temp1', 1]) {
    t.false(isHwmonInput(input), String(input))
  }
  t.is(kindOfInput('temp2'), 'temperature')
  t.is(kindOfInput('in0'), undefined)
})
