import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Trust } from '../../../node/identity/trust.ts'
import { clusterFace } from '../../../node/port/cluster-face.ts'
import { Listener } from '../../../node/port/listener.ts'
import { Counts } from '../../../node/sessions/counts.ts'
import { makeTestCerts } from '../../support/certs.ts'
import { makeSharedCerts, startCluster, testConfig } from '../../support/cluster.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { recordLog, type LogLine } from '../../support/gossip-cluster.ts'
import { connectRaw } from '../../support/raw-peer.ts'

const shared = await makeSharedCerts()
const { certs } = shared
/** Everything of `c1` that a raw connection presents. */
const c1 = await certs.load('client', 'c1')
test.after.always(() => shared.remove())

interface Port extends AsyncDisposable {
  readonly listener: Listener
  readonly clock: FakeClock
  readonly counts: Counts
  readonly log: LogLine[]
  /** Connect, and say nothing. */
  dial(): Promise<Socket>
}

/** A port alone, to which nobody comes but over TCP. */
async function openPort(t: ExecutionContext, maxConnections = 100): Promise<Port> {
  const clock = new FakeClock()
  const counts = new Counts()
  const log: LogLine[] = []
  const config = testConfig('node-1', {
    certs: certs.dir,
    data: certs.dir,
    config: { tls: { handshakeTimeoutMs: 5_000 }, limits: { maxConnections, drainMs: 3_000 } },
  })
  const trust = new Trust(await certs.load('node', 'node-1'), clock)
  const listener = new Listener({
    config,
    face: clusterFace(trust),
    counts,
    clock,
    log: recordLog(log),
  })
  await listener.open(async () => {})
  return {
    listener,
    clock,
    counts,
    log,
    dial: async () => {
      const held = listener.connections
      const { host, port } = listener.address
      const socket = connectTcp(port, host)
        .on('error', () => {})
        .resume()
      t.teardown(() => socket.destroy())
      await once(socket, 'connect')
      // The other end hears of it in a turn of its own.
      while (listener.connections === held && counts.handshakes.dropped === 0) await nextTurn()
      return socket
    },
    [Symbol.asyncDispose]: async () => listener.close(async () => {}),
  }
}

test('who says nothing is dropped when the time for its handshake is up, and not before', async t => {
  await using port = await openPort(t)
  const closed = once(await port.dial(), 'close')
  await port.clock.advance(4_999)
  t.is(port.listener.handshaking, 1)
  await port.clock.advance(1)
  await closed
  t.is(port.listener.handshaking, 0)
  t.is(port.counts.handshakes.failed, 1)
  t.deepEqual(
    port.log.map(({ text, fields }) => [text, fields['reason']]),
    [['handshake failed', 'it said nothing']],
  )
})

test('in a full port who has been longest without a handshake gives way', async t => {
  await using port = await openPort(t, 2)
  const closed = once(await port.dial(), 'close')
  await port.dial()
  await port.dial()
  await closed
  t.is(port.listener.connections, 2)
  t.is(port.counts.handshakes.dropped, 1)
})

test('a port that closes hangs up on whoever has not shown a certificate yet', async t => {
  const port = await openPort(t)
  const closed = once(await port.dial(), 'close')
  await port[Symbol.asyncDispose]()
  await closed
  t.is(port.listener.connections, 0)
  t.is(port.clock.pending, 0)
})

test('a certificate of another authority, and none, do not pass the handshake', async t => {
  const foreign = await makeTestCerts(t, { clients: ['c1'] })
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const { key, certificate } = await foreign.load('client', 'c1')
  const peer = await connectRaw(t, cluster.node(1).address, { key, certificate, ca: certs.ca })
  await peer.closed
  t.deepEqual(peer.lines.all, [])
  const { fields } = await cluster.log.find(({ text }) => text === 'handshake failed')
  t.like(fields, { address: '127.0.0.1', reason: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
  const nobody = await connectRaw(t, cluster.node(1).address, {
    key: '',
    certificate: '',
    ca: certs.ca,
  })
  await nobody.closed
  t.deepEqual(nobody.lines.all, [])
})

test('a handshake that its other end breaks off is told with its address, a reset apart from an end', async t => {
  await using cluster = await startCluster(t, { certs })
  const { host, port } = cluster.node(1).address
  const failed = async (reason: string): Promise<LogLine> =>
    cluster.log.find(
      ({ text, fields }) => text === 'handshake failed' && fields['reason'] === reason,
    )
  const dial = async (): Promise<Socket> => {
    const socket = connectTcp(port, host).on('error', () => {})
    // The head of a record that says that 512 bytes follow, which never come.
    await new Promise(resolve => socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00]), resolve))
    return socket
  }
  const broken = await dial()
  const ended = await dial()
  ended.end()
  t.is((await failed('closed')).fields['address'], '127.0.0.1')
  // What the first one sent has been read by now: a reset would have thrown it away.
  broken.resetAndDestroy()
  t.is((await failed('reset')).fields['address'], '127.0.0.1')
})

test('TLS 1.2 is not spoken unless the configuration allows it', async t => {
  await using cluster = await startCluster(t, { certs })
  const peer = await connectRaw(t, cluster.node(1).address, c1, { maxVersion: 'TLSv1.2' })
  await peer.closed
  t.regex(peer.failure() ?? '', /PROTOCOL_VERSION/)
})

test('a connection that does not finish its handshake in time is dropped', async t => {
  const config = { tls: { handshakeTimeoutMs: 500 } }
  await using cluster = await startCluster(t, { certs, config })
  const { host, port } = cluster.node(1).address
  const silent = connectTcp(port, host)
  const halfway = connectTcp(port, host)
  t.teardown(() => {
    silent.destroy()
    halfway.destroy()
  })
  // The head of a record that says that 512 bytes follow, which never come.
  halfway.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00]))
  for (const socket of [silent, halfway]) socket.on('error', () => {}).resume()
  await Promise.all([once(silent, 'close'), once(halfway, 'close')])
  const told = cluster.log.lines.filter(({ text }) => text === 'handshake failed')
  t.is(told.length, 2)
})
