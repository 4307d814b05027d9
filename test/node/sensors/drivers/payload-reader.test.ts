import test from 'ava'

import {
  PayloadReader,
  type PayloadReaderOptions,
} from '../../../../node/sensors/drivers/payload-reader.ts'
import type { SensorEvent } from '../../../../node/sensors/kinds.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

function start(options: Partial<PayloadReaderOptions> = {}) {
  const clock = new FakeClock()
  const told: SensorEvent[] = []
  const warned: Record<string, unknown>[] = []
  const log = {
    debug() {},
    info() {},
    warn: (fields: object) => warned.push(fields as Record<string, unknown>),
    error() {},
  }
  const reader = new PayloadReader({ name: 'door', kind: 'door', clock, log, ...options }, event =>
    told.push(event),
  )
  const take = (text: string): string => {
    const before = told.length
    reader.take(Buffer.from(text))
    return told
      .slice(before)
      .map(({ type }) => type)
      .join()
  }
  return { clock, told, warned, reader, take }
}

test('a device that says that it is offline is unavailable, and no value of before comes back', t => {
  const { take } = start({ availability: {} })
  t.is(take('{"contact":true}'), 'close')
  t.is(take('{"state":"offline"}'), 'unavailable')
  t.is(take('{"state":"online"}'), '')
  t.is(take('{"contact":true}'), 'close')
})

test('a value that comes while the device is offline waits until it is back', t => {
  const { take, reader } = start({ availability: {} })
  t.is(take('offline'), 'unavailable')
  t.is(take('{"contact":true}'), '')
  t.is(take('{"contact":false}'), '')
  reader.hear(undefined)
  t.is(take('online'), 'open')
  t.is(take('online'), '')
})

test('availability and value may come together, in fields of any name and words', t => {
  const availability = { field: 'radio.up', online: ['yes'], offline: ['no', 0] }
  const { take } = start({ availability })
  t.is(take('{"contact":true,"radio":{"up":"yes"}}'), 'close')
  t.is(take('{"contact":false,"radio":{"up":0}}'), 'unavailable')
  t.is(take('{"contact":true,"radio":{"up":"yes"}}'), 'open,close')
  t.is(take('{"contact":false,"radio":{"up":"perhaps"}}'), 'open')
})

test('a device without availability that says offline says nothing that is known', t => {
  const { take } = start()
  t.is(take('offline'), 'unavailable')
  t.is(take('{"state":"offline"}'), '')
})

test('one warning names the fields that were seen when none is the expected one', t => {
  const { take, warned } = start()
  t.is(take('{"battery":97,"ENERGY":{"Total":3}}'), '')
  t.is(take('{"battery":96}'), '')
  t.deepEqual(warned, [
    {
      sensor: 'door',
      field: 'contact',
      seen: ['battery', 'ENERGY.Total'],
      fix: 'set sensors.door.field to the one that holds the value',
    },
  ])
})

test('a device that has said its value may say other things without a warning', t => {
  const { take, warned } = start()
  t.is(take('{"contact":true}'), 'close')
  t.is(take('{"battery":96}'), '')
  t.is(take(''), '')
  t.deepEqual(warned, [])
})

test('a value that says its time is told at that time, any other at the moment when it came', t => {
  const { take, told, clock } = start({ timeField: 'at' })
  const at = clock.now() - 5_000
  take(JSON.stringify({ contact: true, at }))
  t.is(told[0]?.at, at)
  const undated = start()
  undated.take('open')
  t.is(undated.told[0]?.at, undated.clock.now())
})

test('one warning tells the word of a door that is not understood, and the keys that name its words', t => {
  for (const text of ['ON', '{"contact":"ON"}']) {
    const { take, warned, told } = start()
    t.is(take(text), 'unavailable')
    t.is(take(text), 'unavailable')
    t.like(told[0], { reason: 'a value says neither open nor closed: set `open`, `closed`' })
    t.is(warned.length, 1)
    t.is(warned[0]?.['seen'], '"ON"')
    t.regex(String(warned[0]?.['fix']), /sensors\.door\.open and sensors\.door\.closed/)
  }
  const contact = start()
  t.is(contact.take('true'), 'unavailable')
  t.regex(String(contact.warned[0]?.['fix']), /set sensors\.door\.closedWhen/)
})

test('one warning tells what a thermometer says that is no number, and how one is written', t => {
  for (const [text, seen] of [
    ['5,25', '"5,25"'],
    ['5.25 C', '"5.25 C"'],
    ['{"temperature":"5.25"}', '"5.25"'],
  ] as const) {
    const { take, warned, told } = start({ kind: 'temperature', name: 'air' })
    t.is(take(text), 'unavailable')
    t.is(take(text), 'unavailable')
    t.like(told[0], { reason: 'a value is no number' })
    t.is(warned.length, 1)
    t.is(warned[0]?.['seen'], seen)
    t.regex(String(warned[0]?.['fix']), /a number .* such as 5\.25/)
  }
  const { take, warned } = start({ kind: 'temperature', name: 'air' })
  t.is(take('999'), 'unavailable')
  t.is(warned.length, 0)
})
