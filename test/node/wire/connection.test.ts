import { once } from 'node:events'
import test from 'ava'
import { Duplex } from 'node:stream'
import { Connection, type ConnectionOptions, type Ending } from '../../../node/wire/connection.ts'
import { InputLimit } from '../../../node/wire/input-limit.ts'
import { CLIENT_LIMITS, type WireLimits } from '../../../node/wire/limits.ts'
import { FakeClock } from '../../support/fake-clock.ts'

/** A socket whose reader may stop: what is written then waits. */
class Pipe extends Duplex {
  written = ''
  #held: (() => void) | undefined
  isRead = true

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.written += chunk.toString()
    if (this.isRead) done()
    else this.#held = done
  }

  readOn(): void {
    this.isRead = true
    this.#held?.()
  }
}

function connect(
  limits: Partial<WireLimits> = {},
  options: Partial<ConnectionOptions> = {},
): {
  pipe: Pipe
  connection: Connection
  clock: FakeClock
  ended: Promise<Ending>
} {
  const pipe = new Pipe({ highWaterMark: 1_024 })
  const ended = Promise.withResolvers<Ending>()
  const clock = new FakeClock()
  const connection = new Connection(pipe, {
    limits: { ...CLIENT_LIMITS, ...limits },
    clock,
    onStream: () => true,
    onEnd: ended.resolve,
    ...options,
  })
  return { pipe, connection, clock, ended: ended.promise }
}

test('what one turn writes leaves in one write', async t => {
  const { pipe, connection } = connect()
  const stream = connection.open('door')
  stream.write('one\n')
  stream.write('two\n')
  t.is(pipe.written, '')
  await connection.drained()
  t.is(pipe.written.split('\n').length - 1, 3)
  connection.close()
})

test('a peer that leaves what waits for it unread for too long is cut as too slow', async t => {
  const { pipe, connection, clock, ended } = connect({ maxStalledMs: 20 })
  pipe.isRead = false
  connection.open('door').write('x'.repeat(4_096))
  await clock.advance(19)
  t.false(connection.ended)
  await clock.advance(1)
  t.deepEqual(await ended, { cause: 'too slow' })
  t.true(connection.ended)
})

test('a peer that reads on in time is not cut', async t => {
  const { pipe, connection, clock } = connect({ maxStalledMs: 20 })
  pipe.isRead = false
  const stream = connection.open('door')
  stream.write('x'.repeat(4_096))
  const drained = connection.drained()
  await clock.advance(19)
  pipe.readOn()
  await drained
  await clock.advance(20)
  t.false(connection.ended)
  t.is(clock.pending, 0)
  connection.close()
})

test('more bytes than may wait end the connection at once', async t => {
  const { pipe, connection, ended } = connect({ maxBufferedBytes: 8_192 })
  pipe.isRead = false
  connection.open('door').write('x'.repeat(10_000))
  t.deepEqual(await ended, { cause: 'too slow' })
})

test('the last words leave before the connection closes, and nothing behind them', async t => {
  const { pipe, connection, ended } = connect()
  const stream = connection.open('door')
  stream.write('bye\n')
  connection.close()
  stream.write('late\n')
  t.deepEqual(await ended, { cause: 'closed' })
  t.true(pipe.written.includes('bye'))
  t.false(pipe.written.includes('late'))
})

test('a peer that ends its half ends the connection', async t => {
  const { pipe, ended } = connect()
  pipe.push(null)
  t.deepEqual(await ended, { cause: 'lost', isOrderly: true })
})

test('a peer that sends too fast is read more slowly, and loses nothing', async t => {
  const all = Array.from({ length: 1_000 }, (_, index) => String(index))
  const heard: string[] = []
  let throttles = 0
  const { pipe, connection, clock } = connect(
    { maxFramesPerSecond: 200 },
    {
      onThrottled: () => {
        throttles += 1
        // What it sends meanwhile waits behind what waits already.
        if (throttles === 1) pipe.push('["a1","data","last"]\n')
      },
      onStream: stream => {
        stream.onText(text => heard.push(text))
        return true
      },
    },
  )
  pipe.push('["a1","new",{"meta":"rpc","opts":{"writable":true,"readable":true}}]\n')
  pipe.push(all.map(text => `["a1","data","${text}"]\n`).join(''))
  await clock.advance(0)
  t.is(throttles, 1)
  t.true(heard.length < all.length)
  await clock.advance(2_000)
  t.deepEqual(heard, [...all, 'last'])
  connection.close()
})

test('a peer that sends too fast can still be told the last words', async t => {
  const throttled = Promise.withResolvers<void>()
  const { pipe, connection, ended } = connect(
    { maxFramesPerSecond: 1 },
    { onThrottled: throttled.resolve },
  )
  pipe.push('\n'.repeat(100_000))
  await throttled.promise
  connection.close()
  t.deepEqual(await ended, { cause: 'closed' })
  // It is read to its end, so that the close is no reset.
  pipe.push(null)
  await once(pipe, 'close')
  t.is(pipe.readableLength, 0)
})

test('a peer that does not close its end is cut a second after the last words', async t => {
  const { pipe, connection, clock } = connect()
  connection.close()
  await clock.advance(999)
  t.false(pipe.destroyed)
  await clock.advance(1)
  t.true(pipe.destroyed)
})

test('a peer that goes on sending after the last words is not read on, and cut at once', async t => {
  const { pipe, connection } = connect()
  connection.close()
  for (let sent = 0; sent <= 65_536; sent += 4_096) pipe.push(Buffer.alloc(4_096, '\n'))
  await once(pipe, 'close')
  t.true(pipe.destroyed)
})

test('several connections of one peer share one pace', async t => {
  const input = new InputLimit(100, 0)
  const [first, second] = [
    connect({ maxFramesPerSecond: 100 }, { input }),
    connect({ maxFramesPerSecond: 100 }, { input }),
  ]
  first.pipe.push('\n'.repeat(390))
  await first.clock.advance(0)
  t.false(first.pipe.isPaused())
  second.pipe.push('\n'.repeat(20))
  await second.clock.advance(0)
  t.true(second.pipe.isPaused())
  first.connection.close()
  second.connection.close()
})

test('an ended connection leaves no timer', async t => {
  const { pipe, connection, clock } = connect({ maxFramesPerSecond: 1 })
  pipe.isRead = false
  connection.open('door').write('x'.repeat(4_096))
  pipe.push('\n'.repeat(100_000))
  await clock.advance(1)
  t.is(clock.pending, 2)
  connection.close()
  pipe.destroy()
  await clock.advance(0)
  t.is(clock.pending, 0)
})
