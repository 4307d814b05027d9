import { array, assert, constantFrom, json, oneof, property, string } from 'fast-check'
import test from 'ava'
import { parsePacket } from '../../../node/web/packet.ts'
import { CLIENT_LIMITS } from '../../../node/wire/limits.ts'
import { Refusal } from '../../../node/wire/refusal.ts'

function read(data: unknown): unknown {
  const packet = parsePacket(data, CLIENT_LIMITS)
  return packet instanceof Refusal ? packet.reason : packet
}

test('what a page sends is read as the library writes it', t => {
  t.deepEqual(read('0'), { kind: 'connect' })
  t.deepEqual(read('0{"token":1}'), { kind: 'connect' })
  t.deepEqual(read('1'), { kind: 'disconnect' })
  const call = { kind: 'event', event: 'call', values: ['defrost'] }
  t.deepEqual(read('2["call","defrost"]'), { ...call, id: undefined })
  t.deepEqual(read('212["call","defrost"]'), { ...call, id: 12 })
})

test('whatever else a page sends is refused, and why', t => {
  const deep = '['.repeat(40) + ']'.repeat(40)
  const cases: readonly (readonly [unknown, string])[] = [
    [Buffer.from('2["call"]'), 'binary data'],
    [undefined, 'binary data'],
    ['', 'a packet of an unexpected kind'],
    ['0/admin,', 'a packet of an unexpected kind'],
    ['0[]', 'a packet of an unexpected kind'],
    ['0{', 'not JSON'],
    ['1/admin,', 'a packet of an unexpected kind'],
    ['2/admin,["call"]', 'a packet of an unexpected kind'],
    ['2{"call":1}', 'a packet of an unexpected kind'],
    ['2-1["call"]', 'a packet of an unexpected kind'],
    [`2${'9'.repeat(16)}["call"]`, 'a packet of an unexpected kind'],
    ['2["call"', 'not JSON'],
    ['2[]', 'an event of an unexpected kind'],
    ['2[0]', 'an event of an unexpected kind'],
    ['2["connect"]', 'an event of an unexpected kind'],
    ['2["disconnect"]', 'an event of an unexpected kind'],
    ['2["__proto__"]', 'an event of an unexpected kind'],
    ['2[{"toString":"call"}]', 'an event of an unexpected kind'],
    ['3["call"]', 'a packet of an unexpected kind'],
    ['30["call"]', 'a packet of an unexpected kind'],
    ['4"no"', 'a packet of an unexpected kind'],
    ['51-["call",{"_placeholder":true,"num":0}]', 'a packet of an unexpected kind'],
    ['61-0[{"_placeholder":true,"num":9}]', 'a packet of an unexpected kind'],
    ['7', 'a packet of an unexpected kind'],
    [`2["call",${deep}]`, 'nested deeper than 32'],
    [`0{"a":${deep}}`, 'nested deeper than 32'],
    [`2["call"${',0'.repeat(17)}]`, 'too many values'],
    [`2["call","${'é'.repeat(40_000)}"]`, 'too long'],
  ]
  for (const [data, reason] of cases) t.is(read(data), reason, String(data).slice(0, 40))
})

test('no text makes the reader throw, and what it takes it takes whole', t => {
  let taken = 0
  const pieces = array(
    constantFrom(
      '0',
      '1',
      '2',
      '5',
      '-',
      ',',
      '/',
      '[',
      ']',
      '{',
      '}',
      '"',
      'call',
      ':',
      '\\',
      '7',
    ),
  )
  assert(
    property(
      oneof(
        string(),
        pieces.map(all => all.join('')),
        pieces.map(all => `2["call"${all.join('')}]`),
        json().map(value => `27["call",${value}]`),
      ),
      text => {
        const packet = parsePacket(text, CLIENT_LIMITS)
        if (packet instanceof Refusal || packet.kind !== 'event') return
        taken += 1
        t.is(
          text,
          `2${packet.id === undefined ? '' : text.slice(1, text.indexOf('['))}${text.slice(text.indexOf('['))}`,
        )
        t.deepEqual(JSON.parse(text.slice(text.indexOf('['))), [packet.event, ...packet.values])
      },
    ),
  )
  t.log(`${taken} events were taken`)
  t.pass()
})
