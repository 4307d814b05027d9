import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer as createWebServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { duplexPair } from 'node:stream'
import {
  connect,
  createSecureContext,
  createServer,
  getCACertificates,
  setDefaultCACertificates,
  TLSSocket,
} from 'node:tls'
import test from 'ava'
import type { AlarmChange } from '../../node/alarms/alarm.ts'
import { startWebhook } from '../../node/alarms/webhook.ts'
import { fieldsOf } from '../../node/identity/certificate-fields.ts'
import type { Credentials } from '../../node/identity/credentials.ts'
import { tlsOptions, chainOfPeer, connectTls, peerOf } from '../../node/identity/tls.ts'
import { systemClock } from '../../node/lib/clock.ts'
import { silentLog } from '../../node/lib/log.ts'
import { connectBroker } from '../../node/sensors/drivers/mqtt-connection.ts'
import {
  basicConstraints,
  CN,
  extension,
  KEY_CERT_SIGN,
  keyUsage,
  makeAuthority,
  makeCertificate,
  name,
  pemOf,
  sequence,
} from '../support/chains.ts'
import { makeSharedCerts, startCluster } from '../support/cluster.ts'

/**
 * What is sent along with a genuine certificate, and is signed by nobody who is trusted. A name in it
 * is a string of no known kind: the object that Node.js makes of such a certificate ends the process.
 */

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

const SUBJECT_KEY = '2.5.29.14'
const UNKNOWN_STRING = 0x1d

const RAISED: AlarmChange = {
  state: 'raised',
  alarm: {
    id: '0123456789ab',
    node: 'node-1',
    sensor: 'door',
    kind: 'door',
    rule: 'open',
    forMs: 60_000,
    since: 1_767_268_800_000,
    raisedAt: 1_767_268_860_000,
  },
}

/** A certificate that passes for that of the authority, behind one's own. */
function withStowaway({ certificate }: Pick<Credentials, 'certificate'>): string {
  const { subject, extensions } = fieldsOf(new X509Certificate(certs.ca))
  const odd = makeAuthority(name([CN, 'x', UNKNOWN_STRING]))
  const stowaway = makeCertificate({
    subject: sequence(subject),
    issuer: odd,
    keys: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    extensions: [
      basicConstraints(true),
      keyUsage(KEY_CERT_SIGN),
      extension(SUBJECT_KEY, extensions.get(SUBJECT_KEY)?.value ?? Buffer.alloc(0)),
    ],
  })
  return certificate + pemOf(stowaway)
}

test('attack: whatever a client sends along with its certificate, the node goes on', async t => {
  await using cluster = await startCluster(t, { certs })
  const { host, port } = cluster.node(1).address
  const c1 = await certs.load('client', 'c1')
  const socket = connect({ ...tlsOptions(c1), cert: withStowaway(c1), host, port })
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  socket.resume()
  await once(socket, 'secureConnect')
  await closed
  await cluster.grant(1, 'c1')
  t.pass()
})

test('attack: whatever a node sends along with its certificate, whoever dials it goes on', async t => {
  const [node, c1] = [await certs.load('node', 'node-1'), await certs.load('client', 'c1')]
  const server = createServer({ key: node.key, cert: withStowaway(node), ca: certs.ca })
  server.on('secureConnection', socket => socket.on('error', () => {}))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const socket = connectTls({ ...tlsOptions(c1), ALPNProtocols: [], host: '127.0.0.1', port })
  await once(socket, 'secureConnect')
  t.is<string, string>(peerOf(socket).subject, 'node/node-1')
  t.deepEqual(chainOfPeer(socket, [new X509Certificate(certs.ca)]).length, 1)
  t.is(chainOfPeer(socket, []).length, 2)
  socket.destroy()
})

test('attack: whatever a broker sends along with its certificate, the node goes on', async t => {
  const node = await certs.load('node', 'node-1')
  const server = createServer({ key: node.key, cert: withStowaway(node) }, socket => socket.end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const { caFile } = node.files
  const options = { clock: systemClock, broker: `mqtts://127.0.0.1:${port}`, caFile }
  const connected = connectBroker(options, () => {}, new AbortController().signal)
  await t.throwsAsync(connected, { message: 'the broker has closed' })
})

test('attack: whatever a webhook sends along with its certificate, the node goes on', async t => {
  const node = await certs.load('node', 'node-1')
  const server = createWebServer({ key: node.key, cert: withStowaway(node) })
  server.on('request', (_request, response) => void response.writeHead(204).end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const usual = getCACertificates('default')
  setDefaultCACertificates([...usual, certs.ca])
  t.teardown(() => setDefaultCACertificates(usual))
  const told = Promise.withResolvers<void>()
  await using webhook = startWebhook({
    url: `https://127.0.0.1:${port}/`,
    clock: systemClock,
    random: () => 0.5,
    log: { ...silentLog, warn: fields => told.reject(new Error(JSON.stringify(fields))) },
    unsent: [RAISED],
    settled: async () => undefined,
    onChange: () => told.resolve(),
    onHealth: () => {},
  })
  await told.promise
  t.deepEqual(webhook.unsent, [])
})

test('a node is still held to the host that was dialed', async t => {
  const [node, c1] = [await certs.load('node', 'node-1'), await certs.load('client', 'c1')]
  const [near, far] = duplexPair()
  const secureContext = createSecureContext({ key: node.key, cert: node.certificate })
  const served = new TLSSocket(far, { isServer: true, secureContext })
  served.on('error', () => {})
  const dialed = connectTls({ ...tlsOptions(c1), socket: near, host: 'elsewhere.example' })
  const [error] = (await once(dialed, 'error')) as [NodeJS.ErrnoException]
  t.is(error.code, 'ERR_TLS_CERT_ALTNAME_INVALID')
  t.regex(error.message, /elsewhere\.example. is not in the cert's altnames: URI:spiffe:.*, DNS:/)
})
