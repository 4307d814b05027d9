import test from 'ava'
import * as fc from 'fast-check'

import {
  parseOutputLine,
  type OutputFormat,
} from '../../../../node/sensors/drivers/program-output.ts'

const parse = (line: string, format: OutputFormat) => parseOutputLine(Buffer.from(line), format)
const door: OutputFormat = { kind: 'door' }
const temperature: OutputFormat = { kind: 'temperature' }
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
  const turned: OutputFormat = { kind: 'door', closedWhen: false }
  t.deepEqual(parse('{"contact":false}', turned), { type: 'close' })
  t.deepEqual(parse('true', turned), { type: 'open' })
  t.deepEqual(parse('true', { ...turned, closedWhen: true }), { type: 'close' })
  t.deepEqual(parse('{"opened":true}', { ...turned, field: 'opened' }), { type: 'open' })
})

test('a boolean that could mean either is refused until closedWhen is set', t => {
  const reason = 'a boolean says neither open nor closed: closedWhen is not set'
  t.deepEqual(parse('true', door), { type: 'malformed', reason })
  t.deepEqual(parse('{"opened":true}', { ...door, field: 'opened' }), { type: 'malformed', reason })
})

test('a thermometer says a number, alone or in its field', t => {
  t.deepEqual(parse('5.31', temperature), reading(5.31))
  t.deepEqual(parse('-18', temperature), reading(-18))
  t.deepEqual(parse('{"temperature":5.31,"humidity":48.2}', temperature), reading(5.31))
  const probe: OutputFormat = { kind: 'temperature', field: 'probe' }
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
  const own: OutputFormat = { kind: 'temperature', field: '__proto__' }
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
  t.deepEqual(parseOutputLine(line, door), { type: 'malformed', reason: 'a line is not UTF-8' })
})

test('no line makes it throw, and no reason quotes its text', t => {
  const secret = 'hunter2'
  const line = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.json().map(text => Buffer.from(text)),
    fc.json().map(text => Buffer.from(`{"contact":${text},"temperature":${text}}`)),
  )
  const kind = fc.constantFrom('door' as const, 'temperature' as const)
  fc.assert(fc.property(line, kind, (line, kind) => 'type' in parseOutputLine(line, { kind })))
  for (const line of [secret, `"${secret}"`, `{"contact":"${secret}"}`, `{"${secret}`]) {
    t.false(JSON.stringify(parse(line, door)).includes(secret), line)
    t.false(JSON.stringify(parse(line, temperature)).includes(secret), line)
  }
})
