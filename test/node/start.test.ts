import { once } from 'node:events'
import { copyFile, readdir } from 'node:fs/promises'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { errorCode, FridgeError } from '../../node/lib/errors.ts'
import { parseName, parseSubject } from '../../node/identity/names.ts'
import { startNode } from '../../node/start.ts'
import { DATABASE_FILE } from '../../node/storage/sqlite-database.ts'
import { makeTestFolder } from '../support/certs.ts'
import {
  makeSharedCerts,
  startCluster,
  testConfig,
  until,
  untilReachable,
  type Cluster,
} from '../support/cluster.ts'
import { connectRaw } from '../support/raw-peer.ts'

const shared = await makeSharedCerts()
const { certs } = shared
const c1 = await certs.load('client', 'c1')
test.after.always(() => shared.remove())

/** Who confirmed a change of `c1` that is made on a node. */
async function confirmedBy(
  cluster: Cluster,
  index: number,
  kind: 'grant' | 'revocation' = 'grant',
): Promise<{ confirmed: string[]; silent: string[]; unreachable: string[]; left: string[] }> {
  await using operator = await cluster.operator(index)
  const subject = parseSubject('c1')
  const told: string[] = []
  const { confirmed, silent, unreachable, left } = await operator.change(
    kind === 'grant' ? { kind, subject, terms: {} } : { kind, subject },
    { waitMs: 20_000, onConfirmed: ({ node }) => told.push(node) },
  )
  const names = confirmed.map(({ node }) => String(node))
  if (told.join() !== names.join()) throw new Error(`told ${told.join()}, not ${names.join()}`)
  const others = { silent: [...silent], unreachable: [...unreachable], left: [...left] }
  return { confirmed: names.sort(), ...others }
}

test('of the changes that it missed a node tells in one line, as it begins to serve', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.stop(2)
  for (const name of ['c1', 'c2']) await cluster.grant(1, name)
  const before = cluster.log.lines.length
  await cluster.start(2)
  const since = cluster.log.lines.slice(before).filter(({ node }) => node === 'node-2')
  const serving = since.find(({ text }) => text === 'serving')
  t.like(serving?.fields, { learned: 2 })
  const applied = since.filter(({ text }) => text === 'change applied')
  t.deepEqual(
    applied.map(({ level }) => level),
    ['debug', 'debug'],
  )
})

test('one seed is enough for every node to find every other', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  for (const index of [1, 2, 3]) {
    await using operator = await cluster.operator(index)
    await until(async () => {
      const { nodes } = await operator.status()
      return nodes.every(({ links }) => links.length === 2)
    })
    const { nodes } = await operator.status()
    t.deepEqual(
      nodes.map(({ name, addresses }) => [String(name), addresses[0]]),
      [1, 2, 3].map(other => [`node-${other}`, cluster.address(other)]),
    )
  }
})

test('a revocation on any node cuts on all of them, and every node confirms it by name', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  for (const at of [1, 2, 3]) {
    t.deepEqual(await confirmedBy(cluster, at), {
      confirmed: ['node-1', 'node-2', 'node-3'],
      silent: [],
      unreachable: [],
      left: [],
    })
    const connections = await Promise.all([1, 2, 3].map(async index => cluster.client(index, 'c1')))
    const { confirmed } = await confirmedBy(cluster, at, 'revocation')
    t.deepEqual(confirmed, ['node-1', 'node-2', 'node-3'])
    const ends = await Promise.all(connections.map(async ({ ended }) => ended))
    t.deepEqual(
      ends.map(({ code }) => code),
      ['ERR_REVOKED', 'ERR_REVOKED', 'ERR_REVOKED'],
    )
  }
})

test('the confirmations of a revocation tell how many connections each node cut', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  await using _one = await cluster.client(1, 'c1')
  await using _two = await cluster.client(2, 'c1')
  await using _three = await cluster.client(2, 'c1')
  await using operator = await cluster.operator(1)
  const { confirmed } = await operator.change(
    { kind: 'revocation', subject: parseSubject('c1') },
    { waitMs: 20_000 },
  )
  t.deepEqual(
    new Map(confirmed.map(({ node, cut }) => [String(node), cut])),
    new Map([
      ['node-1', 1],
      ['node-2', 2],
    ]),
  )
  for (const { afterMs, tookMs = -1 } of confirmed) t.true(afterMs >= 0 && tookMs >= 0)
})

test('a node that was stopped catches up when it starts, and is named as left until then', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  await cluster.grant(1, 'c1')
  await cluster.stop(3)
  await untilReachable(cluster, 1, 2)
  t.deepEqual(await confirmedBy(cluster, 1, 'revocation'), {
    confirmed: ['node-1', 'node-2'],
    silent: [],
    unreachable: [],
    left: ['node-3'],
  })
  await cluster.start(3)
  t.is(errorCode(await t.throwsAsync(cluster.client(3, 'c1'))), 'ERR_REVOKED')
  await untilReachable(cluster, 1, 3)
  t.deepEqual((await confirmedBy(cluster, 1)).confirmed, ['node-1', 'node-2', 'node-3'])
})

test('a seed that starts again is found by those who know only its address', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  await cluster.stop(1)
  await untilReachable(cluster, 2, 2)
  await cluster.grant(2, 'c1')
  // Without any peer of its own: the others dial their seed for ever.
  await cluster.start(1, { peers: [] })
  await untilReachable(cluster, 1, 3)
  await using connection = await cluster.client(1, 'c1')
  t.is(connection.node, parseName('node-1'))
})

test('a node that is restored from an old copy never admits whom its peers revoked meanwhile', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(2, 'c1')
  await cluster.stop(2)
  const { data, listen: address } = cluster.config(2)
  const copy = await makeTestFolder(t)
  for (const file of await readdir(data)) await copyFile(join(data, file), join(copy, file))
  await cluster.start(2)
  await cluster.revoke(1, 'c1')
  await cluster.stop(2)
  for (const file of await readdir(copy)) await copyFile(join(copy, file), join(data, file))

  // From the moment on which its port is open there are clients who try.
  const done = new AbortController()
  const attempts: number[] = []
  const tries = (async () => {
    while (!done.signal.aborted) {
      const peer = await connectRaw(t, address, c1)
      await peer.closed
      if (peer.failure() !== 'ECONNREFUSED') attempts.push(peer.lines.all.length)
    }
  })()
  await cluster.start(2)
  t.is(errorCode(await t.throwsAsync(cluster.client(2, 'c1'))), 'ERR_REVOKED')
  done.abort()
  await tries
  t.true(attempts.length > 0)
  t.deepEqual([...new Set(attempts)], [0])
})

test('a node whose peers are all out of reach serves by its own list after the deadline', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(2, 'c1')
  await cluster.stop(2)
  const gone = cluster.address(1)
  await cluster.stop(1)
  await cluster.start(2, {
    peers: [gone],
    gossip: { firstSyncMs: 50, redialMinMs: 10, redialMaxMs: 20 },
  })
  await using connection = await cluster.client(2, 'c1')
  t.is(connection.node, parseName('node-2'))
})

test('a stopping node tells its clients, ends its links and frees port and database', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  await using connection = await cluster.client(2, 'c1')
  const plain = await connectRaw(t, cluster.node(2).address, c1)
  await plain.stream('door')
  await using operator = await cluster.operator(2)
  await cluster.stop(2)
  const { code, message } = await connection.ended
  t.is(code, 'ERR_CLOSED')
  t.is(message, 'the node is stopping')
  await plain.closed
  t.is(plain.failure(), undefined)
  t.is(errorCode(await t.throwsAsync(operator.status())), 'ERR_CLOSED')
  await cluster.log.find(
    ({ node, text, fields }) =>
      node === 'node-1' && text === 'link ended' && fields['reason'] === 'leaving',
  )
  await cluster.start(2)
  await using again = await cluster.client(2, 'c1')
  t.is(again.node, parseName('node-2'))
})

test('a node does not wait for connections that never say anything when it stops', async t => {
  await using cluster = await startCluster(t, {
    certs,
    config: { limits: { drainMs: 86_400_000 } },
  })
  await cluster.grant(1, 'c1')
  const halfOpen = await connectRaw(t, cluster.node(1).address, c1, { allowHalfOpen: true })
  await halfOpen.stream('door')
  const { host, port } = cluster.node(1).address
  const silent = connectTcp(port, host)
  t.teardown(() => silent.destroy())
  silent.on('error', () => {})
  await once(silent, 'connect')
  await cluster.stop(1)
  t.pass()
})

test('two nodes on one data folder, or on one port, are refused', async t => {
  await using cluster = await startCluster(t, { certs })
  const { data } = cluster.config(1)
  const second = testConfig('node-2', { certs: certs.dir, data })
  const inUse = await t.throwsAsync(startNode(second), { instanceOf: FridgeError })
  t.is(inUse.code, 'ERR_DATABASE')
  t.regex(inUse.message, /another node is using/)
  const samePort = testConfig('node-2', {
    certs: certs.dir,
    data: await makeTestFolder(t),
    config: { listen: cluster.address(1) },
  })
  const taken = await t.throwsAsync(startNode(samePort), { instanceOf: FridgeError })
  t.is(taken.code, 'ERR_LISTEN')
  // It released its folder: a start on another port has it.
  await using node = await startNode({ ...samePort, listen: { host: '127.0.0.1', port: 0 } })
  t.is(node.name, parseName('node-2'))
  t.true((await readdir(samePort.data)).includes(DATABASE_FILE))
})

test('a node that is revoked loses its links and is not let back', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  await using operator = await cluster.operator(1)
  await operator.change({ kind: 'revocation', subject: parseSubject('node/node-3') }, { waitMs: 0 })
  await until(async () => {
    const { nodes } = await operator.status()
    return nodes.every(({ name }) => name !== parseName('node-3'))
  })
  await cluster.grant(1, 'c1')
  await using there = await cluster.operator(3)
  t.is((await there.show(parseSubject('c1'))).standing, 'unknown')
})

test('a node that is revoked through itself is revoked everywhere', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  await using admin = await cluster.operator(1)
  // Nobody can confirm it to a node that is cut by it.
  const subject = parseSubject('node/node-1')
  await admin.change({ kind: 'revocation', subject }, { waitMs: 0 })
  await untilReachable(cluster, 2, 2)
  for (const index of [2, 3]) {
    await using operator = await cluster.operator(index)
    t.is((await operator.show(subject)).standing, 'revoked')
  }
  const told = ({ text }: { text: string }): boolean => text.startsWith('this node was removed')
  t.is((await cluster.log.find(told)).node, 'node-1')
  const from = cluster.log.lines.length
  await cluster.stop(1)
  await cluster.start(1, { gossip: { firstSyncMs: 1 } })
  t.is((await cluster.log.find(told, from)).level, 'error')
})
