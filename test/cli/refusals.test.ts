import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import test from 'ava'
import { makeTestCerts, makeTestFolder } from '../support/certs.ts'
import { spawnCli } from '../support/cli.ts'
import { makeSharedCerts, startCluster } from '../support/cluster.ts'
import { asClient, fails, nodeArgs } from './failure.ts'

/** Who is not reached, or is let in nowhere, is told what failed, why, and what mends it. */

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

test('a node of another authority', async t => {
  await using cluster = await startCluster(t, { certs })
  const foreign = await makeTestCerts(t, { clients: ['c1'], operators: ['admin'] })
  const expected = {
    status: 3,
    says: /shows a certificate that is not of the authority in/,
    mends: /--certs DIR/,
  } as const
  await fails(t, asClient(foreign.dir, cluster.address(1)), expected)
  await fails(t, ['status', '--certs', foreign.dir, '--node', cluster.address(1)], expected)
})

test('a certificate that the node does not take', async t => {
  await using cluster = await startCluster(t, { certs })
  const foreign = await makeTestCerts(t, { clients: ['c1'] })
  await writeFile(join(foreign.dir, 'ca', 'certificate.pem'), foreign.ca + certs.ca)
  await fails(t, asClient(foreign.dir, cluster.address(1)), {
    status: 4,
    says: /does not accept .*clients\/c1\/certificate\.pem/,
    mends: /log of that node/,
  })
})

test('a host that the certificate of the node does not name', async t => {
  const own = await makeTestCerts(t, { clients: ['c1'], operators: ['admin'] })
  await own.issue('node', 'node-1', { hosts: ['fridge.example'] })
  const { args } = await nodeArgs(t, own.dir)
  const node = spawnCli(t, args)
  const address = (await node.out.find(/ready/)).split(' ').at(-1) ?? ''
  await fails(t, asClient(own.dir, address), {
    status: 3,
    says: /the certificate of 127\.0\.0\.1:\d+ is not for the host 127\.0\.0\.1/,
    mends: /fridge certs issue node NAME --host 127\.0\.0\.1 --force/,
  })
})

test('nothing listens there, and no such host', async t => {
  await fails(t, asClient(certs.dir, '127.0.0.1:1'), {
    status: 3,
    says: /nothing listens on 127\.0\.0\.1:1/,
    mends: /fridge node start/,
  })
  await fails(t, asClient(certs.dir, 'no-such-host.invalid:7443'), {
    status: 3,
    says: /the host no-such-host\.invalid is not known/,
    mends: /--node HOST:PORT/,
  })
})

test('something listens there that is no node', async t => {
  const server = createServer(socket => socket.on('error', () => {}).end('220 mail ESMTP\r\n'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  await fails(t, asClient(certs.dir, `127.0.0.1:${(server.address() as AddressInfo).port}`), {
    status: 3,
    says: /no TLS connection to 127\.0\.0\.1:\d+/,
    mends: /check that a fridge node listens on that port/,
  })
})

test('a client that is not on the list, and one that was revoked', async t => {
  await using cluster = await startCluster(t, { certs })
  const mends = /fridge whitelist add/
  await fails(t, asClient(certs.dir, cluster.address(1)), {
    status: 4,
    says: /client\/c1 is not on the whitelist/,
    mends,
  })
  await cluster.grant(1, 'c1')
  await cluster.revoke(1, 'c1')
  await fails(t, asClient(certs.dir, cluster.address(1)), {
    status: 4,
    says: /client\/c1 has been removed from the whitelist/,
    mends,
  })
})

test('an operator that was revoked', async t => {
  await certs.issue('operator', 'maria')
  await using cluster = await startCluster(t, { certs })
  await cluster.revoke(1, 'operator/maria')
  const target = ['--as', 'maria', '--certs', certs.dir, '--node', cluster.address(1)]
  await fails(t, ['status', ...target], {
    status: 4,
    says: /operator\/maria has been removed from the whitelist/,
    mends: /fridge certs issue operator NAME/,
  })
})

test('a grant that has expired, and one for another key', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1', { expiresAt: 1 })
  await fails(t, asClient(certs.dir, cluster.address(1)), {
    status: 4,
    says: /the grant of client\/c1 has expired/,
    mends: /fridge whitelist add/,
  })
  const { keyId } = (await certs.load('client', 'c2')).identity
  await cluster.grant(1, 'c1', { keys: [keyId] })
  await fails(t, asClient(certs.dir, cluster.address(1)), {
    status: 4,
    says: /the grant of client\/c1 is for another key/,
    mends: /fridge whitelist add c1 --key/,
  })
})

test('a client with too many connections', async t => {
  const config = { limits: { maxConnectionsPerClient: 1 } }
  await using cluster = await startCluster(t, { certs, config })
  await cluster.grant(1, 'c1')
  await using _one = await cluster.client(1, 'c1')
  await fails(t, asClient(certs.dir, cluster.address(1)), {
    status: 4,
    says: /client\/c1 has too many connections/,
    mends: /limits\.maxConnectionsPerClient/,
  })
})

test('one who is no operator', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  // Somebody laid the client's certificate where an operator's belongs.
  const own = await makeTestFolder(t)
  const folder = join(own, 'operators', 'c1')
  await mkdir(folder, { recursive: true })
  await mkdir(join(own, 'ca'))
  await writeFile(join(own, 'ca', 'certificate.pem'), certs.ca)
  for (const file of ['private-key.pem', 'certificate.pem']) {
    await writeFile(join(folder, file), await readFile(join(certs.dir, 'clients', 'c1', file)))
  }
  await fails(t, ['whitelist', 'add', 'c1', '--certs', own, '--node', cluster.address(1)], {
    status: 1,
    says: /it is the certificate of a client, and an operator's is needed/,
    mends: /fridge certs issue operator NAME/,
  })
})
