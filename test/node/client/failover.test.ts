import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import test from 'ava'
import type { Address } from '../../../node/lib/address.ts'
import { connectAny } from '../../../node/client/failover.ts'
import { isOver } from '../../../node/client/last-words.ts'
import { systemClock } from '../../../node/lib/clock.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import { parseName } from '../../../node/identity/names.ts'
import { makeTestCerts } from '../../support/certs.ts'
import { makeSharedCerts, startCluster, type Cluster } from '../../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
const credentials = await certs.load('client', 'c1')
test.after.always(() => shared.remove())

const options = { credentials, clock: systemClock }

/** An address where nothing listens any more. */
async function gone(): Promise<Address> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return { host: '127.0.0.1', port }
}

test('the first node that answers is taken, and nobody behind it is asked', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  const nodes = [await gone(), cluster.node(2).address, cluster.node(1).address]
  await using connection = await connectAny(nodes, options)
  t.is(connection.node, parseName('node-2'))
  const admitted = cluster.log.lines.filter(
    ({ text, fields }) => text === 'admitted' && fields['subject'] === 'client/c1',
  )
  t.deepEqual(
    admitted.map(({ node }) => node),
    ['node-2'],
  )
})

/** Which nodes have refused somebody. */
function refusing(cluster: Cluster): string[] {
  return cluster.log.lines.filter(({ text }) => text === 'refused').map(({ node }) => node)
}

test('what every node would answer is believed when a second one has said it too', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  const nodes = [1, 2, 3].map(index => cluster.node(index).address)
  const error = await t.throwsAsync(connectAny(nodes, options), { instanceOf: FridgeError })
  t.is(error.code, 'ERR_NOT_LISTED')
  t.is(error.message, 'client/c1 is not on the whitelist')
  t.deepEqual(refusing(cluster), ['node-1', 'node-2'])
})

test('a node that refuses whom another one lets in is not believed', async t => {
  await using stolen = await startCluster(t, { certs })
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const nodes = [stolen.node(1).address, cluster.node(1).address]
  await using connection = await connectAny(nodes, options)
  t.is(connection.address, cluster.address(1))
  t.deepEqual(refusing(stolen), ['node-1'])
})

test('attack: a node that refuses at two addresses is one witness', async t => {
  await using stolen = await startCluster(t, { certs })
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const { address } = stolen.node(1)
  const nodes = [address, { ...address, host: 'localhost' }, cluster.node(1).address]
  await using connection = await connectAny(nodes, options)
  t.is(connection.address, cluster.address(1))
  t.deepEqual(refusing(stolen), ['node-1', 'node-1'])
})

test('a refusal that no other node can be asked about is told with why', async t => {
  await using cluster = await startCluster(t, { certs })
  const nodes = [cluster.node(1).address, await gone()]
  const error = await t.throwsAsync(connectAny(nodes, options), { instanceOf: FridgeError })
  t.is(error.code, 'ERR_NOT_LISTED')
  t.regex(
    error.message,
    /could be used:\n {2}- client\/c1 is not on the whitelist\n {2}- nothing listens/,
  )
  t.false(isOver(error, 2))
})

test('a node of another cluster is passed over', async t => {
  const foreign = await makeTestCerts(t, { nodes: ['node-1'], operators: ['admin'] })
  await using elsewhere = await startCluster(t, { certs: foreign })
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const nodes = [elsewhere.node(1).address, cluster.node(1).address]
  await using connection = await connectAny(nodes, options)
  t.is(connection.address, cluster.address(1))
})

test('when none will do the refusal counts for more than the silence', async t => {
  const foreign = await makeTestCerts(t, { nodes: ['node-1'], operators: ['admin'] })
  await using elsewhere = await startCluster(t, { certs: foreign })
  const nodes = [await gone(), elsewhere.node(1).address]
  const error = await t.throwsAsync(connectAny(nodes, options), { instanceOf: FridgeError })
  t.is(error.code, 'ERR_TLS')
  t.regex(
    error.message,
    /^none of \S+, \S+ could be used:\n {2}- nothing listens on .*\n {2}- .* authority/,
  )
  t.regex(error.fix ?? '', /--certs DIR/)
})

test('one node that is out of reach says so itself', async t => {
  const error = await t.throwsAsync(connectAny([await gone()], options), {
    instanceOf: FridgeError,
  })
  t.is(error.code, 'ERR_UNREACHABLE')
  t.regex(error.message, /^nothing listens on/)
})

test('a caller that has given up is not connected to the next one', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const abort = new AbortController()
  abort.abort(new Error('enough'))
  const nodes = [await gone(), cluster.node(1).address]
  await t.throwsAsync(connectAny(nodes, { ...options, signal: abort.signal }), {
    message: 'enough',
  })
  t.false(
    cluster.log.lines.some(
      ({ fields }) => fields['subject'] === 'client/c1' && 'dialect' in fields,
    ),
  )
})
