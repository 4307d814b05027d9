import test, { type ExecutionContext } from 'ava'
import { COMMANDS } from '../../../node/sensors/commands.ts'
import { CLIENT_LIMITS } from '../../../node/wire/limits.ts'
import { makeSharedCerts, startCluster, type Cluster } from '../../support/cluster.ts'
import { carrying, connectRaw, type RawPeer } from '../../support/raw-peer.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

/** A client of `fridge/1` that says what a test wants, with the hello of its node. */
async function greet(
  t: ExecutionContext,
  cluster: Cluster,
): Promise<{ peer: RawPeer; hello: Record<string, unknown>; say: (hello: object) => void }> {
  const peer = await connectRaw(t, cluster.node(1).address, await certs.load('client', 'c1'), {
    alpn: true,
  })
  const control = await peer.stream('control')
  const line = await peer.lines.find(/\\"hello\\"/)
  const [, , text] = JSON.parse(line) as [string, string, string]
  const [, hello] = JSON.parse(text) as [string, Record<string, unknown>]
  return {
    peer,
    hello,
    say: more =>
      peer.frames(carrying(control, JSON.stringify(['hello', { protocol: 1, ...more }]))),
  }
}

/** The lines that came on a stream, up to one that fits. */
async function said(peer: RawPeer, stream: string, until: RegExp): Promise<string[]> {
  const on = `["${stream}","data",`
  await peer.lines.find(new RegExp(`^\\["${stream}","data",.*${until.source}`))
  return peer.lines.all
    .filter(line => line.startsWith(on))
    .map(line => (JSON.parse(line) as [string, string, string])[2].trim())
}

test('a node says who it is, in which run, what there is and what it bears', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const { hello } = await greet(t, cluster)
  const { maxLineBytes, maxDepth, maxStreams, maxPendingCalls } = CLIENT_LIMITS
  const { maxBufferedBytes, maxStalledMs } = CLIENT_LIMITS
  const { run, version, time, ...rest } = hello
  t.is(typeof time, 'number')
  t.regex(String(run), /^node-1#[0-9a-f]{16}$/)
  t.regex(String(version), /^\d+\.\d+\.\d+/)
  t.deepEqual(rest, {
    protocol: 1,
    node: 'node-1',
    sensors: [
      { name: 'door', kind: 'door' },
      { name: 'temperature', kind: 'temperature' },
    ],
    commands: [...COMMANDS],
    heartbeat: { heartbeatMs: 3_000, deadAfterMs: 6_000 },
    limits: {
      maxLineBytes,
      maxDepth,
      maxStreams,
      maxPendingCalls,
      maxBufferedBytes,
      maxStalledMs,
      maxFramesPerSecond: 250,
    },
  })
})

test('who has heard another run is sent nothing again', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const { peer, say } = await greet(t, cluster)
  const door = await peer.stream('door')
  say({ resume: { run: 'node-1#0123456789abcdef', sensors: { door: 1, temperature: 1 } } })
  cluster.node(1).fridge?.openDoor()
  const heard = await said(peer, door, /open/)
  t.is(heard.length, 2)
  t.regex(heard[0] ?? '', /^\["close",\d+,1\]$/)
  t.regex(heard[1] ?? '', /^\["open",\d+,2\]$/)
})

test('a sensor that a wider grant opens later is resumed then, once', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1', { sensors: ['temperature'] })
  const { peer, hello, say } = await greet(t, cluster)
  const { fridge } = cluster.node(1)
  await peer.stream('temperature')
  say({ resume: { run: hello['run'], sensors: { door: 1, cellar: 3 } } })
  fridge?.openDoor()
  fridge?.closeDoor()
  await cluster.grant(1, 'c1')
  const door = await peer.stream('door')
  const heard = await said(peer, door, /resumed/)
  t.deepEqual(
    heard.map(line => line.replace(/,\d{13}/, '')),
    ['["close",3]', '["open",2]', '["close",3]', '["resumed"]'],
  )
  await cluster.grant(1, 'c1', { sensors: ['temperature'] })
  const before = peer.lines.all.length
  await cluster.grant(1, 'c1')
  const opened = await peer.lines.find(/"new",\{"meta":"door"/, before)
  const [again] = JSON.parse(opened) as [string]
  fridge?.openDoor()
  t.is((await said(peer, again, /open/)).length, 2)
})

test('a stream that the client has closed is not opened again, one that a grant closed is', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const { peer } = await greet(t, cluster)
  const door = await peer.stream('door')
  await peer.stream('temperature')
  peer.frames([door, 'end'])
  await peer.lines.find(new RegExp(`^\\["${door}","close"\\]`))
  const from = peer.lines.all.length
  await cluster.grant(1, 'c1', { sensors: ['door'] })
  await cluster.grant(1, 'c1')
  await peer.lines.find(/"new",\{"meta":"temperature"/, from)
  t.false(peer.lines.all.slice(from).some(line => line.includes('"new",{"meta":"door"')))
})
