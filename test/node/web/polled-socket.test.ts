import { EventEmitter, once } from 'node:events'
import test from 'ava'
import { eventFrame, textFrame } from '../../../node/events/page-frames.ts'
import { PolledSocket } from '../../../node/web/polled-socket.ts'

/** A connection of the library that sends when the test says so. */
class TestConnection extends EventEmitter {
  readonly sent: string[] = []
  readonly waiting: (() => void)[] = []
  readonly closings: boolean[] = []

  write(text: string, _options: undefined, onSent: (transport: object) => void): void {
    this.sent.push(text)
    this.waiting.push(() => onSent({}))
  }

  close(discard = false): void {
    this.closings.push(discard)
  }

  flush(): void {
    for (const onSent of this.waiting.splice(0)) onSent()
  }
}

test('whole frames of any length leave as the messages that they hold', t => {
  const connection = new TestConnection()
  const socket = new PolledSocket(connection)
  const texts = ['', 'ä'.repeat(40), 'x'.repeat(126), 'y'.repeat(70_000)]
  socket.write(Buffer.concat(texts.map(text => textFrame(`4${text}`))))
  t.deepEqual(connection.sent, texts)
})

test('what has not left waits, and is counted, until the page has asked for it', async t => {
  const connection = new TestConnection()
  const socket = new PolledSocket(connection)
  const frame = eventFrame('hello', 'x'.repeat(100_000))
  t.false(socket.write(frame))
  t.is(socket.writableLength, frame.length)
  const drained = once(socket, 'drain')
  connection.flush()
  await drained
  t.is(socket.writableLength, 0)
  t.false(socket.destroyed)
})

test('either end of it ends the other', async t => {
  const [ended, lost, cut] = [new TestConnection(), new TestConnection(), new TestConnection()]
  const socket = new PolledSocket(ended)
  socket.end()
  await once(socket, 'finish')
  t.is(ended.closings[0], false)
  const gone = new PolledSocket(lost)
  lost.emit('close')
  await once(gone, 'close')
  t.true(gone.destroyed)
  const destroyed = new PolledSocket(cut)
  destroyed.destroy()
  await once(destroyed, 'close')
  t.deepEqual(cut.closings, [true])
})
