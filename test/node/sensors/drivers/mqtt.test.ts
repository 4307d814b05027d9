import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { promisify } from 'node:util'

import test, { type ExecutionContext } from 'ava'

import type { Credentials } from '../../../../node/identity/credentials.ts'
import { startFeeds } from '../../../../node/sensors/feed.ts'
import type { SensorEvent } from '../../../../node/sensors/kinds.ts'
import { mqttSensor, type MqttSensorOptions } from '../../../../node/sensors/drivers/mqtt.ts'
import { makeTestCerts, makeTestFolder } from '../../../support/certs.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { freePort, startMosquitto } from '../../../support/mosquitto.ts'
import { watchSensor } from '../../../support/watch-sensor.ts'

const topic = 'zigbee2mqtt/fridge'

function sensor(port: number, options: Partial<MqttSensorOptions> = {}) {
  const clock = new FakeClock(Date.UTC(2026, 0, 1))
  return {
    clock,
    sensor: mqttSensor({
      name: 'fridge',
      kind: 'temperature',
      clock,
      broker: `mqtt://127.0.0.1:${port}`,
      topic,
      ...options,
    }),
  }
}

/** What a sensor tells, until the end of the test. */
function watch(t: ExecutionContext, port: number, options: Partial<MqttSensorOptions> = {}) {
  const { clock, sensor: watched } = sensor(port, options)
  const abort = new AbortController()
  const { next, ended } = watchSensor(watched, abort.signal)
  t.teardown(async () => {
    abort.abort()
    await ended()
  })
  return { clock, abort, next }
}

const UNDATED = 'the broker has a value of unknown age: waiting for a new one'

test('what a device publishes is told as it comes', async t => {
  await using broker = await startMosquitto()
  // Its answer shows that it has subscribed.
  await broker.publish(topic, '{"temperature":1}', true)
  const { next, clock } = watch(t, broker.port)
  await next()
  await broker.publish(topic, '{"temperature":5.31,"humidity":48.2}')
  t.deepEqual(await next(), { type: 'reading', value: 5.31, unit: 'C', at: clock.now() })
  await broker.publish(topic, '{"temperature":null}')
  t.like(await next(), { type: 'unavailable', reason: 'a value is no number' })
  await broker.publish('zigbee2mqtt/other', '{"temperature":99}')
  await broker.publish(topic, '-0.4')
  t.like(await next(), { type: 'reading', value: -0.4 })
})

test('a value that the broker has kept is no news, unless it says its time', async t => {
  await using broker = await startMosquitto()
  await broker.publish(topic, '{"temperature":4}', true)
  const { next } = watch(t, broker.port)
  t.like(await next(), { type: 'unavailable', reason: UNDATED })
  await broker.publish(topic, '{"temperature":5}', true)
  t.like(await next(), { type: 'reading', value: 5 })
})

test('a kept value is told at its own time while it is fresh, and never when it is old', async t => {
  await using broker = await startMosquitto()
  const dated = { timeField: 'last_seen', maxAgeMs: 7_200_000, silentAfterMs: 7_200_000 }
  await broker.publish(topic, '{"temperature":4,"last_seen":"2025-12-31T23:00:00Z"}', true)
  const { next } = watch(t, broker.port, dated)
  t.deepEqual(await next(), {
    type: 'reading',
    value: 4,
    unit: 'C',
    at: Date.UTC(2025, 11, 31, 23),
  })
  await broker.publish(topic, '{"temperature":4,"last_seen":"2025-12-29T00:00:00Z"}', true)
  t.like(await next(), { type: 'unavailable' })
  const later = watch(t, broker.port, dated)
  t.like(await later.next(), { type: 'unavailable', reason: 'a value is older than 7200 s' })
  // Without another word, a thermometer is silent after five minutes, so older values are too old.
  await broker.publish(topic, '{"temperature":4,"last_seen":"2025-12-31T23:54:59Z"}', true)
  const usual = watch(t, broker.port, { timeField: 'last_seen' })
  t.like(await usual.next(), { type: 'unavailable', reason: 'a value is older than 300 s' })
})

test('a sensor that has fallen silent stays so when its broker comes back', async t => {
  const port = await freePort()
  const { clock, sensor: watched } = sensor(port)
  const events: SensorEvent[] = []
  await using stack = new AsyncDisposableStack()
  const first = await startMosquitto({ port })
  stack.use(first)
  await first.publish(topic, '1', true)
  const feeds = stack.use(startFeeds([watched], { clock, random: () => 1 }))
  let wake = Promise.withResolvers<void>()
  feeds.subscribe((_sensor, event) => {
    events.push(event)
    wake.resolve()
  })
  const next = async (): Promise<SensorEvent> => {
    for (;;) {
      const event = events.shift()
      if (event !== undefined) return event
      wake = Promise.withResolvers()
      await wake.promise
    }
  }
  t.like(await next(), { reason: UNDATED })
  await first.publish(topic, '5.5', true)
  t.like(await next(), { type: 'reading', value: 5.5 })
  await clock.advance(300_000)
  t.like(await next(), { type: 'unavailable', reason: 'silent for 300 s' })
  await first[Symbol.asyncDispose]()
  t.like(await next(), { type: 'unavailable', reason: 'the broker has closed' })
  const second = stack.use(await startMosquitto({ port }))
  await second.publish(topic, '5.5', true)
  await clock.advance(1_000)
  t.like(await next(), { type: 'unavailable', reason: UNDATED })
})

test('a device that is offline by its availability topic is unavailable, with a kept word too', async t => {
  await using broker = await startMosquitto()
  const lwt = `${topic}/availability`
  const door = { kind: 'door', availability: { topic: lwt } } as const
  await broker.publish(lwt, '{"state":"offline"}', true)
  const { next } = watch(t, broker.port, door)
  const reason = 'the device says that it cannot be reached'
  t.like(await next(), { type: 'unavailable', reason })
  await broker.publish(topic, '{"contact":true}')
  await broker.publish(lwt, 'online', true)
  t.like(await next(), { type: 'close' })
  await broker.publish(lwt, '{"state":"offline"}', true)
  t.like(await next(), { type: 'unavailable', reason })
})

test('a broker that is not there, or goes, is the reason', async t => {
  const nowhere = watch(t, await freePort())
  await t.throwsAsync(nowhere.next(), {
    code: 'ERR_UNREACHABLE',
    message: 'the broker cannot be reached: ECONNREFUSED',
  })
  t.is(nowhere.clock.pending, 0)
})

/** A port on which somebody shows a certificate. */
async function tlsOf(
  t: Pick<ExecutionContext, 'teardown'>,
  { key, certificate }: Credentials,
): Promise<AddressInfo> {
  const server = createTlsServer({ key, cert: certificate }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  return server.address() as AddressInfo
}

test('TLS and a user are as the broker wants them, and each fault is told apart', async t => {
  const folder = await makeTestFolder(t)
  const certs = await makeTestCerts(t)
  await certs.issue('node', 'broker', { hosts: ['127.0.0.1', 'localhost'] })
  await certs.issue('node', 'elsewhere', { hosts: ['elsewhere.example'] })
  const { files } = await certs.load('node', 'broker')
  const [users, password, wrong] = ['users', 'password', 'wrong'].map(name => join(folder, name))
  if (users === undefined || password === undefined || wrong === undefined) throw new Error()
  await promisify(execFile)('mosquitto_passwd', ['-b', '-c', users, 'fridge', 'secret'])
  await writeFile(password, 'secret\n')
  await writeFile(wrong, 'guess\n')
  const certificate = ['--cafile', files.caFile, '-u', 'fridge', '-P', 'secret']
  await using broker = await startMosquitto({
    settings: [
      `cafile ${files.caFile}`,
      `certfile ${files.certificateFile}`,
      `keyfile ${files.keyFile}`,
      `password_file ${users}`,
      'allow_anonymous false',
      // It would give up root, and then could not read these files.
      'user root',
    ],
    publisher: certificate,
  })
  const secure = {
    broker: `mqtts://localhost:${broker.port}`,
    caFile: files.caFile,
    user: 'fridge',
    passwordFile: password,
  }
  await broker.publish(topic, '4.5', true)
  t.like(await watch(t, broker.port, secure).next(), { reason: UNDATED })
  const refused = async (options: Partial<MqttSensorOptions>, message: RegExp): Promise<void> => {
    const error = await t.throwsAsync(watch(t, broker.port, { ...secure, ...options }).next())
    t.regex(error?.message ?? '', message)
    t.false(error?.message.includes(folder))
  }
  await refused({ passwordFile: wrong }, /^the broker does not (let this user in|know this user)/)
  await refused({ passwordFile: join(folder, 'none') }, /^the password of the broker .* ENOENT$/)
  await refused({ passwordFile: folder }, /^the password of the broker cannot be read: EISDIR$/)
  await refused({ caFile: undefined }, /: its certificate is of no authority .* \(caFile\)$/)
  await refused({ broker: `mqtts://127.0.0.2:${broker.port}` }, /^the broker cannot be reached: /)
  const { port } = await tlsOf(t, await certs.load('node', 'elsewhere'))
  await refused({ broker: `mqtts://localhost:${port}` }, /: its certificate is not for that host$/)
  await using plain = await startMosquitto()
  await refused(
    { broker: `mqtts://localhost:${plain.port}` },
    /: (no TLS is spoken on that port|ECONNRESET|socket hang up)$/,
  )
})

/** A server of TCP that a test speaks for. */
/** Kinds of packets (MQTT 3.1.1, section 2.2.1). */
const CONNECT = 1
const SUBSCRIBE = 8

/** Hear each packet whole, however its bytes come; none here is longer than 127 bytes. */
function onPackets(socket: Socket, hear: (packet: Buffer) => void): void {
  let unread = Buffer.alloc(0)
  socket.on('data', (bytes: Buffer) => {
    unread = Buffer.concat([unread, bytes])
    for (;;) {
      const length = 2 + (unread[1] ?? Infinity)
      if (unread.length < length) return
      hear(unread.subarray(0, length))
      unread = unread.subarray(length)
    }
  })
}

async function fakeBroker(t: ExecutionContext, onSocket: (socket: Socket) => void) {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onSocket(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

test('a packet that is too long ends the connection before it has come', async t => {
  const port = await fakeBroker(t, socket => {
    socket.once('data', () => {
      socket.write(Buffer.from([0x20, 2, 0, 0]))
      socket.write(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]))
    })
  })
  await t.throwsAsync(watch(t, port).next(), { code: 'ERR_LIMIT' })
})

test('a topic that the broker refuses is told', async t => {
  const port = await fakeBroker(t, socket => {
    onPackets(socket, packet => {
      const [kind = 0, , high = 0, low = 0] = packet
      if (kind >> 4 === CONNECT) socket.write(Buffer.from([0x20, 2, 0, 0]))
      if (kind >> 4 === SUBSCRIBE) socket.write(Buffer.from([0x90, 3, high, low, 0x80]))
    })
  })
  await t.throwsAsync(watch(t, port).next(), {
    code: 'ERR_REFUSED',
    message: 'the broker does not let this user read the topic',
  })
})

test('stopped while the broker says nothing it ends at once, and leaves no timer', async t => {
  const asked = Promise.withResolvers<void>()
  const port = await fakeBroker(t, socket => socket.once('data', () => asked.resolve()))
  const { abort, next, clock } = watch(t, port)
  const end = next()
  await asked.promise
  abort.abort()
  t.is(await end, undefined)
  t.is(clock.pending, 0)
})
