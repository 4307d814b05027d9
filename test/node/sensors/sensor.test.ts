import test from 'ava'

import { isSensorName, mayGive } from '../../../node/sensors/sensor.ts'

test('a door opens and closes, a thermometer reads, and both can be unavailable', t => {
  t.true(mayGive('door', { type: 'open', at: 1 }))
  t.true(mayGive('door', { type: 'close', at: 1 }))
  t.true(mayGive('door', { type: 'unavailable', reason: 'gone', at: 1 }))
  t.true(mayGive('temperature', { type: 'reading', value: 4.5, unit: 'C', at: 1 }))
  t.true(mayGive('temperature', { type: 'unavailable', reason: 'gone', at: 1 }))
})

test('no kind gives the events of another, nor numbers that are none', t => {
  t.false(mayGive('door', { type: 'reading', value: 4.5, unit: 'C', at: 1 }))
  t.false(mayGive('temperature', { type: 'open', at: 1 }))
  t.false(mayGive('temperature', { type: 'reading', value: Number.NaN, unit: 'C', at: 1 }))
  t.false(mayGive('door', { type: 'open', at: Infinity }))
})

test('a sensor name is short, lower-case and starts with a letter', t => {
  for (const name of ['door', 't', 'cold-room-2', 'a'.repeat(32)]) t.true(isSensorName(name), name)
  for (const name of ['', 'Door', '2nd', '-a', 'a_b', 'a b', '__proto__', 'a'.repeat(33), 7]) {
    t.false(isSensorName(name), String(name))
  }
})
