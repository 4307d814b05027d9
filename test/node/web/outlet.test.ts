import { Duplex } from 'node:stream'
import test from 'ava'
import {
  answerFrame,
  eventFrame,
  sensorFrame,
  textFrame,
} from '../../../node/events/page-frames.ts'
import { Outlet } from '../../../node/web/outlet.ts'
import { FakeClock } from '../../support/fake-clock.ts'

/** The end of a connection whose other end reads when a test says so. */
class SlowSocket extends Duplex {
  readonly written: Buffer[] = []
  #next: (() => void) | undefined

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.written.push(chunk)
    this.#next = done
  }

  /** Take what waits, up to what is written meanwhile. */
  letThrough(): void {
    const next = this.#next
    this.#next = undefined
    next?.()
  }
}

function openOutlet(maxBufferedBytes = 100_000) {
  const socket = new SlowSocket()
  const clock = new FakeClock()
  let tooSlow = 0
  const outlet = new Outlet(socket, {
    limits: { maxBufferedBytes, maxStalledMs: 10_000 },
    clock,
    onTooSlow: () => {
      tooSlow += 1
    },
  })
  return { socket, clock, outlet, tooSlow: () => tooSlow }
}

test('a page that leaves more unread than it may is too slow, and so is one that reads nothing for too long', async t => {
  const big = openOutlet()
  big.outlet.writeShared(Buffer.alloc(60_000))
  t.is(big.tooSlow(), 0)
  big.outlet.writeShared(Buffer.alloc(60_000))
  t.is(big.tooSlow(), 1)
  const still = openOutlet()
  still.outlet.writeShared(Buffer.alloc(90_000))
  await still.clock.advance(9_999)
  t.is(still.tooSlow(), 0)
  await still.clock.advance(1)
  t.is(still.tooSlow(), 1)
})

test('a page that reads again in time is not too slow, and who waits for that hears of it', async t => {
  const { socket, clock, outlet, tooSlow } = openOutlet()
  await outlet.drained()
  outlet.writeShared(Buffer.alloc(90_000))
  t.is(outlet.bufferedBytes, 90_000)
  const drained = outlet.drained()
  socket.letThrough()
  await drained
  await clock.advance(60_000)
  t.is(tooSlow(), 0)
  const never = openOutlet()
  never.outlet.writeShared(Buffer.alloc(90_000))
  const ended = never.outlet.drained()
  never.outlet.destroy()
  await ended
  t.true(never.socket.destroyed)
})

test('the last words to a page leave in one write: why, whether it should come back, and the end', t => {
  for (const isFinal of [true, false]) {
    const { socket, outlet } = openOutlet()
    const parting = { bye: { reason: 'revoked', text: '' }, isFinal }
    outlet.writeShared(textFrame('last'))
    outlet.close(parting)
    outlet.close(parting)
    outlet.writeShared(textFrame('late'))
    for (let more = 0; more < 5; more += 1) socket.letThrough()
    const [before, ...said] = socket.written.map(bytes => bytes.toString('latin1'))
    t.is(before, '\u0081\u0004last')
    const bye = eventFrame('bye', parting.bye).toString('latin1')
    t.deepEqual(said, [`${bye}${isFinal ? '\u0081\u000241' : ''}\u0088\u0002\u0003\u00e8`])
  }
})

test('frames of every length are those of RFC 6455', t => {
  for (const length of [0, 1, 125, 126, 65_535, 65_536]) {
    const frame = textFrame('x'.repeat(length))
    const head = length < 126 ? 2 : length < 65_536 ? 4 : 10
    t.is(frame.length, head + length)
    t.is(frame[0], 0x81)
    const said =
      head === 2 ? frame[1] : head === 4 ? frame.readUInt16BE(2) : Number(frame.readBigUInt64BE(2))
    t.is(said, length)
  }
  t.is(textFrame('é').length, 4)
})

test('packets are those of Socket.IO 5', t => {
  const textOf = (frame: Buffer): string => frame.subarray(2).toString()
  t.is(textOf(eventFrame('bye', { reason: 'x' })), '42["bye",{"reason":"x"}]')
  t.is(textOf(sensorFrame('door', '["open",1,2]')), '42["event","door","open",1,2]')
  t.is(textOf(answerFrame(7, { value: 'ok' })), '437[{"value":"ok"}]')
})
