import { once } from 'node:events'
import { spawn } from 'node:child_process'
import type { LookupAddress } from 'node:dns'
import { connect as connectTcp, createServer } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { FridgeError } from '../../../node/lib/errors.ts'
import { dialNode, resolvePeer } from '../../../node/port/transport.ts'
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

test('a name stands for all its addresses, and an address for itself', async t => {
  for (const address of ['10.0.0.7:7443', '[::1]:7443']) {
    t.deepEqual(await resolvePeer(address), [address])
  }
  const all = await resolvePeer('localhost:7443')
  t.true(all.includes('127.0.0.1:7443') || all.includes('[::1]:7443'), all.join(' '))
  t.is(new Set(all).size, all.length)
  await t.throwsAsync(resolvePeer('nobody.invalid:7443'))
})

test('an address that is far away has time to answer before the next one of its name is tried', async t => {
  // A process that stands still has room for two connections; what comes then is answered late.
  const program = `
    const server = require('node:net').createServer(socket => socket.on('error', () => {}).end())
    server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => console.log(server.address().port))`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(line.toString())
  child.kill('SIGSTOP')
  for (let place = 0; place < 2; place += 1) {
    const filler = connectTcp({ port, host: '127.0.0.1' }).on('error', () => {})
    t.teardown(() => filler.destroy())
    await once(filler, 'connect')
  }
  const found: LookupAddress[] = [
    { address: '127.0.0.1', family: 4 },
    // Nobody listens there.
    { address: '127.0.0.2', family: 4 },
  ]
  const dialed = dialNode(`far.example:${port}`, {
    credentials,
    clock: new FakeClock(),
    signal: new AbortController().signal,
    tls: {
      lookup: (_host, _options, done) => {
        done(null, found)
        // The first packet is lost by then; the system sends another after a second.
        setImmediate(() => child.kill('SIGCONT'))
      },
    },
  })
  // It was reached, and closed the connection before TLS.
  await t.throwsAsync(dialed, { code: 'ECONNRESET' })
})
