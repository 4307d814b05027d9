import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type TLSSocket } from 'node:tls'
import test from 'ava'
import { endAtRenegotiation } from '../../../node/port/renegotiation.ts'
import { makeSharedCerts, startCluster } from '../../support/cluster.ts'
import { connectRaw } from '../../support/raw-peer.ts'

const shared = await makeSharedCerts()
const { certs } = shared
const c1 = await certs.load('client', 'c1')
test.after.always(() => shared.remove())

/** Ask for a second handshake. @returns whether it has come about */
function renegotiate(socket: TLSSocket): () => boolean {
  let isDone = false
  socket.renegotiate({ rejectUnauthorized: false }, error => {
    isDone = error === null
  })
  return () => isDone
}

test('attack: a connection of TLS 1.2 ends when its client asks for a second handshake', async t => {
  const config = { tls: { minVersion: 'TLSv1.2' } }
  await using cluster = await startCluster(t, { certs, config })
  await cluster.grant(1, 'c1')
  const peer = await connectRaw(t, cluster.node(1).address, c1, { maxVersion: 'TLSv1.2' })
  await peer.stream('door')
  t.is(peer.socket.getProtocol(), 'TLSv1.2')
  const isDone = renegotiate(peer.socket)
  await peer.closed
  await cluster.log.find(({ text }) => text === 'disconnected')
  t.false(isDone())
})

test('attack: a client that does not mind the refusal is cut all the same', async t => {
  const { key, certificate: cert, ca } = await certs.load('node', 'node-1')
  // A client of OpenSSL gives up when it is refused, so here it is only cut.
  const server = createServer({ key, cert, ca, requestCert: true, maxVersion: 'TLSv1.2' })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>
  const client = connect({
    port,
    host: '127.0.0.1',
    key: c1.key,
    cert: c1.certificate,
    ca,
    checkServerIdentity: () => undefined,
  })
  client.on('error', () => {})
  t.teardown(() => {
    client.destroy()
    server.close()
  })
  const [socket] = await accepted
  endAtRenegotiation(socket)
  socket.resume()
  const failed = once(socket, 'error') as Promise<[NodeJS.ErrnoException]>
  const closed = new Promise(resolve => void socket.once('close', resolve))
  await once(client, 'secureConnect')
  renegotiate(client)
  const [{ code }] = await failed
  t.is(code, 'ERR_TLS_RENEGOTIATION_DISABLED')
  await closed
})
