import { execFile, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { makeTestCerts, makeTestFolder } from '../../support/certs.ts'
import { Lines } from '../../support/cli.ts'
import { startCluster, makeSharedCerts } from '../../support/cluster.ts'
import { startMosquitto, type Mosquitto } from '../../support/mosquitto.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

/** Everything that is published, as it comes: what the broker has kept comes first. */
async function listen(t: ExecutionContext, broker: Mosquitto): Promise<Lines> {
  // Its answer shows that it has subscribed.
  await broker.publish('test', 'kept', true)
  const args = ['-h', '127.0.0.1', '-p', String(broker.port), '-t', '#', '-F', '%r %t %p']
  const child = spawn('mosquitto_sub', args, { stdio: ['ignore', 'pipe', 'ignore'] })
  t.teardown(() => child.kill('SIGKILL'))
  const said = new Lines()
  createInterface(child.stdout)
    .on('line', line => said.push(line))
    .on('close', () => said.end())
  await said.find(/^1 test kept$/)
  return said
}

/** What the broker has kept on a topic. */
async function kept({ port }: Mosquitto, topic: string): Promise<string> {
  const args = ['-h', '127.0.0.1', '-p', String(port), '-t', topic, '-C', '1', '-W', '5']
  return (await promisify(execFile)('mosquitto_sub', args)).stdout.trim()
}

const config = (port: number) => ({
  alarms: {
    rules: { temperature: { high: { limit: -20 } }, door: { openFor: '1h' } },
    mqtt: { broker: `mqtt://127.0.0.1:${port}` },
  },
})

test('a broker is told what the sensors say, which alarms stand, and that the node is gone', async t => {
  await using broker = await startMosquitto()
  const said = await listen(t, broker)
  await using cluster = await startCluster(t, { certs, config: config(broker.port) })
  await said.find(/^0 fridge\/node-1\/sensor\/temperature\/state [\d.]+$/)
  await said.find(/^0 fridge\/node-1\/sensor\/temperature\/availability online$/)
  await said.find(/^0 fridge\/node-1\/sensor\/door\/state close$/)
  await said.find(/^0 fridge\/node-1\/alarm\/temperature\/high\/state ON$/)
  await said.find(/^0 fridge\/node-1\/alarm\/door\/open\/state OFF$/)
  await said.find(/^0 fridge\/node-1\/availability online$/)
  const details = await kept(broker, 'fridge/node-1/alarm/temperature/high/details')
  t.like(JSON.parse(details), { node: 'node-1', sensor: 'temperature', rule: 'high', limit: -20 })
  const from = said.all.length
  cluster.node(1).fridge?.openDoor()
  await said.find(/^0 fridge\/node-1\/sensor\/door\/state open$/, from)
  t.is(await kept(broker, 'fridge/node-1/sensor/door/state'), 'open')
  await cluster.stop(1)
  await said.find(/^0 fridge\/node-1\/availability offline$/)
  t.is(await kept(broker, 'fridge/node-1/availability'), 'offline')
})

test('a broker is told over TLS, by a user with a password, and a wrong authority is called that', async t => {
  const folder = await makeTestFolder(t)
  const own = await makeTestCerts(t)
  await own.issue('node', 'broker', { hosts: ['localhost'] })
  const { files } = await own.load('node', 'broker')
  const [users, passwordFile] = [join(folder, 'users'), join(folder, 'password')]
  await promisify(execFile)('mosquitto_passwd', ['-b', '-c', users, 'fridge', 'secret'])
  await writeFile(passwordFile, 'secret\n')
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
  })
  const { alarms } = config(broker.port)
  const mqtt = { broker: `mqtts://localhost:${broker.port}`, user: 'fridge', passwordFile }
  const over = (caFile: string) => ({
    alarms: { ...alarms, mqtt: { ...mqtt, caFile } },
  })
  await using foreign = await startCluster(t, {
    certs,
    config: over((await certs.load('operator', 'admin')).files.caFile),
  })
  const { fields } = await foreign.log.find(({ text }) =>
    text.startsWith('the broker cannot be told'),
  )
  t.regex(String(fields['why']), /its certificate is of no authority that is known here \(caFile\)/)
  await using cluster = await startCluster(t, { certs, config: over(files.caFile) })
  await cluster.log.find(({ text }) => text === 'the broker is told the sensors and alarms')
  const args = ['-h', 'localhost', '-p', String(broker.port), '--cafile', files.caFile]
  const reader = [...args, '-u', 'fridge', '-P', 'secret', '-C', '1', '-W', '5']
  const topic = 'fridge/node-1/alarm/temperature/high/state'
  const { stdout } = await promisify(execFile)('mosquitto_sub', [...reader, '-t', topic])
  t.is(stdout.trim(), 'ON')
})

test('what a broker has kept of sensors and rules that are no more is taken back, and of nobody else', async t => {
  await using broker = await startMosquitto()
  const old = [
    'fridge/node-1/sensor/cellar/availability',
    'fridge/node-1/sensor/cellar/state',
    'fridge/node-1/alarm/cellar/high/state',
    'fridge/node-1/alarm/cellar/high/details',
  ]
  for (const topic of old) await broker.publish(topic, 'old', true)
  const entry = (component: string, name: string): string =>
    `homeassistant/${component}/fridge-node-1/${name}/config`
  const config1 = JSON.stringify({ state_topic: 'fridge/node-1/sensor/cellar/state' })
  await broker.publish(entry('sensor', 'cellar'), config1, true)
  // Of another cluster, of another node, and of somebody else.
  const config2 = JSON.stringify({ state_topic: 'kitchen/node-1/sensor/attic/state' })
  await broker.publish(entry('sensor', 'attic'), config2, true)
  await broker.publish('fridge/node-10/sensor/cellar/availability', 'online', true)
  await broker.publish(entry('sensor', 'text'), 'not JSON', true)

  const said = await listen(t, broker)
  const from = said.all.length
  await using cluster = await startCluster(t, { certs, config: config(broker.port) })
  for (const topic of [...old, entry('sensor', 'cellar')]) {
    await said.find(new RegExp(`^0 ${topic} $`), from)
  }
  await cluster.stop(1)
  const emptied = said.all.slice(from).filter(line => / \S+ $/.test(line))
  t.is(emptied.length, old.length + 1)
  t.is(await kept(broker, 'fridge/node-1/alarm/door/open/state'), 'OFF')
})

test('a broker that comes back is told everything anew', async t => {
  const first = await startMosquitto()
  const { port } = first
  await using cluster = await startCluster(t, { certs, config: config(port) })
  await cluster.log.find(line => line.text === 'the broker is told the sensors and alarms')
  await first[Symbol.asyncDispose]()
  await cluster.log.find(line => line.text === 'the broker cannot be told the sensors and alarms')
  await using second = await startMosquitto({ port })
  const said = await listen(t, second)
  await said.find(/ fridge\/node-1\/alarm\/temperature\/high\/state ON$/)
  t.truthy(await said.find(/ fridge\/node-1\/availability online$/))
})

/** The keys that Home Assistant knows for these components (its documentation, "MQTT discovery"). */
const KEYS = new Set(
  'name state_topic availability availability_mode device_class unit_of_measurement state_class payload_on payload_off json_attributes_topic unique_id device origin'.split(
    ' ',
  ),
)
const DEVICE_KEYS = new Set(['identifiers', 'name', 'manufacturer', 'sw_version'])

test('what Home Assistant is told to discover has its form, and names topics that are published', async t => {
  await using broker = await startMosquitto()
  await using cluster = await startCluster(t, { certs, config: config(broker.port) })
  const said = await listen(t, broker)
  await said.find(/ fridge\/node-1\/availability online$/)
  await said.find(/ fridge\/node-1\/sensor\/temperature\/state /)
  const messages = said.all
    .map(line => / (homeassistant\S+) (.*)$/.exec(line) ?? [])
    .filter(([, topic]) => topic !== undefined)
  const configs = new Map(
    messages.map(([, topic = '', payload = '']) => [
      topic,
      JSON.parse(payload) as Record<string, unknown>,
    ]),
  )
  t.deepEqual([...configs.keys()].sort(), [
    'homeassistant/binary_sensor/fridge-node-1/door-open/config',
    'homeassistant/binary_sensor/fridge-node-1/door-unavailable/config',
    'homeassistant/binary_sensor/fridge-node-1/door/config',
    'homeassistant/binary_sensor/fridge-node-1/temperature-high/config',
    'homeassistant/binary_sensor/fridge-node-1/temperature-unavailable/config',
    'homeassistant/sensor/fridge-node-1/temperature/config',
  ])
  const published = new Set(said.all.map(line => line.split(' ')[1]))
  for (const [topic, found] of configs) {
    t.regex(topic, /^homeassistant\/(sensor|binary_sensor)\/[\w-]+\/[\w-]+\/config$/)
    for (const key of Object.keys(found)) t.true(KEYS.has(key), key)
    for (const key of Object.keys(found['device'] as object)) t.true(DEVICE_KEYS.has(key), key)
    t.true(published.has(String(found['state_topic'])), String(found['state_topic']))
    for (const { topic: one } of found['availability'] as { topic: string }[]) {
      t.true(published.has(one), one)
    }
  }
  t.is(new Set([...configs.values()].map(found => found['unique_id'])).size, configs.size)
  t.like(configs.get('homeassistant/sensor/fridge-node-1/temperature/config'), {
    device_class: 'temperature',
    unit_of_measurement: '°C',
    state_class: 'measurement',
    availability_mode: 'all',
  })
  await cluster.stop(1)
})

test('a broker is told of a sealed sensor neither a value nor that there is one, and of its alarms no value', async t => {
  await using broker = await startMosquitto()
  await broker.publish('fridge/node-1/sensor/door/state', 'close', true)
  const passphraseFile = join(await makeTestFolder(t), 'kitchen.txt')
  await writeFile(passphraseFile, 'correct horse battery staple', { mode: 0o600 })
  const seal = { kitchen: { sensors: ['temperature', 'door'], passphraseFile } }
  const said = await listen(t, broker)
  await using _cluster = await startCluster(t, { certs, config: { ...config(broker.port), seal } })
  await said.find(/^0 fridge\/node-1\/alarm\/temperature\/high\/state ON$/)
  await said.find(/^0 fridge\/node-1\/sensor\/temperature\/availability offline$/)
  await said.find(/^0 fridge\/node-1\/sensor\/door\/state $/)
  t.notRegex(said.text, /^0 fridge\/node-1\/sensor\/(temperature|door)\/state \S/m)
  const details = await kept(broker, 'fridge/node-1/alarm/temperature/high/details')
  t.deepEqual(
    Object.keys(JSON.parse(details) as object).filter(key => /^(value|extreme|reason)$/.test(key)),
    [],
  )
})
