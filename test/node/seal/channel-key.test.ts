import test from 'ava'
import { ChannelKey, type PlaceInChannel } from '../../../node/seal/channel-key.ts'
import { ChannelOpener } from '../../../node/seal/channel-opener.ts'
import { PADDING_BYTES, TAG_BYTES } from '../../../node/seal/format.ts'

const NAME = { channel: 'kitchen', domain: 'fridge.example' }
const WORDS = 'correct horse battery staple'
const PLACE: PlaceInChannel = { kind: 'event', node: 'node-1', run: 'node-1#1', about: 'door' }
const VALUES = ['reading', 4.5, 'C', 1_767_268_800_000]

const key = await ChannelKey.of(NAME, WORDS)
const opener = await ChannelOpener.of(NAME, WORDS)

test('what a node seals a browser opens, and the other way round', async t => {
  for (const values of [VALUES, ['unavailable', 'es ist zu 🧊'.repeat(20), 1], []]) {
    t.deepEqual(await opener.open(PLACE, 7, key.seal(PLACE, 7, values).box), values)
    t.deepEqual(key.open(PLACE, 7, await opener.seal(PLACE, 7, values)), values)
  }
  t.is(key.seal(PLACE, 7, VALUES).box, await opener.seal(PLACE, 7, VALUES))
})

test('both know the passphrase by the same name, and another passphrase, channel or domain by another', async t => {
  t.deepEqual(opener.info, key.info)
  t.is(ChannelKey.ofNow(NAME, ` correct  horse\nbattery staple `).info.epoch, key.info.epoch)
  const others = [
    ChannelKey.ofNow(NAME, 'correct horse battery stapler'),
    ChannelKey.ofNow({ ...NAME, channel: 'cellar' }, WORDS),
    ChannelKey.ofNow({ ...NAME, domain: 'other.example' }, WORDS),
  ]
  const { box } = key.seal(PLACE, 1, VALUES)
  for (const other of others) {
    t.not(other.info.epoch, key.info.epoch)
    t.is(other.open(PLACE, 1, box), undefined)
  }
})

test('a box that was altered, moved or given another number is not opened', async t => {
  const { box } = key.seal(PLACE, 7, VALUES)
  const opened = async (place: PlaceInChannel, sequence: number, text: string) => {
    const ours = key.open(place, sequence, text)
    t.deepEqual(await opener.open(place, sequence, text), ours)
    return ours
  }
  t.deepEqual(await opened(PLACE, 7, box), VALUES)
  for (let at = 0; at < box.length; at += 1) {
    const other = box[at] === 'A' ? 'g' : 'A'
    t.is(await opened(PLACE, 7, box.slice(0, at) + other + box.slice(at + 1)), undefined, `${at}`)
  }
  for (const moved of [
    { ...PLACE, kind: 'answer' as const },
    { ...PLACE, node: 'node-2' },
    { ...PLACE, run: 'node-1#2' },
    { ...PLACE, about: 'temperature' },
  ]) {
    t.is(await opened(moved, 7, box), undefined, JSON.stringify(moved))
  }
  t.is(await opened(PLACE, 8, box), undefined)
  for (const cut of ['', box.slice(0, 8), box.slice(0, -4), `${box}AAAA`]) {
    t.is(await opened(PLACE, 7, cut), undefined)
  }
})

test('the length of a box does not say whether a door was opened or what a thermometer reads', t => {
  const lengths = [
    VALUES,
    ['reading', -12.345, 'C', 1],
    ['open', 1_767_268_800_000],
    ['close', 1_767_268_800_000],
    ['unavailable', 'silent for 300 s', 1_767_268_800_000],
  ].map(values => Buffer.from(key.seal(PLACE, 1, values).box, 'base64url').length)
  t.deepEqual(new Set(lengths), new Set([PADDING_BYTES + TAG_BYTES]))
})

test('no two sensors, runs or kinds of box share a key: equal numbers make no equal nonces', t => {
  const boxes = [
    key.seal(PLACE, 1, VALUES),
    key.seal({ ...PLACE, about: 'temperature' }, 1, VALUES),
    key.seal({ ...PLACE, run: 'node-1#2' }, 1, VALUES),
    key.seal({ ...PLACE, kind: 'history' }, 1, VALUES),
    key.seal(PLACE, 2, VALUES),
  ].map(({ box }) => box.slice(0, 20))
  t.is(new Set(boxes).size, boxes.length)
})
