import test from 'ava'
import { saysNothingNew, Unsealer } from '../../../node/client/sealed-events.ts'
import { parseSealedEvent } from '../../../node/events/told-sensor.ts'
import { parseName, type Source } from '../../../node/identity/names.ts'
import { ChannelKey, type PlaceInChannel } from '../../../node/seal/channel-key.ts'
import type { SensorEvent } from '../../../node/sensors/kinds.ts'

const NAME = { channel: 'kitchen', domain: 'fridge.example' }
const WORDS = 'correct horse battery staple'
const NODE = { node: parseName('node-1'), run: 'node-1#0123456789abcdef' as Source }
const PLACE: PlaceInChannel = { kind: 'event', ...NODE, about: 'air' }
const READING = ['reading', 4.5, 'C', 1_767_268_800_000]
const NOW = 7

const key = ChannelKey.ofNow(NAME, WORDS)
const sensor = { name: 'air', kind: 'temperature', sealed: key.info } as const
const open = new Unsealer(WORDS).openerFor(NODE, () => NOW)

function unknown(why: string): SensorEvent {
  return { type: 'unavailable', reason: `sealed: ${why}`, at: NOW }
}

test('a sealed event says what its node has sealed, in its place and with its number alone', t => {
  const sealed = { ...key.seal(PLACE, 3, READING), sequence: 3 }
  const reading = { type: 'reading', value: 4.5, unit: 'C', at: 1_767_268_800_000 }
  t.deepEqual(open(sensor, sealed), reading as SensorEvent)
  const altered = unknown('it was altered on its way')
  t.deepEqual(open(sensor, { ...sealed, sequence: 4 }), altered)
  t.deepEqual(open({ ...sensor, name: 'probe' }, sealed), altered)
  t.deepEqual(open(sensor, { ...sealed, box: `A${sealed.box.slice(1)}` }), altered)
  const run = 'node-1#fedcba9876543210' as Source
  t.deepEqual(new Unsealer(WORDS).openerFor({ ...NODE, run }, () => NOW)(sensor, sealed), altered)
})

test('what a sensor of its kind does not say is not taken, though it was sealed', t => {
  for (const values of [['open', 1], ['reading', 4.5, '%', 1], ['reading', '4', 'C', 1], [7], []]) {
    const sealed = { ...key.seal(PLACE, 3, values), sequence: 3 }
    t.deepEqual(open(sensor, sealed), unknown('it was altered on its way'))
  }
})

test('without the passphrase that is in use nothing is known, and why is said', t => {
  const sealed = { ...key.seal(PLACE, 3, READING), sequence: 3 }
  const none = new Unsealer(undefined).openerFor(NODE, () => NOW)
  t.deepEqual(none(sensor, sealed), unknown('it is for the holders of a passphrase'))
  const other = { ...sealed, epoch: 'AAAAAAAAAAA' }
  t.deepEqual(open(sensor, other), unknown('it is for another passphrase'))
})

test('values that are malformed are no sealed event', t => {
  const { epoch, box } = key.seal(PLACE, 3, READING)
  t.deepEqual(parseSealedEvent([epoch, box, 3]), { epoch, box, sequence: 3 })
  for (const values of [
    [],
    [epoch, box],
    [epoch, box, 0],
    [epoch, box, 1.5],
    [epoch, `${box}=`, 3],
    [epoch, 'A'.repeat(2_049), 3],
    [`${epoch}A`, box, 3],
    [7, box, 3],
  ]) {
    t.is(parseSealedEvent(values), undefined)
  }
})

test('only that a sensor is still sealed is no news', t => {
  const sealed = unknown('it is for another passphrase')
  t.true(saysNothingNew(sealed, { ...sealed, at: 8 }))
  t.false(saysNothingNew(sealed, unknown('it was altered on its way')))
  t.false(saysNothingNew(undefined, sealed))
  const silent = { type: 'unavailable', reason: 'silent for 300 s', at: 1 } as const
  t.false(saysNothingNew(silent, silent))
})
