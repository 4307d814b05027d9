import { once } from 'node:events'
import { copyFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { joinCluster } from '../../../node/gossip/join.ts'
import { openList } from '../../../node/gossip/open-list.ts'
import { ThreadedVerifier } from '../../../node/identity/threaded-verifier.ts'
import { Trust } from '../../../node/identity/trust.ts'
import { systemClock } from '../../../node/lib/clock.ts'
import { Lookout } from '../../../node/lib/lookout.ts'
import { silentLog } from '../../../node/lib/log.ts'
import { parseName, subjectOf } from '../../../node/identity/names.ts'
import { makePipe } from '../../support/gossip-pipe.ts'
import { connectRaw } from '../../support/raw-peer.ts'
import { chain, revocationAt, testSource } from '../../support/replica-changes.ts'
import { ask, METRICS_ON } from '../../support/scrape.ts'
import { makeSharedCerts, startCluster, until, untilReachable } from '../../support/cluster.ts'

const ALL = [1, 2, 3, 4]
const shared = await makeSharedCerts({
  nodes: ALL.map(index => `node-${index}`),
  clients: ['c1'],
  operators: ['admin'],
})
const { certs } = shared
test.after.always(() => shared.remove())

const NO_EXCHANGE = 'no exchange with a peer yet: the list may be stale'

// Ten of them do so on the clock of `dials-network.test.ts`: here that what is on their disks is enough.
test('nodes that start again while their seed is cut off find each other', async t => {
  await using cluster = await startCluster(t, { nodes: ALL.length, certs })
  const seed = cluster.address(1)
  await Promise.all(ALL.map(async index => cluster.stop(index)))
  const others = ALL.slice(1)
  await Promise.all(others.map(async index => cluster.start(index, { peers: [seed] })))
  for (const index of others) await untilReachable(cluster, index, others.length)
  t.false(cluster.log.lines.some(({ text }) => text === NO_EXCHANGE))
})

test('a node that only its list tells of others waits for one of them before it serves', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(2, 'c1')
  await cluster.stop(2)
  await cluster.stop(1)
  await rm(join(cluster.config(1).data, 'peers.json'))
  await cluster.start(1, { peers: [], gossip: { firstSyncMs: 1 } })
  t.true(cluster.log.lines.some(({ text }) => text === NO_EXCHANGE))
})

test('a node that only its last run tells of others waits for one of them before it serves', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.stop(2)
  await cluster.stop(1)
  await cluster.start(1, { peers: [], gossip: { firstSyncMs: 1 } })
  t.true(cluster.log.lines.some(({ text }) => text === NO_EXCHANGE))
})

test('a node that left in order has left also for those who were all restarted since, and for a newcomer', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(2, 'c1')
  const untilLeft = async (index: number): Promise<void> => {
    await using operator = await cluster.operator(index)
    await until(async () => {
      const { nodes } = await operator.status()
      return nodes.some(({ name, left }) => name === parseName('node-2') && left === true)
    })
  }
  await cluster.stop(2)
  await untilLeft(1)
  await cluster.stop(1)
  await cluster.start(1, { gossip: { firstSyncMs: 1 } })
  await cluster.start(3, { peers: [cluster.address(1)] })
  await untilReachable(cluster, 3, 2)
  await untilLeft(1)
  await untilLeft(3)
  t.pass()
})

test('a seed may be a name', async t => {
  await using cluster = await startCluster(t, { certs })
  const { port } = cluster.node(1).address
  await cluster.start(2, { peers: [`localhost:${port}`] })
  await untilReachable(cluster, 1, 2)
  t.pass()
})

const INCOMPLETE = 'no exchange with a peer yet: no client is let in before one is complete'

test('a new node lets no client in before one exchange is complete, though its peers are out of reach for long', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const seed = cluster.address(1)
  await cluster.grant(1, 'c1')
  await cluster.stop(1)
  await cluster.start(3, {
    ...METRICS_ON,
    peers: [seed],
    gossip: { firstSyncMs: 1, redialMinMs: 10, redialMaxMs: 20 },
  })
  t.true(cluster.log.lines.some(({ node, text }) => node === 'node-3' && text === INCOMPLETE))
  const { status, text } = await ask(cluster.node(3), '/readyz')
  t.is(status, 503)
  t.regex(text, /no exchange with a peer is complete/)
  // An operator can make it the first of its cluster, and see what is wrong.
  await cluster.grant(3, 'c1')
  const refused = await connectRaw(t, cluster.node(3).address, await certs.load('client', 'c1'), {
    alpn: true,
  })
  await refused.lines.find(/\\"bye\\".*\\"not ready\\"/)
  await cluster.start(1)
  await cluster.log.find(({ node, text: said }) => node === 'node-3' && said === 'linked')
  await untilReachable(cluster, 3, 3)
  await until(async () => {
    await using operator = await cluster.operator(3)
    return (await operator.status()).nodes.every(({ changes = 0 }) => changes > 1)
  })
  await using client = await cluster.client(3, 'c1')
  t.is(client.node, parseName('node-3'))
})

test('an older copy of the database that was put back onto the same file lets in nobody before an exchange', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(2, 'c1')
  await cluster.stop(2)
  const file = join(cluster.config(2).data, 'whitelist.db')
  await copyFile(file, `${file}.copy`)
  await cluster.start(2)
  await untilReachable(cluster, 1, 2)
  await cluster.revoke(1, 'c1')
  await cluster.stop(2)
  await cluster.stop(1)
  const { ino } = await stat(file)
  await copyFile(`${file}.copy`, file)
  t.is((await stat(file)).ino, ino)
  await cluster.start(2, { gossip: { firstSyncMs: 1, redialMinMs: 10, redialMaxMs: 20 } })
  t.true(cluster.log.lines.some(({ node, text }) => node === 'node-2' && text === INCOMPLETE))
  const { address } = cluster.node(2)
  const refused = await connectRaw(t, address, await certs.load('client', 'c1'), { alpn: true })
  await refused.lines.find(/\\"bye\\".*\\"not ready\\"/)
})

test('a node that refuses clients while isolated lets none in by the list of its last run', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  await cluster.stop(1)
  await cluster.stop(2)
  await cluster.start(1, { whenIsolated: 'refuse', gossip: { firstSyncMs: 1 } })
  const refused = await connectRaw(t, cluster.node(1).address, await certs.load('client', 'c1'), {
    alpn: true,
  })
  await refused.lines.find(/\\"bye\\".*\\"not ready\\"/)
  await cluster.start(2)
  await untilReachable(cluster, 1, 2)
  await using client = await cluster.client(1, 'c1')
  t.is(client.node, parseName('node-1'))
})

test('a node that never heard of another serves at once', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  await cluster.stop(1)
  await cluster.start(1, { gossip: { firstSyncMs: 20_000 } })
  t.false(cluster.log.lines.some(({ text }) => text === NO_EXCHANGE))
})

test('a node that learns that it was removed ends its links also to those who have not heard of it', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const { gossip, ...others } = cluster.config(2)
  const patient = { ...gossip, deadAfterMs: 120_000 }
  const config = { ...others, gossip: patient, peers: [{ host: 'peer', port: 1 }] }
  await cluster.stop(2)
  await using stack = new AsyncDisposableStack()
  const trust = new Trust(await certs.load('node', config.name), systemClock)
  const common = { clock: systemClock, log: silentLog }
  const verifier = stack.use(new ThreadedVerifier(common))
  const list = stack.use(await openList(config, { trust, verifier, ...common }))
  const [socket, far] = makePipe().ends
  const peer = (await certs.load('node', 'node-1')).identity
  const dialed = Promise.withResolvers<void>()
  stack.use(
    joinCluster({
      ...common,
      lookout: stack.use(new Lookout(systemClock)),
      config,
      list,
      dial: async () => {
        setImmediate(dialed.resolve)
        return { socket, peer, own: trust.credentials.identity }
      },
      admits: () => true,
      onSynced: () => {},
      onIsolated: () => {},
      random: () => 0.5,
    }),
  )
  await dialed.promise
  const ended = once(far, 'close')
  far.resume()
  const self = subjectOf('node', parseName(config.name))
  const [removal] = chain([{ ...revocationAt(testSource('node-1'), 1, self), upTo: new Map() }])
  if (removal === undefined) throw new Error('there is one removal')
  list.ownRemoval.note(removal)
  await ended
  t.not(list.ownRemoval.removal, undefined)
})
