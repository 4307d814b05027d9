import test from 'ava'
import { Duplex } from 'node:stream'
import { Connection, type Ending } from '../../../node/wire/connection.ts'
import { CLIENT_LIMITS, type WireLimits } from '../../../node/wire/limits.ts'

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

function connect(limits: Partial<WireLimits> = {}): {
  pipe: Pipe
  connection: Connection
  ended: Promise<Ending>
} {
  const pipe = new Pipe({ highWaterMark: 1_024 })
  const ended = Promise.withResolvers<Ending>()
  const connection = new Connection(pipe, {
    limits: { ...CLIENT_LIMITS, ...limits },
    onStream: () => true,
    onEnd: ended.resolve,
  })
  return { pipe, connection, ended: ended.promise }
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
  const { pipe, connection, ended } = connect({ maxStalledMs: 20 })
  pipe.isRead = false
  connection.open('door').write('x'.repeat(4_096))
  t.deepEqual(await ended, { cause: 'too slow' })
  t.true(connection.ended)
})

test('a peer that reads on in time is not cut', async t => {
  const { pipe, connection } = connect({ maxStalledMs: 20 })
  pipe.isRead = false
  const stream = connection.open('door')
  stream.write('x'.repeat(4_096))
  const drained = connection.drained()
  pipe.readOn()
  await drained
  // By the time that another one is cut, whose wait began later, this one's would have ended.
  const other = connect({ maxStalledMs: 20 })
  other.pipe.isRead = false
  other.connection.open('door').write('x'.repeat(4_096))
  await other.ended
  t.false(connection.ended)
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
  t.is((await ended).cause, 'lost')
})
