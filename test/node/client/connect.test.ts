import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import test from 'ava'
import { systemClock } from '../../../node/lib/clock.ts'
import { connect } from '../../../node/client/connect.ts'
import { layCable } from '../../support/cable.ts'
import { clientOptions, listen } from '../../support/client-listener.ts'
import { makeSharedCerts, startCluster, type Cluster } from '../../support/cluster.ts'
import { SkipClock } from '../../support/skip-clock.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

/** Open and close the door so many times. */
function move(cluster: Cluster, index: number, times: number): void {
  const { fridge } = cluster.node(index)
  for (let time = 0; time < times; time += 1) {
    fridge?.openDoor()
    fridge?.closeDoor()
  }
}

test('an iteration begins with how things are, and goes on with what happens', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  await using fridge = await connect(clientOptions(cluster, [1]))
  t.is(fridge.node, cluster.node(1).name)
  const first = listen(fridge)
  t.deepEqual(await first.until('door close'), ['connected node-1', 'door close'])
  cluster.node(1).fridge?.openDoor()
  t.deepEqual(await first.until('door open'), ['door open'])
  t.deepEqual(await listen(fridge).until('door open'), ['connected node-1', 'door open'])
  for await (const event of fridge.events({ sensor: 'temperature' })) {
    t.like(event, { type: 'reading', sensor: 'temperature', kind: 'temperature', unit: 'C' })
    break
  }
})

test('who comes back to the same run hears each move of the door that it missed, once', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const cable = await layCable(t, cluster.node(1).address)
  await using fridge = await connect(clientOptions(cluster, [cable.address]))
  const door = fridge.events({ sensor: 'door' })
  const sequences: number[] = []
  const next = async (): Promise<void> => {
    const { value } = await door.next()
    if (value?.type === 'open' || value?.type === 'close') sequences.push(value.sequence)
    else t.fail(JSON.stringify(value))
  }
  await next()
  const listener = listen(fridge)
  cable.unplug()
  await listener.until('lost node-1 ERR_CLOSED')
  move(cluster, 1, 3)
  cable.plug()
  t.deepEqual(await listener.until('connected node-1 resumed'), ['connected node-1 resumed'])
  move(cluster, 1, 1)
  for (let count = 0; count < 8; count += 1) await next()
  t.deepEqual(sequences, [1, 2, 3, 4, 5, 6, 7, 8, 9])
  const admitted = cluster.log.lines.filter(
    ({ text, fields }) => text === 'admitted' && fields['subject'] === 'client/c1',
  )
  t.deepEqual(
    admitted.map(({ fields }) => fields['resumed']),
    [false, true],
  )
})

test('who was away for longer than the node remembers is told how many it missed', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const cable = await layCable(t, cluster.node(1).address)
  await using fridge = await connect(clientOptions(cluster, [cable.address]))
  const listener = listen(fridge)
  await listener.until('door close')
  cable.unplug()
  await listener.until('lost node-1 ERR_CLOSED')
  move(cluster, 1, 50)
  // The node has read its door when others hear of it.
  await using witness = await cluster.client(1, 'c1')
  t.truthy(witness.node)
  cable.plug()
  const back = await listener.until('door open')
  t.deepEqual(back, ['connected node-1 resumed', 'door missed 36', 'door open'])
})

test('on another node numbers begin anew, and the client is told so', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  await using fridge = await connect(clientOptions(cluster, [1, 2]))
  const listener = listen(fridge)
  await listener.until('door close')
  await cluster.stop(1)
  const heard = await listener.until('door close')
  t.deepEqual(heard, ['lost node-1 ERR_CLOSED', 'connected node-2', 'door close'])
  await cluster.start(1)
  await cluster.stop(2)
  t.deepEqual((await listener.until('door close')).slice(1), ['connected node-1', 'door close'])
})

test('a sensor that the grant no longer allows is withdrawn, and begins anew when it is allowed', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  await using fridge = await connect(clientOptions(cluster, [1]))
  const door = fridge.events({ sensor: 'door' })
  t.is((await door.next()).value?.type, 'close')
  await cluster.grant(1, 'c1', { sensors: ['temperature'] })
  t.deepEqual((await door.next()).value, {
    type: 'withdrawn',
    node: cluster.node(1).name,
    sensor: 'door',
  })
  const now: string[] = []
  for await (const { type } of fridge.events()) {
    now.push(type)
    if (now.length === 2) break
  }
  t.deepEqual(now, ['connected', 'reading'])
  move(cluster, 1, 2)
  await cluster.grant(1, 'c1')
  t.like((await door.next()).value, { type: 'close', sequence: 5 })
})

test('a node that falls silent is left for the next one', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  const cable = await layCable(t, cluster.node(1).address)
  const clock = new SkipClock()
  await using fridge = await connect({ ...clientOptions(cluster, [cable.address, 2]), clock })
  const listener = listen(fridge)
  await listener.until('door close')
  cable.silence()
  for (let beat = 0; beat < 4; beat += 1) {
    clock.skip(3_000)
    // Behind whatever fell due.
    await clock.sleep(0)
  }
  const heard = await listener.until('door close')
  t.deepEqual(heard, ['lost node-1 ERR_TIMEOUT', 'connected node-2', 'door close'])
  t.is(cable.connections, 1)
})

test('while no node answers the tries thin out, up to the limit, at random', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const cable = await layCable(t, cluster.node(1).address)
  const slept: number[] = []
  const retry = { minMs: 100, maxMs: 2_000 }
  const sleep = async (ms: number): Promise<void> => {
    slept.push(ms)
    if (slept.length === 8) cable.plug()
  }
  await using fridge = await connect({
    ...clientOptions(cluster, [cable.address]),
    retry,
    clock: { ...systemClock, sleep },
    random: () => 0.5,
  })
  const listener = listen(fridge)
  await listener.until('door close')
  cable.unplug()
  await listener.until('connected node-1 resumed')
  // The middle between 50 ms and what doubles from 200 ms up to 2000.
  t.deepEqual(slept, [125, 225, 425, 825, 1_025, 1_025, 1_025, 1_025])
})

test('a node that lets a client in and loses it at once is not asked without pause', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const cable = await layCable(t, cluster.node(1).address)
  let slept = 0
  const sleep = async (): Promise<void> => void (slept += 1)
  await using fridge = await connect({
    ...clientOptions(cluster, [cable.address]),
    clock: { ...systemClock, sleep },
  })
  const listener = listen(fridge)
  await listener.until('door close')
  for (let time = 0; time < 4; time += 1) {
    cable.cut()
    await listener.until('connected node-1 resumed')
  }
  t.is(slept, 3)
})

test('commands are called with arguments and options, and fail with codes', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1', { commands: ['setTargetTemperature', 'defrost'] })
  await using fridge = await connect(clientOptions(cluster, [1]))
  t.is(await fridge.call('setTargetTemperature', 6), 'target temperature set to 6 °C')
  t.regex(await fridge.call('defrost', { timeoutMs: 20_000 }), /./)
  await t.throwsAsync(fridge.call('powerOff'), { code: 'ERR_REFUSED' })
  await t.throwsAsync(fridge.call('setTargetTemperature', 99), { code: 'ERR_COMMAND' })
  const reason = new Error('enough')
  const signal = AbortSignal.abort(reason)
  await t.throwsAsync(fridge.call('defrost', { signal }), { is: reason })
})

test('a call ends with its deadline, with its node, and with its client', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const cable = await layCable(t, cluster.node(1).address)
  const clock = new SkipClock()
  const fridge = await connect({ ...clientOptions(cluster, [cable.address]), clock })
  const listener = listen(fridge)
  await listener.until('door close')
  cable.silence()
  const late = t.throwsAsync(fridge.call('defrost', { timeoutMs: 2_000 }), { code: 'ERR_TIMEOUT' })
  clock.skip(2_000)
  await late
  const lost = t.throwsAsync(fridge.call('defrost'), { message: /closed the connection/ })
  cable.unplug()
  await lost
  await listener.until('lost node-1 ERR_CLOSED')
  await t.throwsAsync(fridge.call('defrost'), { message: 'no node is connected' })
  cable.plug()
  clock.skip(60_000)
  await listener.until('connected node-1 resumed')
  cable.silence()
  const closed = t.throwsAsync(fridge.call('defrost'), { code: 'ERR_CLOSED' })
  await fridge.close()
  await closed
})

test('iterations return when the client is closed, and a closed client is closed for good', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const fridge = await connect(clientOptions(cluster, [1]))
  const all = Array.fromAsync(fridge.events())
  const door = fridge.events({ sensor: 'door' })
  await door.next()
  await fridge.close()
  t.true(Array.isArray(await all))
  t.deepEqual(await door.next(), { done: true, value: undefined })
  t.is((await fridge.ended).code, 'ERR_CLOSED')
  t.is(fridge.node, undefined)
  await fridge.close()
})

test('a signal ends connecting, one iteration, or the client, with its reason', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const reason = new Error('enough')
  const given = { ...clientOptions(cluster, [1]), signal: AbortSignal.abort(reason) }
  await t.throwsAsync(connect(given), { is: reason })
  const silent = createServer(socket => t.teardown(() => socket.destroy())).listen(0, '127.0.0.1')
  t.teardown(() => silent.close())
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const early = new AbortController()
  const connecting = connect({
    ...clientOptions(cluster, [`127.0.0.1:${port}`]),
    signal: early.signal,
  })
  const ended = t.throwsAsync(connecting, { is: reason })
  await once(silent, 'connection')
  early.abort(reason)
  await ended
  const whole = new AbortController()
  const one = new AbortController()
  const fridge = await connect({ ...clientOptions(cluster, [1]), signal: whole.signal })
  const events = fridge.events({ signal: one.signal })
  const others = listen(fridge)
  await events.next()
  one.abort(reason)
  await t.throwsAsync(events.next(), { is: reason })
  await others.until('door close')
  whole.abort(reason)
  await t.throwsAsync(others.until('never'), { is: reason })
  t.is((await fridge.ended).cause, reason)
})

test('options that make no sense are refused before any node is asked', async t => {
  const nobody = { certs: certs.dir, as: 'c1' }
  await t.throwsAsync(connect({ ...nobody, nodes: [] }), { instanceOf: TypeError })
  await t.throwsAsync(connect({ ...nobody, nodes: ['nowhere'] }), { code: 'ERR_USAGE' })
  const absent = { nodes: ['127.0.0.1:1'], certs: certs.dir, as: 'c9' }
  await t.throwsAsync(connect(absent), { code: 'ERR_KEY_FILE' })
})
