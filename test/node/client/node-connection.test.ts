import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { parseAddress, type Address } from '../../../node/lib/address.ts'
import { openNodeConnection } from '../../../node/client/node-connection.ts'
import { systemClock } from '../../../node/lib/clock.ts'
import type { Credentials } from '../../../node/identity/credentials.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import { parseName, type Role } from '../../../node/identity/names.ts'
import type { SensorEvent } from '../../../node/sensors/kinds.ts'
import { makeTestCerts } from '../../support/certs.ts'
import { makeSharedCerts, startCluster } from '../../support/cluster.ts'
import { startInventedNode } from '../../support/invented-node.ts'
import { SkipClock } from '../../support/skip-clock.ts'

const shared = await makeSharedCerts()
const { certs } = shared
const c1 = await certs.load('client', 'c1')
test.after.always(() => shared.remove())

async function listen(t: ExecutionContext, server: Server): Promise<Address> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

/** A TLS server with somebody's certificate that says nothing. */
async function listenAs(
  t: ExecutionContext,
  { key, certificate, ca }: Pick<Credentials, 'key' | 'certificate' | 'ca'>,
  options: TlsOptions = {},
): Promise<{ address: Address; accepted: Promise<TLSSocket> }> {
  const server = createTlsServer({ key, cert: certificate, ca, requestCert: true, ...options })
  const accepted = once(server, 'secureConnection').then(([socket]) => {
    const peer = socket as TLSSocket
    peer.on('error', () => {})
    peer.resume()
    t.teardown(() => peer.destroy())
    return peer
  })
  return { address: await listen(t, server), accepted }
}

/** What connecting as `c1` fails with. */
async function failure(
  t: ExecutionContext,
  address: Address,
  credentials: Credentials = c1,
): Promise<FridgeError> {
  return t.throwsAsync(openNodeConnection({ address, credentials, clock: systemClock }), {
    instanceOf: FridgeError,
  })
}

test('a client hears which sensors there are, their last events at once and later ones live', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const heard: string[] = []
  const opened = Promise.withResolvers<void>()
  const both = Promise.withResolvers<void>()
  await using connection = await cluster.client(1, 'c1', {
    onEvent: ({ name }, event: SensorEvent) => {
      heard.push(`${name} ${event.type}`)
      if (event.type === 'open') opened.resolve()
      if (new Set(heard).size === 2) both.resolve()
    },
  })
  t.deepEqual(connection.sensors, [
    { name: 'door', kind: 'door' },
    { name: 'temperature', kind: 'temperature' },
  ])
  await both.promise
  t.deepEqual([...new Set(heard)].sort(), ['door close', 'temperature reading'])
  cluster.node(1).fridge?.openDoor()
  await opened.promise
  t.is(await connection.call('setTargetTemperature', [5]), 'target temperature set to 5 °C')
  t.is(cluster.node(1).fridge?.state().target, 5)
})

test('nothing listens there', async t => {
  const server = createTcpServer()
  const address = await listen(t, server)
  server.close()
  await once(server, 'close')
  const { code, message, fix } = await failure(t, address)
  t.is(code, 'ERR_UNREACHABLE')
  t.is(message, `nothing listens on 127.0.0.1:${address.port}`)
  t.is(fix, 'start a node there: fridge node start --name NAME')
})

test('a node of another authority is not talked to', async t => {
  const foreign = await makeTestCerts(t, { nodes: ['node-1'] })
  const { address } = await listenAs(t, await foreign.load('node', 'node-1'))
  const { code, message, fix } = await failure(t, address)
  t.is(code, 'ERR_TLS')
  t.regex(message, /is not of the authority in .*certificate\.pem/)
  t.regex(fix ?? '', /--certs DIR/)
})

test('a node whose certificate is for another host is not talked to', async t => {
  await certs.issue('node', 'elsewhere', { hosts: ['elsewhere.example'] })
  const { address } = await listenAs(t, await certs.load('node', 'elsewhere'))
  const { code, message, fix } = await failure(t, address)
  t.is(code, 'ERR_TLS')
  t.regex(message, /is not for the host 127\.0\.0\.1/)
  t.regex(fix ?? '', /certs issue node NAME --host 127\.0\.0\.1 --force/)
})

test('a node whose certificate has expired is not talked to', async t => {
  const old = await makeTestCerts(t, { clients: ['c1'], now: Date.now() - 10 * 86_400_000 })
  await old.issue('node', 'node-1', { days: 1, now: Date.now() - 5 * 86_400_000 })
  const files = `${old.dir}/nodes/node-1`
  const key = await readFile(`${files}/private-key.pem`, 'utf8')
  const certificate = await readFile(`${files}/certificate.pem`, 'utf8')
  const { address } = await listenAs(t, { key, certificate, ca: old.ca })
  const { code, message, fix } = await failure(t, address, await old.load('client', 'c1'))
  t.is(code, 'ERR_TLS')
  t.regex(message, /the certificate of 127\.0\.0\.1:\d+ has expired/)
  t.regex(fix ?? '', /certs renew node NAME/)
})

test('a client whose authority the node does not know is told that it is not accepted', async t => {
  const foreign = await makeTestCerts(t, { clients: ['c1'] })
  // It trusts both authorities; the node only its own.
  await writeFile(`${foreign.dir}/ca/certificate.pem`, foreign.ca + certs.ca)
  await using cluster = await startCluster(t, { certs })
  const error = await failure(t, cluster.node(1).address, await foreign.load('client', 'c1'))
  t.is(error.code, 'ERR_REFUSED')
  t.regex(error.message, /does not accept .*clients\/c1\/certificate\.pem/)
  t.regex(error.fix ?? '', /log of that node/)
  const { fields } = await cluster.log.find(({ text }) => text === 'handshake failed')
  t.not(fields['reason'], 'socket hang up')
})

for (const [role, name] of [
  ['client', 'c2'],
  ['operator', 'admin'],
] as const satisfies [Role, string][]) {
  test(`a server with the certificate of ${role}/${name} is left at once`, async t => {
    const { address, accepted } = await listenAs(t, await certs.load(role, name), {
      ALPNProtocols: ['fridge/1'],
    })
    void accepted.catch(() => {})
    const { code, message } = await failure(t, address)
    t.is(code, 'ERR_TLS')
    t.regex(message, /is not that of a node/)
  })
}

test('a node that does not speak fridge/1 is left at once', async t => {
  const { address, accepted } = await listenAs(t, await certs.load('node', 'node-1'))
  const { code, message } = await failure(t, address)
  t.is(code, 'ERR_TLS')
  t.regex(message, /does not speak fridge\/1/)
  const peer = await accepted
  if (!peer.closed) await once(peer, 'close')
  t.true(peer.closed)
})

test('a server that is no TLS server says so', async t => {
  const address = await listen(
    t,
    createTcpServer(socket => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n')),
  )
  const { code, fix } = await failure(t, address)
  t.is(code, 'ERR_TLS')
  t.regex(fix ?? '', /a fridge node listens on that port/)
})

test('a node that never says hello is given up after the deadline', async t => {
  const { address, accepted } = await listenAs(t, await certs.load('node', 'node-1'), {
    ALPNProtocols: ['fridge/1'],
  })
  const clock = new SkipClock()
  const connecting = openNodeConnection({ address, credentials: c1, clock, timeoutMs: 60_000 })
  const peer = await accepted
  clock.skip(60_000)
  const error = await t.throwsAsync(connecting, { instanceOf: FridgeError })
  t.is(error.code, 'ERR_TIMEOUT')
  if (!peer.closed) await once(peer, 'close')
})

test('a connection that the caller gives up is closed', async t => {
  const { address, accepted } = await listenAs(t, await certs.load('node', 'node-1'), {
    ALPNProtocols: ['fridge/1'],
  })
  const abort = new AbortController()
  const connecting = openNodeConnection({
    address,
    credentials: c1,
    clock: systemClock,
    signal: abort.signal,
  })
  const peer = await accepted
  abort.abort()
  await t.throwsAsync(connecting)
  if (!peer.closed) await once(peer, 'close')
  t.true(peer.closed)
})

test('an operator that a node does not know for one has no method to change the list', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  await using connection = await cluster.client(1, 'c1')
  t.is(connection.node, parseName('node-1'))
  t.deepEqual([...connection.methods].sort(), [
    'defrost',
    'history',
    'powerOff',
    'powerOn',
    'setTargetTemperature',
  ])
})

test('attack: a node that ends the calls alone keeps no caller waiting', async t => {
  const methods = { defrost: async () => 'never' }
  const node = await startInventedNode(t, certs, { methods, endsCalls: true })
  const address = parseAddress(node)
  await using connection = await openNodeConnection({
    address,
    credentials: c1,
    clock: systemClock,
  })
  const asked = connection.call('defrost', [])
  const error = await t.throwsAsync(asked, { instanceOf: FridgeError })
  t.is(error.code, 'ERR_PROTOCOL')
  t.is(error.message, `${node} ended the calls of a connection that it kept`)
  t.is(await connection.ended, error)
  await t.throwsAsync(connection.call('defrost', []), { is: error })
})
