import test from 'ava'
import { connectOperator } from '../../../cli/operator.ts'
import { errorCode, FridgeError } from '../../../node/lib/errors.ts'
import { parseSubject } from '../../../node/identity/names.ts'
import { recordIo } from '../../support/cli.ts'
import {
  makeSharedCerts,
  PEOPLE,
  ISOLATED_SOON,
  startCluster,
  type Cluster,
} from '../../support/cluster.ts'
import { connectRaw } from '../../support/raw-peer.ts'
import { SkipClock } from '../../support/skip-clock.ts'

/** What a grant narrows holds when a client connects, and for those who are connected already. */

const shared = await makeSharedCerts({ ...PEOPLE, nodes: ['node-1', 'node-2'] })
const { certs } = shared
const c1 = await certs.load('client', 'c1')
const c2 = await certs.load('client', 'c2')
test.after.always(() => shared.remove())

/** The connections that the first node has of a client. */
async function sessionsOf(cluster: Cluster, name: string): Promise<number> {
  await using operator = await cluster.operator(1)
  return (await operator.show(parseSubject(name))).sessions
}

test('a grant for one sensor gives only its stream', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1', { sensors: ['temperature'] })
  for (const alpn of [true, false]) {
    const peer = await connectRaw(t, cluster.node(1).address, c1, { alpn })
    await peer.lines.find(/reading/)
    // The door moves, and a later reading comes: what moved in between was not said.
    const said = peer.lines.all.length
    cluster.node(1).fridge?.openDoor()
    await peer.lines.find(/reading/, said)
    t.false(peer.lines.all.some(line => /"new",\{"meta":"door"|\\"open\\"/.test(line)))
  }
})

test('narrowing a grant closes just the streams that it no longer allows, and widening opens them again', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const plain = await connectRaw(t, cluster.node(1).address, c1)
  const ours = await connectRaw(t, cluster.node(1).address, c1, { alpn: true })
  const doors = await Promise.all([plain.stream('door'), ours.stream('door')])
  await cluster.grant(1, 'c1', { sensors: ['temperature'] })
  for (const [index, peer] of [plain, ours].entries()) {
    const door = doors[index] ?? ''
    await peer.lines.find(new RegExp(`^\\["${door}","end"\\]$`))
    const said = peer.lines.all.length
    cluster.node(1).fridge?.openDoor()
    cluster.node(1).fridge?.closeDoor()
    await peer.lines.find(/reading/, said)
    t.false(peer.lines.all.slice(said).some(line => line.includes(door)))
  }
  const said = [plain.lines.all.length, ours.lines.all.length]
  await cluster.grant(1, 'c1')
  for (const [index, peer] of [plain, ours].entries()) {
    await peer.lines.find(/"new",\{"meta":"door"/, said[index])
    await peer.lines.find(/\\"close\\",\d{13}/, said[index])
  }
  t.is(await sessionsOf(cluster, 'c1'), 2)
})

test('a grant for one command refuses the others, also when it is narrowed while connected', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1', { commands: ['setTargetTemperature', 'powerOff'] })
  await using connection = await cluster.client(1, 'c1')
  await connection.call('setTargetTemperature', [5])
  const refused = await t.throwsAsync(connection.call('defrost', []), { instanceOf: FridgeError })
  t.is(refused.message, 'the grant does not allow defrost')
  await cluster.grant(1, 'c1', { commands: [] })
  await t.throwsAsync(connection.call('setTargetTemperature', [6]), { message: /does not allow/ })
  await t.throwsAsync(connection.call('powerOff', []), { message: /does not allow/ })
  t.like(cluster.node(1).fridge?.state(), { target: 5, isPowered: true, defrostLeftMs: 0 })
})

test('a grant for a key admits only that key, also when it is pinned while connected', async t => {
  await using cluster = await startCluster(t, { certs })
  const { keyId } = c1.identity
  await cluster.grant(1, 'c1', { keys: [c2.identity.keyId] })
  const error = await t.throwsAsync(cluster.client(1, 'c1'), { instanceOf: FridgeError })
  t.is(error.code, 'ERR_NOT_TRUSTED')
  t.is(error.message, 'the grant of client/c1 is for another key')
  await cluster.grant(1, 'c1', { keys: [c2.identity.keyId, keyId] })
  await using connection = await cluster.client(1, 'c1')
  const plain = await connectRaw(t, cluster.node(1).address, c1)
  await plain.stream('door')
  await cluster.grant(1, 'c1', { keys: [c2.identity.keyId] })
  t.is((await connection.ended).message, 'the grant of client/c1 is for another key')
  await plain.closed
})

test('a grant that expires ends its connections, and admits nobody after', async t => {
  const clock = new SkipClock()
  await using cluster = await startCluster(t, { certs, clock })
  await cluster.grant(1, 'c1', { expiresAt: clock.now() + 60_000 })
  const plain = await connectRaw(t, cluster.node(1).address, c1)
  await plain.stream('door')
  await using connection = await cluster.client(1, 'c1')
  clock.skip(60_000)
  t.is((await connection.ended).code, 'ERR_EXPIRED')
  await plain.closed
  t.is(errorCode(await t.throwsAsync(cluster.client(1, 'c1'))), 'ERR_EXPIRED')
  t.is(await sessionsOf(cluster, 'c1'), 0)
})

test('a grant ends also when the clock of the node was behind, and is then set right', async t => {
  const clock = new SkipClock()
  await using cluster = await startCluster(t, { certs, clock })
  await cluster.grant(1, 'c1', { expiresAt: clock.now() + 3_600_000 })
  const plain = await connectRaw(t, cluster.node(1).address, c1)
  await plain.stream('door')
  clock.jump(7_200_000)
  clock.skip(60_000)
  await plain.closed
  t.is(await sessionsOf(cluster, 'c1'), 0)
})

test('a grant that is prolonged while connected outlives its first end', async t => {
  const clock = new SkipClock()
  await using cluster = await startCluster(t, { certs, clock })
  await cluster.grant(1, 'c1', { expiresAt: clock.now() + 60_000 })
  const plain = await connectRaw(t, cluster.node(1).address, c1)
  await plain.stream('door')
  await cluster.grant(1, 'c1', { expiresAt: clock.now() + 180_000 })
  clock.skip(90_000)
  cluster.node(1).fridge?.openDoor()
  await plain.lines.find(/\\"open\\"/)
  t.is(await sessionsOf(cluster, 'c1'), 1)
  clock.skip(90_000)
  await plain.closed
})

test('one client has no more connections than the limit, and another none less', async t => {
  await using cluster = await startCluster(t, {
    certs,
    config: { limits: { maxConnectionsPerClient: 2 } },
  })
  await cluster.grant(1, 'c1')
  await cluster.grant(1, 'c2')
  const first = await connectRaw(t, cluster.node(1).address, c1)
  await first.stream('door')
  await using _second = await cluster.client(1, 'c1')
  const refused = await t.throwsAsync(cluster.client(1, 'c1'), { instanceOf: FridgeError })
  t.is(refused.code, 'ERR_LIMIT')
  t.is(refused.message, 'client/c1 has too many connections')
  const plain = await connectRaw(t, cluster.node(1).address, c1)
  await plain.closed
  t.deepEqual(plain.lines.all, [])
  await using _other = await cluster.client(1, 'c2')

  first.socket.end()
  const { fields } = await cluster.log.find(
    line => line.text === 'disconnected' && line.fields['subject'] === 'client/c1',
  )
  t.is(fields['cause'], 'closed')
  await using again = await cluster.client(1, 'c1')
  t.is(again.sensors.length, 2)
})

test('a node that has lost its peers and is to refuse then cuts its clients, until it has a peer again', async t => {
  await using cluster = await startCluster(t, {
    nodes: 2,
    certs,
    config: { ...ISOLATED_SOON, whenIsolated: 'refuse' },
  })
  await cluster.grant(1, 'c1')
  await using connection = await cluster.client(1, 'c1')
  await cluster.stop(2)
  t.is((await connection.ended).code, 'ERR_ISOLATED')
  t.is(errorCode(await t.throwsAsync(cluster.client(1, 'c1'))), 'ERR_ISOLATED')
  await cluster.start(2)
  await cluster.log.find(
    ({ node, text }) => node === 'node-1' && text === 'a peer is in reach again',
  )
  await using again = await cluster.client(1, 'c1')
  t.is(again.node, cluster.node(1).name)
})

test('an operator that is revoked is cut on every node and may change nothing after', async t => {
  await certs.issue('operator', 'maria')
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await using maria = await cluster.operator(2, 'maria')
  await cluster.revoke(1, 'operator/maria')
  const error = await t.throwsAsync(maria.status(), { instanceOf: FridgeError })
  t.is(error.code, 'ERR_REVOKED')
  for (const index of [1, 2]) {
    const again = connectOperator(
      { certs: certs.dir, as: 'maria', node: [cluster.address(index)] },
      recordIo().io,
    )
    t.is(errorCode(await t.throwsAsync(again)), 'ERR_REVOKED')
  }
})
