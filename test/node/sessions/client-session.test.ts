import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { startCluster, makeSharedCerts, type Cluster } from '../../support/cluster.ts'
import { Lines, spawnProgram } from '../../support/cli.ts'
import { connectStock, type StockRemote } from './stock-client.mjs'

/** A client over the unmodified packages alone: what it needs must never change. */

const shared = await makeSharedCerts()
test.after.always(() => shared.remove())

const PROGRAM = fileURLToPath(new URL('stock-client.mjs', import.meta.url))

interface Stock {
  /** Each event as JSON: `["door","close",1792…]`. */
  readonly events: Lines
  readonly remote: Promise<StockRemote>
  readonly call: (method: string, ...values: unknown[]) => Promise<[error: unknown, text: unknown]>
  destroy(): void
}

function connect(t: ExecutionContext, cluster: Cluster, index: number, name = 'c1'): Stock {
  const events = new Lines()
  const { promise: remote, resolve } = Promise.withResolvers<StockRemote>()
  const { host, port } = cluster.node(index).address
  const socket = connectStock(
    { host, port, certs: cluster.certs.dir, name },
    (...values) => {
      events.push(JSON.stringify(values))
      if (values[0] === 'socket' && values[1] === 'close') events.end()
    },
    resolve,
  )
  t.teardown(() => socket.destroy())
  return {
    events,
    remote,
    call: async (method, ...values) => {
      const { [method]: fn } = await remote
      if (fn === undefined) throw new Error(`no method ${method}`)
      return new Promise(answer => {
        fn(...values, (error: unknown, text: unknown) => answer([error, text]))
      })
    },
    destroy: () => void socket.destroy(),
  }
}

test('a stock client gets the streams door and temperature, their last events at once and later ones live', async t => {
  await using cluster = await startCluster(t, { certs: shared.certs })
  await cluster.grant(1, 'c1')
  const { events } = connect(t, cluster, 1)
  await events.find(/^\["door","close",\d{13}\]$/)
  await events.find(/^\["temperature","reading",[\d.]+,"C"\]$/)
  const streams = events.all.filter(line => line.endsWith('"stream"]'))
  t.deepEqual(streams.sort(), ['["door","stream"]', '["temperature","stream"]'])

  const before = events.all.length
  cluster.node(1).fridge?.openDoor()
  await events.find(/^\["door","open",\d{13}\]$/, before)
  cluster.node(1).fridge?.closeDoor()
  await events.find(/^\["door","close",\d{13}\]$/, before)

  const late = connect(t, cluster, 1)
  await late.events.find(/^\["door","close",/)
  t.false(late.events.text.includes('"open"'))
})

test('a stock client works the fridge by all four commands', async t => {
  await using cluster = await startCluster(t, { certs: shared.certs })
  await cluster.grant(1, 'c1')
  const { call, remote } = connect(t, cluster, 1)
  t.deepEqual(Object.keys(await remote).sort(), [
    'defrost',
    'powerOff',
    'powerOn',
    'setTargetTemperature',
  ])
  const state = () => cluster.node(1).fridge?.state()
  t.deepEqual(await call('setTargetTemperature', 7), [null, 'target temperature set to 7 °C'])
  t.is(state()?.target, 7)
  const [error, text] = await call('defrost')
  t.is(error, null)
  t.is(typeof text, 'string')
  t.true((state()?.defrostLeftMs ?? 0) > 0)
  t.is((await call('powerOff'))[0], null)
  t.is(state()?.isPowered, false)
  const [refusal] = await call('defrost')
  t.regex(String(refusal), /the power is off/)
  t.is((await call('powerOn'))[0], null)
  t.is(state()?.isPowered, true)
  const [tooWarm] = await call('setTargetTemperature', 90)
  t.regex(String(tooWarm), /must be from -30 to 15/)
  t.is(state()?.target, 7)
})

test('a stock client that calls what its grant does not allow hears words, and nothing else', async t => {
  await using cluster = await startCluster(t, { certs: shared.certs })
  await cluster.grant(1, 'c1', { commands: ['defrost'] })
  const { call } = connect(t, cluster, 1)
  t.deepEqual(await call('powerOff'), ['the grant does not allow powerOff', undefined])
})

test('a stock client is cut when it is revoked through another node, and not let in again', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs: shared.certs })
  await cluster.grant(1, 'c1')
  await cluster.grant(1, 'c2')
  const cut = connect(t, cluster, 1, 'c1')
  const kept = connect(t, cluster, 1, 'c2')
  await cut.events.find(/"reading"/)
  await kept.events.find(/"reading"/)
  await cluster.revoke(2, 'c1')
  await cut.events.find(/^\["socket","close"\]$/)
  const said = cut.events.all.length
  const before = kept.events.all.length
  cluster.node(1).fridge?.openDoor()
  await kept.events.find(/^\["door","open"/, before)
  t.is(cut.events.all.length, said)

  for (const index of [1, 2]) {
    const again = connect(t, cluster, index, 'c1')
    await again.events.find(/^\["socket","close"\]$/)
    t.false(again.events.text.includes('"stream"'))
  }
})

test('the stock client as a program of its own is served, acts, and ends when it is cut', async t => {
  await using cluster = await startCluster(t, { certs: shared.certs })
  await cluster.grant(1, 'c1')
  const { host, port } = cluster.node(1).address
  const client = spawnProgram(t, [PROGRAM, host, String(port), cluster.certs.dir, 'c1'])
  await client.out.find(/^\["door","close",\d{13}\]$/)
  await client.out.find(/^\["temperature","reading",/)
  await client.out.find(/^\["setTargetTemperature",null,"target temperature set to 6 °C"\]$/)
  await client.out.find(/^\["defrost",null,/)
  t.is(cluster.node(1).fridge?.state().target, 6)
  cluster.node(1).fridge?.openDoor()
  await client.out.find(/^\["door","open",/)
  await cluster.revoke(1, 'c1')
  t.is(await client.exit, 0)
  t.is(client.out.all.at(-1), '["socket","close"]')
  t.is(client.err.text, '')
})
