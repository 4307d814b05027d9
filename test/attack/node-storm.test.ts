import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { makeSharedCerts, startCluster } from '../support/cluster.ts'
import { connectRaw } from '../support/raw-peer.ts'
import { METRICS_ON, scrape } from '../support/scrape.ts'
import { standingClock } from '../support/standing-clock.ts'

/** Connections without end, of those who have no key and of those who have one. */

const shared = await makeSharedCerts()
const { certs } = shared
const [attacker, bystander] = await Promise.all([
  certs.load('client', 'c1'),
  certs.load('client', 'c2'),
])
test.after.always(() => shared.remove())

/** A connection that says nothing. */
async function connectMute(t: ExecutionContext, port: number): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port })
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

test('connections that say nothing take no handshake from those at the same address', async t => {
  const config = { ...METRICS_ON, tls: { handshakeBurst: 3, handshakesPerSecond: 1 } }
  await using cluster = await startCluster(t, { certs, config })
  await cluster.grant(1, 'c2')
  const node = cluster.node(1)
  await Promise.all(Array.from({ length: 50 }, async () => connectMute(t, node.address.port)))
  const client = await connectRaw(t, node.address, bystander)
  await client.stream('door')
  const samples = await scrape(node)
  t.is(samples.of('fridge_handshakes_total limited'), 0)
  t.is(samples.of('fridge_handshakes_in_progress'), 50)
})

test('past the rate of all addresses together a connection is dropped, counted and told of in the log', async t => {
  const config = {
    ...METRICS_ON,
    tls: { handshakesPerSecondTotal: 1, handshakeBurstTotal: 2, handshakeBurst: 100 },
  }
  await using cluster = await startCluster(t, { certs, config, clock: standingClock() })
  // The operator's handshake takes one of the new, and makes the address a known one.
  await cluster.grant(1, 'c2')
  const node = cluster.node(1)
  for (let index = 0; index < 10; index += 1) {
    const peer = await connectRaw(t, node.address, bystander)
    await Promise.race([peer.closed, peer.stream('door')])
  }
  await cluster.log.find(({ text }) => text === 'too many handshakes from all addresses together')
  t.true((await scrape(node)).of('fridge_handshakes_total limited in all') >= 1)
})

test('where the port is full, whoever has said nothing for longest gives way', async t => {
  const config = { ...METRICS_ON, limits: { maxConnections: 10 } }
  await using cluster = await startCluster(t, { certs, config })
  await cluster.grant(1, 'c2')
  const node = cluster.node(1)
  const there = await connectRaw(t, node.address, bystander)
  await there.stream('door')
  const mutes: Socket[] = []
  for (let index = 0; index < 30; index += 1) mutes.push(await connectMute(t, node.address.port))
  const late = await connectRaw(t, node.address, bystander)
  await late.stream('door')
  t.false(there.socket.destroyed)
  const samples = await scrape(node)
  t.is(samples.of('fridge_tcp_connections'), 10)
  // 30 mutes and a client wanted nine places.
  t.is(samples.of('fridge_handshakes_total dropped'), 22)
})

test('a flood of refused connections is a few lines in the log, and all of it in the metrics', async t => {
  await using cluster = await startCluster(t, { certs, config: METRICS_ON })
  const node = cluster.node(1)
  for (let index = 0; index < 40; index += 1) {
    const garbage = connectTcp({ host: '127.0.0.1', port: node.address.port })
    garbage.on('error', () => {}).end('GET / HTTP/1.1\r\n\r\n')
    await once(garbage.resume(), 'close')
  }
  for (let index = 0; index < 15; index += 1) {
    const refused = await connectRaw(t, node.address, attacker)
    await refused.closed
  }
  const samples = await scrape(node)
  t.is(samples.of('fridge_handshakes_total failed'), 40)
  t.is(samples.of('fridge_connections_refused_total not on the whitelist'), 15)
  await cluster.stop(1)
  for (const [text, repeated] of [
    ['handshake failed', 30],
    ['refused', 5],
  ] as const) {
    const lines = cluster.log.lines.filter(line => line.text === text)
    t.is(lines.length, 11)
    t.is(lines.at(-1)?.fields['repeated'], repeated)
  }
})
