import test from 'ava'
import * as fc from 'fast-check'

import {
  decodePayload,
  fieldNames,
  valueOf,
  type PayloadFormat,
} from '../../../../node/sensors/drivers/payload.ts'

const NOW = Date.UTC(2026, 0, 1)
const read = (bytes: Uint8Array, format: PayloadFormat) =>
  valueOf(decodePayload(bytes), format, NOW)
const parse = (line: string, format: PayloadFormat) => read(Buffer.from(line), format)
const door: PayloadFormat = { kind: 'door' }
const temperature: PayloadFormat = { kind: 'temperature' }
const reading = (value: number) => ({ type: 'reading', value, unit: 'C' })

test('a door says open, close or closed, quoted or not, in any case', t => {
  for (const line of ['open', 'OPEN', ' Open\t', '"open"', '{"contact":"open"}']) {
    t.deepEqual(parse(line, door), { type: 'open' }, line)
  }
  for (const line of ['close', 'closed', 'CLOSED', '"closed"', '{"contact":"closed"}']) {
    t.deepEqual(parse(line, door), { type: 'close' }, line)
  }
})

test('the contact of Zigbee2MQTT is true when the door is closed', t => {
  t.deepEqual(parse('{"contact":false,"battery":97,"linkquality":120}', door), { type: 'open' })
  t.deepEqual(parse('{"contact":true,"battery":97,"linkquality":120}', door), { type: 'close' })
})

test('closedWhen turns a boolean round, in a field and bare', t => {
  const turned: PayloadFormat = { kind: 'door', closedWhen: false }
  t.deepEqual(parse('{"contact":false}', turned), { type: 'close' })
  t.deepEqual(parse('true', turned), { type: 'open' })
  t.deepEqual(parse('true', { ...turned, closedWhen: true }), { type: 'close' })
  t.deepEqual(parse('{"opened":true}', { ...turned, field: 'opened' }), { type: 'open' })
})

test('a boolean that could mean either is refused until closedWhen is set', t => {
  const reason = 'a boolean says neither open nor closed: set `closedWhen`'
  t.deepEqual(parse('true', door), { type: 'malformed', reason })
  t.deepEqual(parse('{"opened":true}', { ...door, field: 'opened' }), { type: 'malformed', reason })
})

test('a thermometer says a number, alone or in its field', t => {
  t.deepEqual(parse('5.31', temperature), reading(5.31))
  t.deepEqual(parse('-18', temperature), reading(-18))
  t.deepEqual(parse('{"temperature":5.31,"humidity":48.2}', temperature), reading(5.31))
  const probe: PayloadFormat = { kind: 'temperature', field: 'probe' }
  t.deepEqual(parse('{"temperature":5.31,"probe":4}', probe), reading(4))
})

test('a temperature from -100 to 200 °C is a reading, any other is malformed', t => {
  for (const value of [-100, 200]) {
    t.deepEqual(parse(`${value}`, temperature), reading(value))
  }
  for (const line of ['-100.1', '200.1', '1e999']) {
    t.is(parse(line, temperature).type, 'malformed', line)
  }
  t.deepEqual(parse('{"temperature":-127}', temperature), {
    type: 'malformed',
    reason: '-127 °C is not from -100 to 200 °C',
  })
})

test('an empty line, and an object without the field, say nothing', t => {
  for (const line of ['', '  ', '{}', '{"battery":97}', '{"Contact":true}']) {
    t.deepEqual(parse(line, door), { type: 'irrelevant' }, line)
  }
})

test('no field is found that the object does not have of its own', t => {
  for (const field of ['constructor', '__proto__', 'toString']) {
    t.deepEqual(parse('{}', { ...door, field }), { type: 'irrelevant' })
  }
  const own: PayloadFormat = { kind: 'temperature', field: '__proto__' }
  t.deepEqual(parse('{"__proto__":4}', own), reading(4))
})

test('what should have been a value and is none is malformed', t => {
  const deep = '['.repeat(30_000) + ']'.repeat(30_000)
  for (const line of [
    'ajar',
    '{"contact":',
    '{"contact":null}',
    '1',
    'null',
    '["open"]',
    '""',
    deep,
  ]) {
    t.is(parse(line, door).type, 'malformed', line.slice(0, 40))
  }
  for (const line of [
    'open',
    '"5.3"',
    '5,3',
    '5.3 C',
    'true',
    '[5.3]',
    '{"temperature":"5"}',
    'NaN',
  ]) {
    t.is(parse(line, temperature).type, 'malformed', line)
  }
})

test('a line that is not UTF-8 is malformed', t => {
  const line = Buffer.concat([
    Buffer.from('{"contact":true,"name":"'),
    Buffer.of(0xc3),
    Buffer.from('"}'),
  ])
  t.deepEqual(read(line, door), { type: 'malformed', reason: 'a value is not UTF-8' })
})

test('no line makes it throw, and no reason quotes its text', t => {
  const secret = 'hunter2'
  const line = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.json().map(text => Buffer.from(text)),
    fc.json().map(text => Buffer.from(`{"contact":${text},"temperature":${text}}`)),
  )
  const kind = fc.constantFrom('door' as const, 'temperature' as const)
  fc.assert(fc.property(line, kind, (line, kind) => 'type' in read(line, { kind })))
  for (const line of [secret, `"${secret}"`, `{"contact":"${secret}"}`, `{"${secret}`]) {
    t.false(JSON.stringify(parse(line, door)).includes(secret), line)
    t.false(JSON.stringify(parse(line, temperature)).includes(secret), line)
  }
})

test('a dotted field leads into objects, and a field of that whole name comes first', t => {
  const probe: PayloadFormat = { kind: 'temperature', field: 'SI7021.Temperature' }
  t.deepEqual(parse('{"SI7021":{"Temperature":5.3}}', probe), reading(5.3))
  t.deepEqual(parse('{"SI7021":{"Temperature":5.3},"SI7021.Temperature":6}', probe), reading(6))
  const deep: PayloadFormat = { kind: 'temperature', field: 'a.b.c' }
  t.deepEqual(parse('{"a.b":{"c":1}}', deep), reading(1))
  t.deepEqual(parse('{"a":{"b":{"c":2}}}', deep), reading(2))
  for (const line of ['{"a":1}', '{"a":{"b":[1]}}', '{"a":null}', '{"a":{"toString":{}}}']) {
    t.deepEqual(parse(line, deep), { type: 'irrelevant' }, line)
  }
})

test('words that stand for open and closed are read as the device writes them', t => {
  const contact: PayloadFormat = {
    kind: 'door',
    open: ['ON', '1', true],
    closed: ['OFF', 0, false],
  }
  for (const line of ['ON', '"ON"', '1', '"1"', 'true', '{"contact":"ON"}', '{"contact":true}']) {
    t.deepEqual(parse(line, contact), { type: 'open' }, line)
  }
  for (const line of ['OFF', '0', 'false', '{"contact":0}']) {
    t.deepEqual(parse(line, contact), { type: 'close' }, line)
  }
  const reason = 'a value is none of the words for open and closed'
  for (const line of ['open', 'on', '2', 'null', '[1]', '{"contact":{}}']) {
    t.deepEqual(parse(line, contact), { type: 'malformed', reason }, line)
  }
})

test('a thermometer in degrees Fahrenheit is told in degrees Celsius, its range checked there', t => {
  const fahrenheit: PayloadFormat = { kind: 'temperature', unit: 'F' }
  t.deepEqual(parse('41', fahrenheit), reading(5))
  t.deepEqual(parse('-112', fahrenheit), reading(-80))
  t.deepEqual(parse('41.5', fahrenheit), reading(5.278))
  t.is(parse('400', fahrenheit).type, 'malformed')
  t.deepEqual(parse('5', { kind: 'temperature', unit: 'C' }), reading(5))
})

test('a value that says its time is told at that time while it is fresh', t => {
  const dated: PayloadFormat = { kind: 'temperature', timeField: 'seen.at', maxAgeMs: 60_000 }
  const at = NOW - 60_000
  for (const time of [at, at / 1_000, new Date(at).toISOString(), '2026-01-01T00:59:00+01:00']) {
    const line = JSON.stringify({ temperature: 4, seen: { at: time } })
    t.deepEqual(parse(line, dated), { ...reading(4), at }, line)
  }
})

test('a value that is old, of the future, or does not say its time is none', t => {
  const dated: PayloadFormat = { kind: 'door', timeField: 'last_seen', maxAgeMs: 60_000 }
  const say = (time: unknown) => parse(JSON.stringify({ contact: true, last_seen: time }), dated)
  t.deepEqual(say(NOW - 60_001), { type: 'malformed', reason: 'a value is older than 60 s' })
  t.deepEqual(say('2025-12-29T00:00:00Z'), {
    type: 'malformed',
    reason: 'a value is older than 60 s',
  })
  t.deepEqual(say(NOW + 60_001), { type: 'malformed', reason: 'a value is dated in the future' })
  // Clocks differ a little, but no event is of the future.
  t.deepEqual(say(NOW + 1_000), { type: 'close', at: NOW })
  const reason = 'a value does not say when it was measured'
  for (const time of [undefined, null, 'yesterday', '1', '2026-13-01T00:00:00Z', {}, true]) {
    t.deepEqual(say(time), { type: 'malformed', reason }, JSON.stringify(time))
  }
  t.deepEqual(parse('open', dated), { type: 'malformed', reason })
})

test('the fields of a payload are named as they would be set, and not without end', t => {
  const names = (line: string) => fieldNames(decodePayload(Buffer.from(line)))
  t.deepEqual(names('{"battery":9,"ENERGY":{"Total":1,"Sub":{"a":[1]}}}'), [
    'battery',
    'ENERGY.Total',
    'ENERGY.Sub.a',
  ])
  t.deepEqual(names('4.5'), [])
  t.deepEqual(names('nonsense'), [])
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`f${index}`, index]))
  t.is(names(JSON.stringify(many)).length, 20)
  t.is(names(JSON.stringify({ ['x'.repeat(1_000)]: 1 }))[0]?.length, 100)
  t.true(names('{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000)).length <= 20)
})

test('a hygrometer says percent, from 0 to 100', t => {
  const humidity: PayloadFormat = { kind: 'humidity' }
  t.deepEqual(parse('{"temperature":5.31,"humidity":48.2}', humidity), {
    type: 'reading',
    value: 48.2,
    unit: '%',
  })
  t.deepEqual(parse('101', humidity), {
    type: 'malformed',
    reason: '101 % is not from 0 to 100 %',
  })
})
