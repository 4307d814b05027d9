import test from 'ava'

import {
  EVENT_TYPES,
  formatReading,
  isSensorKind,
  mayGive,
  PLAIN_SENSORS,
  SENSOR_KINDS,
  SENSOR_KIND_NAMES,
} from '../../../node/sensors/kinds.ts'

test('a door opens and closes, a thermometer reads, and both can be unavailable', t => {
  t.true(mayGive('door', { type: 'open', at: 1 }))
  t.true(mayGive('door', { type: 'close', at: 1 }))
  t.true(mayGive('door', { type: 'unavailable', reason: 'gone', at: 1 }))
  t.true(mayGive('temperature', { type: 'reading', value: 4.5, unit: 'C', at: 1 }))
  t.true(mayGive('temperature', { type: 'unavailable', reason: 'gone', at: 1 }))
})

test('a hygrometer reads percent, and nothing that another kind says', t => {
  t.true(mayGive('humidity', { type: 'reading', value: 48.2, unit: '%', at: 1 }))
  t.false(mayGive('humidity', { type: 'reading', value: 48.2, unit: 'C', at: 1 }))
  t.false(mayGive('temperature', { type: 'reading', value: 4.5, unit: '%', at: 1 }))
  t.false(mayGive('humidity', { type: 'open', at: 1 }))
  t.is(formatReading('humidity', 48.25), '48.25 %')
})

test('no kind gives the events of another, nor numbers that are none', t => {
  t.false(mayGive('door', { type: 'reading', value: 4.5, unit: 'C', at: 1 }))
  t.false(mayGive('temperature', { type: 'open', at: 1 }))
  t.false(mayGive('temperature', { type: 'reading', value: Number.NaN, unit: 'C', at: 1 }))
  t.false(mayGive('door', { type: 'open', at: Infinity }))
})

test('the plain protocol has a door and a temperature, whatever kinds there are', t => {
  t.deepEqual(PLAIN_SENSORS, ['door', 'temperature'])
})

test('a client listens to every type of event, each once', t => {
  t.deepEqual(EVENT_TYPES, ['open', 'close', 'reading', 'unavailable'])
})

test('nothing but the rows of the table is a kind', t => {
  for (const kind of SENSOR_KIND_NAMES) t.true(isSensorKind(kind))
  for (const kind of ['Door', '', 'toString', '__proto__', undefined, 1])
    t.false(isSensorKind(kind))
})

test('a kind moves or measures, and keeps something of each', t => {
  for (const kind of SENSOR_KIND_NAMES) {
    const { moves, quantity, keptForNewcomers, keptForSlowReaders } = SENSOR_KINDS[kind]
    t.not(moves.length > 0, quantity !== undefined, kind)
    t.true(keptForNewcomers >= 1 && keptForSlowReaders >= 1, kind)
  }
})
