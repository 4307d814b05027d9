import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import test from 'ava'
import { renewFrom } from '../../../node/identity/certificate-lifetime.ts'
import { linkEndReason } from '../../../node/sessions/counts.ts'
import { errorCode } from '../../../node/lib/errors.ts'
import { Metrics } from '../../../node/metrics/metrics.ts'
import { parseName } from '../../../node/identity/names.ts'
import { makeSharedCerts, startCluster, until, untilReachable } from '../../support/cluster.ts'
import { connectRaw } from '../../support/raw-peer.ts'
import { ask, METRICS_ON, quietSource, Samples, scrape } from '../../support/scrape.ts'

const shared = await makeSharedCerts()
const { certs } = shared
const c1 = await certs.load('client', 'c1')
test.after.always(() => shared.remove())

test('a client is counted from its admission to its cut, and each refusal by its reason', async t => {
  await using cluster = await startCluster(t, { certs, config: METRICS_ON })
  const node = cluster.node(1)
  t.is(errorCode(await t.throwsAsync(cluster.client(1, 'c1'))), 'ERR_NOT_LISTED')
  await cluster.grant(1, 'c1')
  await using client = await cluster.client(1, 'c1')

  const before = await scrape(node)
  t.is(before.of('fridge_connections client'), 1)
  t.is(before.of('fridge_connections_accepted_total client'), 1)
  t.is(before.of('fridge_connections_refused_total not on the whitelist'), 1)
  t.is(before.of('fridge_connections_cut_total revoked'), 0)
  t.is(before.of('fridge_whitelist_subjects'), 1)
  t.is(before.of('fridge_whitelist_changes_applied_total grant'), 1)
  t.is(before.of('fridge_tcp_connections_max'), 10_000)
  t.true(before.of('fridge_tcp_connections') >= 1)

  await cluster.revoke(1, 'c1')
  await client.ended
  t.is(errorCode(await t.throwsAsync(cluster.client(1, 'c1'))), 'ERR_REVOKED')
  const after = await scrape(node)
  t.is(after.of('fridge_connections client'), 0)
  t.is(after.of('fridge_connections_cut_total revoked'), 1)
  t.is(after.of('fridge_connections_refused_total revoked'), 1)
  t.is(after.of('fridge_connections_refused_total not on the whitelist'), 1)
  t.is(after.of('fridge_whitelist_changes_applied_total revocation'), 1)
  t.is(after.of('fridge_whitelist_changes'), 2)
})

test('an event counts once for each client that it is handed to', async t => {
  await using cluster = await startCluster(t, {
    certs,
    config: { ...METRICS_ON, sensors: { door: { driver: 'simulated' } } },
  })
  await cluster.grant(1, 'c1')
  const node = cluster.node(1)
  const peers = await Promise.all(
    [true, false, false].map(async alpn => connectRaw(t, node.address, c1, { alpn })),
  )
  await Promise.all(peers.map(async ({ lines }) => lines.find(/\\"close\\"/)))
  const before = await scrape(node)
  node.fridge?.openDoor()
  const lines = await Promise.all(peers.map(async peer => peer.lines.find(/\\"open\\"/)))
  const after = await scrape(node)
  const grown = (name: string): number => after.of(name) - before.of(name)
  t.is(grown('fridge_sensor_events_total'), 1)
  t.is(grown('fridge_fan_out_events_total'), 3)
  t.is(grown('fridge_fan_out_bytes_total'), lines.map(line => `${line}\n`).join('').length)
})

test('who is admitted but has too many connections, or asks in the wrong protocol, counts as refused', async t => {
  await using cluster = await startCluster(t, {
    certs,
    config: { ...METRICS_ON, limits: { maxConnectionsPerClient: 1 } },
  })
  await cluster.grant(1, 'c1')
  await using _first = await cluster.client(1, 'c1')
  await t.throwsAsync(cluster.client(1, 'c1'))
  for (const [role, name] of [
    ['operator', 'admin'],
    ['node', 'node-2'],
  ] as const) {
    const credentials = await certs.load(role, parseName(name))
    const peer = await connectRaw(t, cluster.node(1).address, credentials)
    await peer.closed
  }
  const samples = await scrape(cluster.node(1))
  t.is(samples.of('fridge_connections_refused_total too many connections'), 1)
  t.is(samples.of('fridge_connections_refused_total no ALPN'), 2)
  t.is(samples.of('fridge_connections_accepted_total node'), 0)
})

test('a client that breaks the protocol is counted as cut for it', async t => {
  await using cluster = await startCluster(t, { certs, config: METRICS_ON })
  await cluster.grant(1, 'c1')
  const peer = await connectRaw(t, cluster.node(1).address, c1)
  await peer.stream('door')
  peer.send('{bad json\n')
  await cluster.log.find(({ text }) => text === 'cut: it broke the protocol')
  const samples = await scrape(cluster.node(1))
  t.is(samples.of('fridge_connections_cut_total broke the protocol'), 1)
  t.is(samples.of('fridge_connections client'), 0)
})

test('floods show: handshakes that failed, and those that their address was not allowed', async t => {
  const tls = { handshakesPerSecond: 1, handshakeBurst: 2 }
  await using cluster = await startCluster(t, { certs, config: { ...METRICS_ON, tls } })
  const node = cluster.node(1)
  const knock = (): void => {
    const socket = connect(node.address)
    t.teardown(() => socket.destroy())
    socket.on('error', () => {}).write('this is not TLS\r\n')
  }
  knock()
  await cluster.log.find(({ text }) => text === 'handshake failed')
  // The bucket of this address has one left; whoever comes after it is limited.
  knock()
  knock()
  await cluster.log.find(({ text }) => text === 'too many handshakes from one address')
  const samples = await scrape(node)
  t.true(samples.of('fridge_handshakes_total failed') >= 1)
  t.true(samples.of('fridge_handshakes_total limited') >= 1)
})

test('connections past the limit of the node are counted as dropped', async t => {
  await using cluster = await startCluster(t, {
    certs,
    config: { ...METRICS_ON, limits: { maxConnections: 1 } },
  })
  const { address } = cluster.node(1)
  for (let count = 0; count < 2; count += 1) {
    const socket = connect(address).on('error', () => {})
    t.teardown(() => socket.destroy())
  }
  await cluster.log.find(({ text }) => text.startsWith('connection dropped'))
  const samples = await scrape(cluster.node(1))
  t.is(samples.of('fridge_handshakes_total dropped'), 1)
  t.is(samples.of('fridge_handshakes_in_progress'), 1)
  t.is(samples.of('fridge_tcp_connections'), 1)
})

test('a node tells of its links, of the nodes out of reach, and of the last exchange', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs, config: METRICS_ON })
  const node = cluster.node(1)
  const together = await scrape(node)
  t.is(together.of('fridge_connections node'), 1)
  t.is(together.of('fridge_nodes up'), 2)
  t.is(together.of('fridge_nodes out of reach'), 0)
  t.is(together.of('fridge_alone_seconds'), 0)
  t.true(together.of('fridge_last_sync_timestamp_seconds') > 1.7e9)

  await cluster.stop(2)
  await untilReachable(cluster, 1, 1)
  const apart = await scrape(node)
  t.is(apart.of('fridge_connections node'), 0)
  t.is(apart.of('fridge_nodes up'), 1)
  t.is(apart.of('fridge_nodes out of reach'), 0)
  t.is(apart.of('fridge_nodes left'), 1)
  t.is(apart.of('fridge_gossip_links_ended_total leaving'), 1)
})

test('a node tells of all fridges: what failed, and which alarms stand', async t => {
  const rules = { temperature: { high: { limit: -20 } } }
  const probe = { driver: 'command', kind: 'temperature', command: ['sh', '-c', 'exec sleep 1000'] }
  const sensors = { temperature: { driver: 'simulated' }, probe }
  const config = { ...METRICS_ON, sensors, alarms: { rules } }
  await using cluster = await startCluster(t, { nodes: 2, certs, config })
  const fleet = async (of: string): Promise<number> =>
    (await scrape(cluster.node(1))).of(`fridge_fleet_${of}`)
  await until(async () => (await fleet('alarms not acknowledged')) === 2)
  t.is(await fleet('alarms acknowledged'), 0)
  t.is(await fleet('sensors unavailable'), 2)
  t.is(await fleet('sensors available'), 2)
})

test('why a link ended is one of a closed set, whatever the other end says', t => {
  t.is(linkEndReason('dead'), 'dead')
  t.is(linkEndReason('x"} 1\nfridge_ready 0'), 'other')
  t.is(linkEndReason('__proto__'), 'other')
})

test('a certificate is due for renewal from two thirds of its lifetime on, and the authority with it', async t => {
  const credentials = await certs.load('node', parseName('node-1'))
  const { identity } = credentials
  let now = renewFrom(identity) - 1_000
  using metrics = new Metrics({ ...quietSource(credentials), clock: { now: () => now } })
  const early = new Samples(await metrics.text())
  t.is(early.of('fridge_certificate_expiry_timestamp_seconds node'), identity.notAfter / 1_000)
  t.is(early.of('fridge_certificate_left_seconds node'), (identity.notAfter - now) / 1_000)
  t.is(early.of('fridge_certificate_renewal_due node'), 0)
  t.is(early.of('fridge_certificate_renewal_due authority'), 0)

  now += 1_000
  const due = new Samples(await metrics.text())
  t.is(due.of('fridge_certificate_renewal_due node'), 1)
  t.is(due.of('fridge_certificate_renewal_due authority'), 0)

  const end = due.of('fridge_certificate_expiry_timestamp_seconds authority') * 1_000
  t.true(end > identity.notAfter)
  now = end + 5_000
  const late = new Samples(await metrics.text())
  t.is(late.of('fridge_certificate_left_seconds authority'), -5)
  t.is(late.of('fridge_certificate_renewal_due authority'), 1)
})

test('the names are those of Prometheus: base units, counters end in _total, each has its help', async t => {
  using metrics = new Metrics(quietSource(await certs.load('node', parseName('node-1'))))
  const text = await metrics.text()
  const { types, labels } = new Samples(text)
  t.true(types.size > 25)
  for (const [name, type] of types) {
    t.regex(name, /^(fridge|process|nodejs)_[a-z_]+$/)
    t.is(name.endsWith('_total'), type === 'counter', name)
    t.notRegex(name, /_(ms|milliseconds|days|kb|percent)(_|$)/)
    t.regex(text, new RegExp(`^# HELP ${name} [A-Z].*[.]$`, 'm'))
    // No address and no name from outside is ever a label.
    for (const label of labels.get(name) ?? []) {
      t.regex(
        label,
        /^(role|reason|outcome|state|kind|certificate|percentile|node|version|runtime)$/,
      )
    }
  }
})

test('two nodes in one process have metrics of their own', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs, config: METRICS_ON })
  await cluster.grant(1, 'c1')
  await using _client = await cluster.client(2, 'c1')
  const one = await ask(cluster.node(1), '/metrics')
  const two = await ask(cluster.node(2), '/metrics')
  t.is(new Samples(one.text).of('fridge_connections client'), 0)
  t.is(new Samples(two.text).of('fridge_connections client'), 1)
  t.regex(one.text, /fridge_build_info\{node="node-1",version="[^"]+",runtime="v\d+[^"]*"\} 1/)
})

test('the dashboard asks only for metrics that a node has, by labels that they have', async t => {
  const file = new URL('../../../cluster/grafana-dashboard.json', import.meta.url)
  const dashboard = await readFile(file, 'utf8')
  await using cluster = await startCluster(t, { nodes: 2, certs, config: METRICS_ON })
  const { types, labels } = await scrape(cluster.node(1))
  const asked = new Set(dashboard.match(/\b(fridge|process|nodejs)_[a-z_]+\b/g))
  t.deepEqual(
    [...asked].filter(name => !types.has(name)),
    [],
  )
  const unseen = [...types.keys()].filter(name => name.startsWith('fridge_') && !asked.has(name))
  t.deepEqual(unseen, [], 'each metric of a node has its place on the dashboard')
  for (const [, name = '', selector = ''] of dashboard.matchAll(/\b(fridge_[a-z_]+)\{([^}]*)\}/g)) {
    for (const [, label = ''] of selector.matchAll(/([a-z]+)(?:=|!=|=~|!~)\\"/g)) {
      if (label === 'job' || label === 'instance') continue
      t.true(labels.get(name)?.includes(label), `${name} has no label ${label}`)
    }
  }
})
