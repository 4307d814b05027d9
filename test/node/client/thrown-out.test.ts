import test from 'ava'
import { connect } from '../../../node/client/connect.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import { layCable } from '../../support/cable.ts'
import { makeTestCerts } from '../../support/certs.ts'
import { clientOptions, listen } from '../../support/client-listener.ts'
import { makeSharedCerts, startCluster } from '../../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

test('a client that is revoked hears why, asks a second node, and then none again', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  const cable = await layCable(t, cluster.node(1).address)
  await using fridge = await connect(clientOptions(cluster, [cable.address, 2]))
  const listener = listen(fridge)
  await listener.until('door close')
  await cluster.revoke(2, 'c1')
  const error = await t.throwsAsync(listener.until('never'), { instanceOf: FridgeError })
  t.is(error.code, 'ERR_REVOKED')
  t.is(await fridge.ended, error)
  t.is(cable.connections, 1)
  await t.throwsAsync(listen(fridge).until('never'), { is: error })
  await t.throwsAsync(fridge.call('defrost'), { code: 'ERR_CLOSED' })
  t.deepEqual(
    cluster.log.lines.filter(({ text }) => text === 'refused').map(({ node }) => node),
    ['node-2'],
  )
})

test('a client that one node throws out goes on at another that lets it in', async t => {
  await using stolen = await startCluster(t, { certs })
  await using cluster = await startCluster(t, { certs })
  await stolen.grant(1, 'c1')
  await cluster.grant(1, 'c1')
  await using fridge = await connect(clientOptions(cluster, [stolen.address(1), 1]))
  const listener = listen(fridge)
  await listener.until('door close')
  await stolen.revoke(1, 'c1')
  const heard = await listener.until('door close')
  t.deepEqual(heard, ['lost node-1 ERR_REVOKED', 'connected node-1', 'door close'])
})

test('a client that one node throws out waits for a second one to say so too', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  const cable = await layCable(t, cluster.node(2).address)
  await using fridge = await connect(clientOptions(cluster, [1, cable.address]))
  const listener = listen(fridge)
  await listener.until('door close')
  cable.unplug()
  await cluster.revoke(1, 'c1')
  await listener.until('lost node-1 ERR_REVOKED')
  cable.plug()
  t.is((await fridge.ended).code, 'ERR_REVOKED')
  const refused = cluster.log.lines.filter(({ text }) => text === 'refused')
  t.true(refused.some(({ node }) => node === 'node-2'))
})

test('a client that was revoked while it was away is refused, its ticket notwithstanding', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const cable = await layCable(t, cluster.node(1).address)
  await using fridge = await connect(clientOptions(cluster, [cable.address]))
  const listener = listen(fridge)
  await listener.until('door close')
  cable.unplug()
  await listener.until('lost node-1 ERR_CLOSED')
  await cluster.revoke(1, 'c1')
  cable.plug()
  t.is((await fridge.ended).code, 'ERR_REVOKED')
  const { fields } = await cluster.log.find(({ text }) => text === 'refused')
  t.like(fields, { subject: 'client/c1', reason: 'revoked', resumed: true })
})

test('a renewed certificate is taken up when the old one is refused', async t => {
  const own = await makeTestCerts(t, { nodes: ['node-1'], clients: ['c1'], operators: ['admin'] })
  await using cluster = await startCluster(t, { certs: own })
  await cluster.grant(1, 'c1')
  await using fridge = await connect(clientOptions(cluster, [1]))
  const listener = listen(fridge)
  await listener.until('door close')
  await own.issue('client', 'c1')
  const { keyId } = (await own.load('client', 'c1')).identity
  await cluster.grant(1, 'c1', { keys: [keyId] })
  t.deepEqual(await listener.until('connected node-1 resumed'), [
    'lost node-1 ERR_NOT_TRUSTED',
    'connected node-1 resumed',
  ])
  await own.issue('client', 'c1')
  await cluster.grant(1, 'c1', { keys: ['0'.repeat(64) as typeof keyId] })
  t.is((await fridge.ended).code, 'ERR_NOT_TRUSTED')
})
