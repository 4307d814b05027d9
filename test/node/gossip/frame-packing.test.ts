import { hash } from 'node:crypto'
import test from 'ava'
import {
  FramePacking,
  isPacked,
  MAX_EXPANSION,
  MAX_UNPACKED_BYTES,
  pack,
  unpack,
} from '../../../node/gossip/frame-packing.ts'
import { Refusal } from '../../../node/wire/refusal.ts'
import { packedText as packedAs } from '../../support/packed-frames.ts'

const DEPTH = 32

/** Frames as long as those that bring a newcomer up to date, which say nearly the same. */
function membersOf(count: number): object[] {
  return Array.from({ length: count }, (_, index) => ({
    certificate: [`${'a certificate of one authority '.repeat(10)}${hash('sha256', `${index}`)}`],
  }))
}

function gather(): {
  readonly packing: FramePacking<string>
  readonly written: (readonly [stream: string, frame: unknown])[]
} {
  const written: (readonly [string, unknown])[] = []
  const packing = new FramePacking<string>((stream, json) => {
    written.push([stream, JSON.parse(json)])
  })
  return { packing, written }
}

function framesOf(frame: unknown): readonly unknown[] {
  if (!isPacked(frame)) return [frame]
  const frames = unpack(frame, DEPTH)
  if (frames instanceof Refusal) throw new RangeError(frames.reason)
  return frames
}

/** What a peer might send as packed text. */
function packedText(text: string | Uint8Array, bytes?: Uint8Array): { packed: string } {
  return { packed: packedAs(text, bytes) }
}

const { packed: GENUINE } = packedText('[]')

test('what is sent in one turn arrives as it was sent, in its order, and shorter', async t => {
  const { packing, written } = gather()
  const frames = membersOf(20)
  for (const frame of frames) packing.send('members', frame)
  t.deepEqual(written, [])
  await Promise.resolve()
  t.is(written.length, 1)
  t.deepEqual(
    written.flatMap(([, frame]) => framesOf(frame)),
    frames,
  )
  t.true(JSON.stringify(written).length < JSON.stringify(frames).length / 3)
})

test('streams keep their order among each other', t => {
  const { packing, written } = gather()
  for (const frame of membersOf(3)) packing.send('whitelist', frame)
  for (const frame of membersOf(3)) packing.send('members', frame)
  packing.send('whitelist', { last: true })
  packing.flush()
  t.deepEqual(
    written.map(([stream]) => stream),
    ['whitelist', 'members', 'whitelist'],
  )
})

test('a short update by itself, short frames, and the word that all has come go as they are', t => {
  const { packing, written } = gather()
  const update = [{ change: 'as long as most changes are '.repeat(30) }, 1, 'alpha']
  packing.send('whitelist', update)
  packing.flush()
  packing.send('whitelist', { heads: {} })
  packing.send('whitelist', { standing: [] })
  packing.flush()
  for (const frame of membersOf(3)) packing.send('members', frame)
  packing.send('members', 'SYNC')
  packing.flush()
  t.deepEqual(
    written.map(([, frame]) => (isPacked(frame) ? 'packed' : frame)),
    [update, { heads: {} }, { standing: [] }, 'packed', 'SYNC'],
  )
})

test('a long update by itself is packed, once for all who are sent it', t => {
  const update = [{ member: 'as long as the links of a node are '.repeat(40) }, 1, 'alpha']
  const written: unknown[][] = []
  for (const peer of ['beta', 'gamma']) {
    const packing = new FramePacking<string>((...line) => written.push(line))
    packing.send(peer, update)
    packing.flush()
  }
  const [[, json, one] = [], [, sameJson, same] = []] = written
  t.deepEqual(framesOf(JSON.parse(String(json))), [update])
  t.is(sameJson, json)
  t.is(one, update)
  t.is(same, update)
})

test('an update that nobody waits for is packed where it is shorter than one that somebody waits for', t => {
  const update = [{ member: 'as long as the links of a node are '.repeat(20) }, 1, 'alpha']
  for (const [stream, isPackedThere] of [
    ['members', true],
    ['whitelist', false],
  ] as const) {
    const written: string[] = []
    const packing = new FramePacking<string>(
      (_, json) => written.push(json),
      to => to === 'whitelist',
    )
    packing.send(stream, [...update])
    packing.flush()
    const [frame] = written.map(json => JSON.parse(json) as unknown)
    t.is(isPacked(frame), isPackedThere, stream)
    t.deepEqual(framesOf(frame), [update])
  }
})

test('however much is sent at once, no packed frame holds more than a peer takes', t => {
  const { packing, written } = gather()
  const frames = membersOf(2_000)
  for (const frame of frames) packing.send('members', frame)
  packing.flush()
  t.true(written.length > 3)
  t.deepEqual(
    written.flatMap(([, frame]) => framesOf(frame)),
    frames,
  )
})

test('what would be longer than a peer takes for its length is sent as it is', t => {
  t.is(pack([JSON.stringify('a'.repeat(100_000))]), undefined)
})

for (const [what, frame] of [
  ['no text', { packed: 1 }],
  ['what is no Z85', { packed: '"'.repeat(5) }],
  ['Z85 that is cut off', { packed: GENUINE.slice(0, -1) }],
  ['Z85 with a space in it', { packed: ` ${GENUINE}` }],
  ['nothing', { packed: '' }],
  ['what was not compressed', { packed: '0'.repeat(20) }],
  ['bytes that no piece is made of', packedText('[]', new Uint8Array(1))],
  ['a piece of bytes that are not there', packedText('["\u0001\u0003"]', new Uint8Array(2))],
  ['a run that was not named', packedText('["\u0008\u0000"]')],
  ['more than it says', { ...packedText('[]'), more: 1 }],
  ['what is no list', packedText('{"id":1}')],
  ['bytes that are no UTF-8', packedText(new Uint8Array([0x5b, 0x22, 0xff, 0x22, 0x5d]))],
  ['a packed frame', packedText(JSON.stringify([packedText('[]')]))],
  ['the word that all has come', packedText('["SYNC"]')],
  ['far more than its length', packedText(`["${'a'.repeat(100_000)}"]`)],
] as const) {
  test(`a packed frame that holds ${what} is refused`, t => {
    const refused = unpack(frame, DEPTH)
    t.true(refused instanceof Refusal)
    t.is(String(refused), 'gossip: a packed frame is malformed')
  })
}

test('a packed frame that is nested too deep, or is not JSON, is refused as any line is', t => {
  const deep = `${'['.repeat(DEPTH + 1)}${']'.repeat(DEPTH + 1)}`
  t.is(String(unpack(packedText(deep), DEPTH)), 'json: nested deeper than 32')
  t.is(String(unpack(packedText('['), DEPTH)), 'json: not JSON')
})

test('a packed frame is not read beyond what it may hold', t => {
  // Random enough that its expansion is no matter.
  const noise = Array.from({ length: 30_000 }, (_, index) => Math.sin(index).toString(36))
  const { packed } = packedText(JSON.stringify(noise))
  t.true(JSON.stringify(noise).length > MAX_UNPACKED_BYTES)
  t.true(JSON.stringify(noise).length < packed.length * MAX_EXPANSION)
  t.true(unpack({ packed }, DEPTH) instanceof Refusal)
})
