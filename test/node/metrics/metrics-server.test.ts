import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import test from 'ava'
import type { FridgeNumbers } from '../../../node/alarms/numbers.ts'
import { formatAddress } from '../../../node/lib/address.ts'
import { DEFAULT_METRICS } from '../../../node/config/config.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import { MetricsServer } from '../../../node/metrics/metrics-server.ts'
import { parseName } from '../../../node/identity/names.ts'
import {
  ClusterLog,
  makeSharedCerts,
  ISOLATED_SOON,
  startCluster,
  testConfig,
} from '../../support/cluster.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { freePort } from '../../support/mosquitto.ts'
import { connectRaw } from '../../support/raw-peer.ts'
import { SkipClock } from '../../support/skip-clock.ts'
import { ask, METRICS_ON, quietSource, scrape } from '../../support/scrape.ts'

const shared = await makeSharedCerts()
const { certs } = shared
const c1 = await certs.load('client', 'c1')
test.after.always(() => shared.remove())

interface Served extends AsyncDisposable {
  readonly metrics: MetricsServer['address']
  readonly clock: FakeClock
  readonly log: ClusterLog
  why: string | undefined
  numbers: FridgeNumbers
  /** How often it was asked whether it is ready. */
  looks: number
}

/** The server by itself, over a node in which nothing happens. */
async function serve(listen: string | undefined = '127.0.0.1:0'): Promise<Served> {
  const clock = new FakeClock()
  const log = new ClusterLog()
  const config = testConfig('node-1', { certs: '', data: '', config: { metrics: { listen } } })
  const server = await MetricsServer.start({
    config: config.metrics,
    source: {
      ...quietSource(await certs.load('node', parseName('node-1'))),
      numbers: () => served.numbers,
    },
    whyNotReady: () => {
      served.looks += 1
      return served.why
    },
    clock,
    log: log.of('node-1'),
  })
  if (server === undefined) throw new Error('it serves no metrics')
  const served: Served = {
    metrics: server.address,
    clock,
    log,
    why: undefined,
    numbers: { sensors: [], alarms: [], receivers: [] },
    looks: 0,
    [Symbol.asyncDispose]: async () => server[Symbol.asyncDispose](),
  }
  return served
}

/** Send bytes, and hear all that comes back until the end. */
async function exchange({ metrics }: Served, bytes: string): Promise<string> {
  const socket = connect(metrics)
  socket.on('error', () => {}).write(bytes)
  return text(socket)
}

/** Read and drop what comes, until the connection is over, however it ended. */
async function closed(socket: Socket): Promise<void> {
  socket.on('error', () => {}).resume()
  if (socket.closed) return
  await new Promise(resolve => {
    socket.once('close', resolve)
  })
}

test('health is that it answers, readiness that it serves clients, and the rest is refused', async t => {
  await using served = await serve()
  const health = await ask(served, '/healthz')
  t.is(health.status, 200)
  t.is(health.text, 'ok\n')
  t.is((await ask(served, '/readyz?verbose')).status, 200)
  served.why = 'stopping'
  const ready = await ask(served, '/readyz')
  t.is(ready.status, 503)
  t.is(ready.text, 'stopping\n')
  t.is((await ask(served, '/healthz')).status, 200)
  const metrics = await ask(served, '/metrics')
  t.is(metrics.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  t.is(metrics.headers.get('cache-control'), 'no-store')
  for (const path of ['/', '/metrics/', '/metrics/../healthz/x', '//metrics', '/-/reload']) {
    t.is((await ask(served, path)).status, 404, path)
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH']) {
    const refused = await ask(served, '/metrics', { method })
    t.is(refused.status, 405, method)
    t.is(refused.headers.get('allow'), 'GET')
  }
})

test('a sensor that is dead is said where readiness is asked for, and takes no node out of service', async t => {
  await using served = await serve()
  const isAvailable = false
  const sensor = { kind: 'temperature', isAvailable, value: undefined } as const
  const silence = { ms: 1_200_000, reason: 'no answer' }
  const dead = { ...sensor, sensor: 'air', silence: { ...silence, sensor: 'air', isTooLong: true } }
  const quiet = { ...sensor, sensor: 'b', silence: { ...silence, sensor: 'b', isTooLong: false } }
  served.numbers = { sensors: [quiet], alarms: [], receivers: [] }
  t.is((await ask(served, '/readyz')).text, 'ok\n')
  served.numbers = { sensors: [quiet, dead], alarms: [], receivers: [] }
  const ready = await ask(served, '/readyz')
  t.is(ready.status, 200)
  t.is(ready.text, 'degraded: air has been unavailable for 20m: no answer\n')
  served.why = 'stopping'
  t.is((await ask(served, '/readyz')).text, 'stopping\n')
})

test('that alarms reach nobody is said where readiness is asked for', async t => {
  await using served = await serve()
  const broker = { receiver: 'broker', waiting: 0, whyNot: undefined } as const
  const webhook = { receiver: 'webhook', waiting: 3, whyNot: 'the webhook: ECONNREFUSED' } as const
  served.numbers = { sensors: [], alarms: [], receivers: [broker, webhook] }
  const { status, text } = await ask(served, '/readyz')
  t.is(status, 200)
  t.is(text, 'degraded: alarms reach not all who are to be told: the webhook: ECONNREFUSED\n')
  const metrics = await ask(served, '/metrics')
  for (const line of [
    'fridge_alarm_receiver_up{receiver="broker"} 1',
    'fridge_alarm_receiver_up{receiver="webhook"} 0',
    'fridge_alarm_changes_waiting{receiver="webhook"} 3',
  ]) {
    t.true(metrics.text.includes(`${line}\n`), line)
  }
})

test('what is no HTTP, or too much of it, is answered by a refusal and the end', async t => {
  await using served = await serve()
  const host = 'Host: x\r\n'
  t.regex(await exchange(served, '\x16\x03\x01 hello\r\n\r\n'), /^HTTP\/1.1 400 /)
  t.regex(await exchange(served, 'GET /healthz HTTP/1.1\r\n\r\n'), /^HTTP\/1.1 400 /)
  const long = `GET /healthz HTTP/1.1\r\n${host}X: ${'x'.repeat(8_192)}\r\n\r\n`
  t.regex(await exchange(served, long), /^HTTP\/1.1 431 /)
  const both = `POST / HTTP/1.1\r\n${host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n`
  t.regex(await exchange(served, both), /^HTTP\/1.1 400 /)
  const connecting = `CONNECT x:1 HTTP/1.1\r\n${host}\r\n`
  t.notRegex(await exchange(served, connecting), /^HTTP\/1.1 200/)
  const upgrade = `GET /healthz HTTP/1.1\r\n${host}Connection: upgrade\r\nUpgrade: h2c\r\n\r\n`
  t.regex(await exchange(served, upgrade), /Connection: close/)
  t.is((await ask(served, '/healthz')).status, 200)
})

test('of many requests in one piece only the first is answered', async t => {
  await using served = await serve()
  const request = 'GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n'
  const answers = await exchange(served, request.repeat(1_000))
  t.is(answers.match(/200 OK/g)?.length, 1)
  t.is(served.looks, 1)
})

test('a connection ends after a while, whatever it does or leaves undone', async t => {
  await using served = await serve()
  const silent = connect(served.metrics)
  const slow = connect(served.metrics)
  slow.write('GET /metrics HTTP/1.1\r\n')
  const sockets = [silent, slow]
  const ends = sockets.map(closed)
  // One that came later has been answered: those before it have been taken.
  t.is((await ask(served, '/healthz')).status, 200)
  await served.clock.advance(5_000)
  slow.write('X: y\r\n')
  await served.clock.advance(5_000)
  await Promise.all(ends)
  t.is(served.clock.pending, 0)
})

test('a flood of one address is cut short, and clients of the node feel nothing of it', async t => {
  await using cluster = await startCluster(t, { certs, config: METRICS_ON })
  await cluster.grant(1, 'c1')
  const node = cluster.node(1)
  const peer = await connectRaw(t, node.address, c1)
  await peer.lines.find(/reading/)
  const { metrics } = node
  if (metrics === undefined) throw new Error('it serves no metrics')
  const sockets: Socket[] = []
  for (let count = 0; count < 200; count += 1) {
    const socket = connect(metrics).on('error', () => {})
    socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
    sockets.push(socket)
  }
  const said = peer.lines.all.length
  node.fridge?.openDoor()
  await peer.lines.find(/\\"open\\"/, said)
  await Promise.all(sockets.map(closed))
  t.is(peer.failure(), undefined)
})

test('of more than a few connections at once the oldest that has asked for nothing gives way', async t => {
  await using served = await serve()
  const sockets = Array.from({ length: 32 }, () => connect(served.metrics).on('error', () => {}))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  await Promise.all(sockets.map(async socket => once(socket, 'connect')))
  const [oldest] = sockets
  if (oldest === undefined) throw new Error('nobody connected')
  t.is((await ask(served, '/readyz')).status, 200)
  await closed(oldest)
  t.is(sockets.filter(socket => socket.closed).length, 1)
})

test('forty connections that never end their request keep nobody from seeing whether a node is ready', async t => {
  await using served = await serve()
  const sockets: Socket[] = []
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  for (let count = 0; count < 40; count += 1) {
    const socket = connect(served.metrics).on('error', () => {})
    sockets.push(socket)
    await once(socket, 'connect')
    socket.write('GET /readyz HTTP/1.1\r\nX: ')
  }
  for (let count = 0; count < 30; count += 1) t.is((await ask(served, '/readyz')).status, 200)
})

test('past its rate an address is hung up on, and a moment later served again', async t => {
  await using served = await serve()
  for (let count = 0; count < 100; count += 1) await ask(served, '/healthz')
  await t.throwsAsync(ask(served, '/healthz'))
  await served.clock.advance(1_000)
  t.is((await ask(served, '/healthz')).status, 200)
})

test('a node is ready once a peer has been heard, not while it stops, and alive all the time', async t => {
  const port = await freePort()
  const metrics = { host: '127.0.0.1', port: await freePort() }
  await using cluster = await startCluster(t, { certs })
  const late = cluster.start(2, {
    peers: [`127.0.0.1:${port}`],
    metrics: { listen: formatAddress(metrics) },
    limits: { drainMs: 60_000 },
  })
  await cluster.log.find(
    ({ node, text: said }) => node === 'node-2' && said === 'cannot reach a peer',
  )
  const starting = await ask({ metrics }, '/readyz')
  t.is(starting.status, 503)
  t.regex(starting.text, /^starting: /)
  t.is((await ask({ metrics }, '/healthz')).status, 200)
  t.is((await scrape({ metrics })).of('fridge_ready'), 0)

  await cluster.stop(1)
  await cluster.start(1, { listen: `127.0.0.1:${port}`, peers: [] })
  const node = await late
  t.is((await ask({ metrics }, '/readyz')).status, 200)
  t.is((await scrape({ metrics })).of('fridge_ready'), 1)

  await cluster.grant(1, 'c1')
  const held = await connectRaw(t, node.address, c1, { alpn: true, allowHalfOpen: true })
  await held.lines.find(/hello/)
  const stopped = cluster.stop(2)
  await held.lines.find(/leaving/)
  const stopping = await ask({ metrics }, '/readyz')
  t.is(stopping.status, 503)
  t.is(stopping.text, 'stopping\n')
  held.socket.destroy()
  await stopped
  await t.throwsAsync(ask({ metrics }, '/healthz'))
})

test('a node that refuses its clients because it is isolated is not ready, until it has a peer again', async t => {
  await using cluster = await startCluster(t, {
    nodes: 2,
    certs,
    config: { ...METRICS_ON, ...ISOLATED_SOON, whenIsolated: 'refuse' },
  })
  const node = cluster.node(1)
  t.is((await ask(node, '/readyz')).status, 200)
  await cluster.stop(2)
  await cluster.log.find(
    ({ node: who, text: said }) => who === 'node-1' && said.startsWith('isolated'),
  )
  const alone = await ask(node, '/readyz')
  t.is(alone.status, 503)
  t.regex(alone.text, /^isolated: /)
  t.is((await scrape(node)).of('fridge_isolated'), 1)
  const from = cluster.log.lines.length
  await cluster.start(2)
  await cluster.log.find(
    ({ node: who, text: said }) => who === 'node-1' && /in reach again/.test(said),
    from,
  )
  t.is((await ask(node, '/readyz')).status, 200)
})

test('a node whose own certificate has expired is not ready: no client would take it', async t => {
  const clock = new SkipClock()
  await using cluster = await startCluster(t, { certs, clock, config: METRICS_ON })
  clock.jump(cluster.node(1).certificateEndsAt + 1_000 - clock.now())
  const { status, text: said } = await ask(cluster.node(1), '/readyz')
  t.is(status, 503)
  t.regex(said, /certificate of this node has expired/)
  t.is((await scrape(cluster.node(1))).of('fridge_certificate_renewal_due node'), 1)
})

test('where nothing was said and the port is taken, a node says so with the fix and starts without', async t => {
  const taken = createServer().listen(DEFAULT_METRICS)
  t.teardown(() => taken.close())
  // Somebody else on this machine may have it: then it is taken all the same.
  await once(taken, 'listening').catch(() => {})
  await using cluster = await startCluster(t, { certs, config: { metrics: {} } })
  t.is(cluster.node(1).metrics, undefined)
  const line = await cluster.log.find(({ text: said }) => /metrics and health are not/.test(said))
  t.is(line.level, 'warn')
  t.regex(String(line.fields['reason']), /127\.0\.0\.1:9464.* in use/)
  t.regex(String(line.fields['fix']), /--metrics HOST:PORT/)
})

test('an address that was asked for must be free', async t => {
  await using served = await serve()
  const error = await t.throwsAsync(serve(formatAddress(served.metrics)), {
    instanceOf: FridgeError,
  })
  t.is(error.code, 'ERR_LISTEN')
  t.regex(error.fix ?? '', /--metrics HOST:PORT/)
})

test('where none is wanted nothing listens, and a stopped one leaves nothing', async t => {
  await t.throwsAsync(serve('off'), { message: 'it serves no metrics' })
  const served = await serve()
  const idle = connect(served.metrics)
  const ended = closed(idle)
  t.is((await ask(served, '/healthz')).status, 200)
  await served[Symbol.asyncDispose]()
  await served[Symbol.asyncDispose]()
  await ended
  await t.throwsAsync(ask(served, '/healthz'))
  t.is(served.clock.pending, 0)
})
