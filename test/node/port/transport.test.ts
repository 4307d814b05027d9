import { once } from 'node:events'
import { createServer } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { FridgeError } from '../../../node/lib/errors.ts'
import { dialNode } from '../../../node/port/transport.ts'
import { makeSharedCerts } from '../../support/cluster.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const shared = await makeSharedCerts()
const credentials = await shared.certs.load('node', 'node-1')
test.after.always(() => shared.remove())

/** A port that takes a connection and never says anything. */
async function listenMute(t: ExecutionContext): Promise<string> {
  const server = createServer(socket => socket.on('error', () => {}).resume())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it has no port')
  return `127.0.0.1:${address.port}`
}

test('a node that does not answer is given up after ten seconds', async t => {
  const clock = new FakeClock()
  const { signal } = new AbortController()
  const address = await listenMute(t)
  const dialed = dialNode(address, { credentials, clock, signal })
  await clock.advance(9_999)
  t.is(clock.pending, 1)
  await Promise.all([
    t.throwsAsync(dialed, { instanceOf: FridgeError, message: `no answer from ${address}` }),
    clock.advance(1),
  ])
  t.is(clock.pending, 0)
})

test('a dial ends at once when it is not wanted any more, before it began or after', async t => {
  const clock = new FakeClock()
  const stop = new AbortController()
  const address = await listenMute(t)
  const dial = async () => dialNode(address, { credentials, clock, signal: stop.signal })
  const under = dial()
  stop.abort()
  for (const dialed of [under, dial()]) {
    await t.throwsAsync(dialed, { instanceOf: FridgeError, message: /^no answer from/ })
  }
  t.is(clock.pending, 0)
})
