import test from 'ava'
import { parseName } from '../../node/identity/names.ts'
import { makeSharedCerts, startCluster, until, type Cluster } from '../support/cluster.ts'
import { carrying, connectRaw } from '../support/raw-peer.ts'
import { ask, METRICS_ON } from '../support/scrape.ts'

/** A node that was removed from the list serves nobody, whenever it learns of that. */

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

/** Resolves when a node says that it was removed. */
async function saysRemoved(cluster: Cluster, index: number, from = 0): Promise<void> {
  await cluster.log.find(
    ({ node, level, text }) =>
      node === `node-${index}` && level === 'error' && text.startsWith('this node was removed'),
    from,
  )
}

test('a node that is removed while it is on cuts its clients and admits none', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  await cluster.grant(1, 'c1')
  const client = await cluster.client(3, 'c1')
  await cluster.revoke(1, 'node/node-3')
  t.regex((await client.ended).message, /was removed from the cluster: connect to another/)
  await t.throwsAsync(cluster.client(3, 'c1'), { code: 'ERR_ISOLATED' })
  await using elsewhere = await cluster.client(2, 'c1')
  t.is(String(elsewhere.node), 'node-2')
})

test('a node that was removed while it was off is told by the first peer, with the proof', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  await cluster.stop(2)
  await cluster.revoke(1, 'node/node-2')
  await cluster.start(2, METRICS_ON)
  await saysRemoved(cluster, 2)
  await t.throwsAsync(cluster.client(2, 'c1'), { code: 'ERR_ISOLATED' })
  const { status, text } = await ask(cluster.node(2), '/readyz')
  t.is(status, 503)
  t.regex(text, /removed from the list/)
  await using operator = await cluster.operator(2)
  t.like((await operator.status()).removed, { operator: parseName('admin') })
  const granting = { kind: 'grant', subject: 'client/c2', terms: {} } as never
  await t.throwsAsync(operator.change(granting, { waitMs: 1 }), { code: 'ERR_REVOKED' })
  await using healthy = await cluster.operator(1)
  t.is((await healthy.status()).removed, undefined)
})

test('a node that was told once that it was removed knows it without any peer', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  await cluster.stop(2)
  await cluster.revoke(1, 'node/node-2')
  await cluster.start(2)
  await saysRemoved(cluster, 2)
  await cluster.stop(2)
  await cluster.stop(1)
  await cluster.start(2, { peers: [] })
  await t.throwsAsync(cluster.client(2, 'c1'), { code: 'ERR_ISOLATED' })
})

test('a stolen node cannot tell another that it was removed', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  await using client = await cluster.client(1, 'c1')
  const forged = { entry: {}, operator: [], node: [] }
  const stolen = await certs.load('node', parseName('node-3'))
  const peer = await connectRaw(t, cluster.node(1).address, stolen, { alpn: true })
  const control = await peer.stream('control')
  peer.frames(
    carrying(
      control,
      JSON.stringify(['hello', { protocol: 1, source: 'node-3#00000000000000ee' }]),
    ),
    carrying(control, JSON.stringify(['bye', 'revoked', 'go away', forged])),
  )
  peer.socket.end()
  await cluster.log.find(({ text }) => text.includes('its proof does not hold'))
  await using operator = await cluster.operator(1)
  t.is((await operator.status()).removed, undefined)
  await until(async () => (await operator.status()).nodes.every(({ reachable }) => reachable))
  await using other = await cluster.client(1, 'c1')
  t.is(other.node, client.node)
})

test('a client cannot be shown a proof, nor show one', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const peer = await connectRaw(
    t,
    cluster.node(1).address,
    await certs.load('client', parseName('c1')),
    {
      alpn: true,
    },
  )
  const control = await peer.stream('control')
  peer.frames(carrying(control, JSON.stringify(['bye', 'revoked', 'go away', {}])))
  await peer.closed
  const line = await cluster.log.find(({ text }) => text === 'cut: it broke the protocol')
  t.regex(String(line.fields['reason']), /a bye is malformed/)
})
