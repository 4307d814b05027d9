import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { makeSharedCerts, startCluster, until, type Cluster } from '../support/cluster.ts'
import { calling, connectRaw, opening, type RawPeer } from '../support/raw-peer.ts'
import { METRICS_ON, scrape } from '../support/scrape.ts'
import { SkipClock } from '../support/skip-clock.ts'
import { standingClock } from '../support/standing-clock.ts'

/** Peers that send too much, read nothing or say nothing. */

const shared = await makeSharedCerts()
const { certs } = shared
const [attacker, bystander] = await Promise.all([
  certs.load('client', 'c1'),
  certs.load('client', 'c2'),
])
test.after.always(() => shared.remove())

const RPC = 'a1'

/** A node with both clients on its list, and one of them connected. */
async function start(
  t: ExecutionContext,
  options: Parameters<typeof startCluster>[1] = {},
): Promise<{ cluster: Cluster; witness: RawPeer }> {
  const config = { simulation: { readingIntervalMs: 100 }, ...options.config }
  const cluster = await startCluster(t, { certs, ...options, config })
  await cluster.grant(1, 'c1')
  await cluster.grant(1, 'c2')
  const witness = await connectRaw(t, cluster.node(1).address, bystander)
  await witness.stream('door')
  return { cluster, witness }
}

/** The node goes on serving who was there, and who comes. */
async function isUnharmed(cluster: Cluster, witness: RawPeer): Promise<boolean> {
  await witness.lines.find(/reading/, witness.lines.all.length)
  await using late = await cluster.client(1, 'c2')
  return late.sensors.length === 2
}

test('a client that calls without end and reads no answer is cut', async t => {
  const { cluster, witness } = await start(t, {
    config: { limits: { maxBufferedBytes: 16_384, maxFramesPerSecond: 1_000_000 } },
  })
  await using _cluster = cluster
  const peer = await connectRaw(t, cluster.node(1).address, attacker)
  peer.frames(opening(RPC, 'rpc'))
  await peer.stream('door')
  peer.socket.pause()
  for (let id = 0; !peer.socket.destroyed; id += 500) {
    const lines = Array.from(
      { length: 500 },
      (_, index) => `${JSON.stringify(calling(RPC, id + index))}\n`,
    )
    const isDrained = peer.socket.write(lines.join(''))
    if (isDrained) await nextTurn()
    else await Promise.race([once(peer.socket, 'drain').catch(() => {}), peer.closed])
  }
  await cluster.log.find(
    ({ text, fields }) => text.startsWith('cut') && fields['subject'] === 'client/c1',
  )
  t.true(await isUnharmed(cluster, witness))
})

test('a client that opens 20,000 streams is cut', async t => {
  const { cluster, witness } = await start(t)
  await using _cluster = cluster
  const peer = await connectRaw(t, cluster.node(1).address, attacker)
  peer.frames(...Array.from({ length: 20_000 }, (_, id) => opening(id.toString(16), 'rpc')))
  await peer.closed
  t.true(await isUnharmed(cluster, witness))
})

for (const [title, text] of [
  ['pauses a stream', '["a1","pause"]\n'],
  ['sends blank lines', '\n'],
  ['opens and closes streams', ''],
] as const) {
  test(`a client that ${title} without end is read more slowly, and not cut`, async t => {
    const { cluster, witness } = await start(t, {
      config: { ...METRICS_ON, limits: { maxFramesPerSecond: 50 } },
    })
    await using _cluster = cluster
    const peer = await connectRaw(t, cluster.node(1).address, attacker)
    peer.frames(opening(RPC, 'rpc'))
    await peer.stream('door')
    if (text === '') peer.frames([RPC, 'close'])
    let id = 0xb0
    const churn = (): string => {
      const own = (id += 1).toString(16)
      return `${JSON.stringify(opening(own, 'rpc'))}\n["${own}","close"]\n`
    }
    for (let frame = 0; frame < 2_000; frame += 1) peer.send(text === '' ? churn() : text)
    const { fields } = await cluster.log.find(line => line.text.startsWith('throttled'))
    t.is(fields['subject'], 'client/c1')
    t.true(await isUnharmed(cluster, witness))
    t.false(peer.socket.destroyed)
    const samples = await scrape(cluster.node(1))
    t.true(samples.of('fridge_client_throttles_total') > 0)
  })
}

test('a client that opens and closes rpc 4,000 times costs nobody else anything', async t => {
  const { cluster, witness } = await start(t)
  await using _cluster = cluster
  const peer = await connectRaw(t, cluster.node(1).address, attacker)
  for (let id = 0; id < 4_000; id += 500) {
    const ids = Array.from({ length: 500 }, (_, index) => (id + index).toString(16))
    peer.frames(...ids.flatMap(one => [opening(one, 'rpc'), [one, 'close']]))
    await nextTurn()
  }
  t.true(await isUnharmed(cluster, witness))
})

for (const [title, head] of [
  ['a line of 64 MiB', '"'],
  ['a line of 64 MiB within a stream', `["${RPC}","data","`],
] as const) {
  test(`${title} is cut long before its end`, async t => {
    const { cluster, witness } = await start(t)
    await using _cluster = cluster
    const peer = await connectRaw(t, cluster.node(1).address, attacker)
    peer.frames(opening(RPC, 'rpc'))
    peer.send(head)
    const chunk = Buffer.alloc(65_536, 'x')
    let sent = 0
    for (; sent < 64 * 1_048_576 && !peer.socket.destroyed; sent += chunk.length) {
      if (peer.socket.write(chunk)) await nextTurn()
      else await Promise.race([once(peer.socket, 'drain').catch(() => {}), peer.closed])
    }
    await peer.closed
    t.true(sent < 64 * 1_048_576)
    t.true(await isUnharmed(cluster, witness))
  })
}

test('a client that never reads is cut as too slow, and nobody waits for it', async t => {
  const { cluster, witness } = await start(t, {
    config: { limits: { maxBufferedBytes: 16_384 } },
  })
  await using _cluster = cluster
  const slow = await connectRaw(t, cluster.node(1).address, attacker)
  await slow.stream('temperature')
  slow.socket.pause()
  const fridge = cluster.node(1).fridge
  const isCut = (): boolean => cluster.log.lines.some(({ text }) => text === 'cut: too slow')
  for (let moves = 0; !isCut() && moves < 1_000_000; moves += 100) {
    for (let half = 0; half < 50; half += 1) {
      fridge?.openDoor()
      fridge?.closeDoor()
    }
    const before = witness.lines.all.length
    await witness.lines.find(/close/, before)
  }
  const cut = cluster.log.lines.filter(({ text }) => text === 'cut: too slow')
  t.deepEqual(
    cut.map(({ fields }) => fields['subject']),
    ['client/c1'],
  )
  t.true(await isUnharmed(cluster, witness))
})

test('a client of fridge/1 that connects and says nothing is closed after a while', async t => {
  const clock = new SkipClock()
  const { cluster, witness } = await start(t, { clock })
  await using _cluster = cluster
  const mute = await connectRaw(t, cluster.node(1).address, attacker, { alpn: true })
  await mute.stream('control')
  await until(async () => {
    clock.skip(3_000)
    await using operator = await cluster.operator(1)
    await operator.status()
    return mute.socket.destroyed
  })
  await mute.closed
  t.true(await isUnharmed(cluster, witness))
})

test('a plain client that is idle stays, also with half a line, and may end it an hour later', async t => {
  const clock = new SkipClock()
  const { cluster, witness } = await start(t, { clock })
  await using _cluster = cluster
  const slow = await connectRaw(t, cluster.node(1).address, attacker)
  const line = `${JSON.stringify(opening(RPC, 'rpc'))}\n`
  slow.send(line.slice(0, 9))
  await slow.stream('door')
  clock.skip(3_600_000)
  for (const peer of [slow, witness]) await peer.lines.find(/reading/, peer.lines.all.length)
  slow.send(line.slice(9))
  await slow.lines.find(/methods/)
  t.true(await isUnharmed(cluster, witness))
})

test('a node that connects and says nothing is closed after a while', async t => {
  const clock = new SkipClock()
  const { cluster, witness } = await start(t, { clock })
  await using _cluster = cluster
  const credentials = await certs.load('node', 'node-2')
  const mute = await connectRaw(t, cluster.node(1).address, credentials, { alpn: true })
  await mute.stream('control')
  await until(async () => {
    clock.skip(1_000)
    await using operator = await cluster.operator(1)
    await operator.status()
    return mute.socket.destroyed
  })
  await mute.closed
  t.true(await isUnharmed(cluster, witness))
})

test('one address that opens connections without end is slowed down, and those who are there stay', async t => {
  const { cluster, witness } = await start(t, {
    config: { tls: { handshakeBurst: 20, handshakesPerSecond: 1 } },
    clock: standingClock(),
  })
  await using _cluster = cluster
  const peers = await Promise.all(
    Array.from({ length: 40 }, async () => connectRaw(t, cluster.node(1).address, attacker)),
  )
  const refused = peers.filter(peer => peer.failure() !== undefined)
  t.true(refused.length > 0)
  await cluster.log.find(({ text }) => text === 'too many handshakes from one address')
  await witness.lines.find(/reading/, witness.lines.all.length)
})
