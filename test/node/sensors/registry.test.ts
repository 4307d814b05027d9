import test from 'ava'

import { startFeeds } from '../../../node/sensors/feed.ts'
import { openSensors, sensorsConfig, simulationConfig } from '../../../node/sensors/registry.ts'
import { seededRandom } from '../../../node/sensors/drivers/seeded-random.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const w1 = { driver: 'w1', device: '28-00000a1b2c3d' }
const command = { driver: 'command', kind: 'door', command: ['mosquitto_sub'] }

function open(sensors: unknown, simulation: unknown = { seed: 1, doorOpensPerHour: 0 }) {
  const clock = new FakeClock()
  const config = {
    sensors: sensorsConfig.parse(sensors),
    simulation: simulationConfig.parse(simulation),
  }
  return { clock, opened: openSensors(config, { clock, random: seededRandom(1) }) }
}

/** The places and texts of what is wrong with `sensors`. */
function problems(sensors: unknown): string[] {
  const { error } = sensorsConfig.safeParse(sensors)
  return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? []
}

test('without configuration a node has the door and the temperature of one simulated fridge', async t => {
  const { clock, opened } = open(undefined)
  await using _ = opened
  t.deepEqual(
    opened.sensors.map(({ name, kind }) => [name, kind]),
    [
      ['door', 'door'],
      ['temperature', 'temperature'],
    ],
  )
  await using feeds = startFeeds(opened.sensors, { clock, random: () => 1 })
  await clock.advance(1_000)
  opened.fridge?.openDoor()
  await clock.advance(60_000)
  t.is(feeds.last('door')?.type, 'open')
  const last = feeds.last('temperature')
  t.true(last?.type === 'reading' && last.value > 6)
  t.is(await opened.actuator?.setTargetTemperature(5), 'target temperature set to 5 °C')
  t.is(opened.fridge?.state().target, 5)
})

test('real sensors bring no simulated ones with them, and nothing that obeys commands', async t => {
  const { opened } = open({ temperature: w1, door: command })
  await using _ = opened
  t.deepEqual(
    opened.sensors.map(({ name, kind }) => [name, kind]),
    [
      ['temperature', 'temperature'],
      ['door', 'door'],
    ],
  )
  t.is(opened.actuator, undefined)
  t.is(opened.fridge, undefined)
})

test('simulated sensors of any name watch the one fridge', async t => {
  const { clock, opened } = open({
    door: { driver: 'simulated' },
    'back-door': { driver: 'simulated', kind: 'door' },
  })
  await using _ = opened
  await using feeds = startFeeds(opened.sensors, { clock, random: () => 1 })
  opened.fridge?.openDoor()
  await clock.advance(0)
  t.is(feeds.last('door')?.type, 'open')
  t.deepEqual(feeds.last('door'), feeds.last('back-door'))
})

test('the simulation takes its seed, room, target and interval from the configuration', async t => {
  const simulation = { seed: 3, ambient: -5, target: 8, readingIntervalMs: 1_000, noise: 0 }
  const { clock, opened } = open(undefined, { ...simulation, doorOpensPerHour: 0 })
  await using _ = opened
  const values: number[] = []
  await using feeds = startFeeds(opened.sensors, { clock, random: () => 1 })
  feeds.subscribe((_sensor, event) => {
    if (event.type === 'reading') values.push(event.value)
  })
  await clock.advance(4_000)
  t.deepEqual(values, [8, 8, 8, 8, 8])
  await opened.actuator?.powerOff()
  await clock.advance(24 * 3_600_000)
  t.true((values.at(-1) ?? 0) < -4.9)
})

test('disposing leaves no timer', async t => {
  const { clock, opened } = open(undefined, { doorOpensPerHour: 60 })
  t.true(clock.pending > 0)
  await opened[Symbol.asyncDispose]()
  t.is(clock.pending, 0)
})

test('every driver is accepted with its options, and gets its defaults', t => {
  t.deepEqual(sensorsConfig.parse({ temperature: w1 }), {
    temperature: { ...w1, driver: 'w1', root: '/sys/bus/w1/devices', intervalMs: 5_000 },
  } as never)
  const door = { ...command, field: 'opened', closedWhen: false, silentAfterMs: 7_200_000 }
  t.deepEqual(sensorsConfig.parse({ door }), { door } as never)
})

test('a program takes the keys of what it feeds', t => {
  const door = { ...command, open: ['ON', 1], closed: ['OFF', 0], debounceMs: 20, timeField: 'at' }
  const probe = {
    ...command,
    kind: 'temperature',
    field: 'SI7021.Temperature',
    unit: 'F',
    timeField: 'Time',
    maxAgeMs: 60_000,
    offset: -0.3,
    calibratedUntil: '2027-03-31',
    minIntervalMs: 0,
    availability: { field: 'LWT', online: ['Online'], offline: ['Offline'] },
  }
  t.deepEqual(problems({ door, probe }), [])
})

test('a command that is written as one text is told how to write it', t => {
  const told = (command: unknown) =>
    problems({ hatch: { driver: 'command', kind: 'door', command } })
  const text = 'hatch.command: a list of the program and its arguments, each a text: '
  t.deepEqual(told('mosquitto_sub -t  door -p 1883'), [
    `${text}[mosquitto_sub, -t, door, -p, '1883']`,
  ])
  t.deepEqual(told('cat /dev/ttyUSB0 | tr a b'), [`${text}[sh, -c, "cat /dev/ttyUSB0 | tr a b"]`])
  t.deepEqual(told(['sleep', 5]), [`${text}[sleep, '5']`])
  t.deepEqual(told(undefined), [`${text}[mosquitto_sub, -t, door]`])
})

test('chips and lines are named, and say what they measure', t => {
  const hwmon = { driver: 'hwmon', chip: 'sht3x' }
  const gpio = { driver: 'gpio', line: 17 }
  const { opened } = open({
    temperature: { ...hwmon, offset: 0.1 },
    air: { ...hwmon, input: 'humidity1' },
    door: gpio,
  })
  t.deepEqual(
    opened.sensors.map(({ name, kind }) => `${name} ${kind}`),
    ['temperature temperature', 'air humidity', 'door door'],
  )
  for (const wrong of [
    { ...hwmon, chip: '../hwmon0' },
    { ...hwmon, input: 'in0' },
    { ...hwmon, debounceMs: 5 },
    { ...gpio, line: -1 },
    { ...gpio, chip: '/dev/gpiochip0' },
    { ...gpio, closedWhen: false },
    { ...gpio, bias: 'up' },
    { ...gpio, offset: 1 },
  ]) {
    t.true(problems({ hatch: wrong }).length > 0, JSON.stringify(wrong))
  }
})

test('a broker is named without secrets, and one topic of it', t => {
  const mqtt = { driver: 'mqtt', kind: 'door', broker: 'mqtts://broker.example', topic: 'a/b' }
  const whole = {
    ...mqtt,
    broker: 'mqtts://[::1]:8884',
    user: 'fridge',
    passwordFile: '/etc/fridge/password',
    caFile: '/etc/fridge/ca.pem',
    availability: { topic: 'a/b/availability', field: 'state' },
    timeField: 'last_seen',
    maxAgeMs: 7_200_000,
  }
  t.deepEqual(problems({ door: mqtt, hatch: whole }), [])
  for (const wrong of [
    { broker: 'mqtt://fridge:secret@broker' },
    { broker: 'http://broker' },
    { broker: 'mqtt://broker/path' },
    { broker: 'mqtt://broker:port' },
    { broker: 'broker' },
    { topic: '' },
    { topic: 'zigbee2mqtt/#' },
    { topic: 'zigbee2mqtt/+/door' },
    { passwordFile: '/etc/fridge/password' },
    { user: 'fridge', passwordFile: 'password' },
    { broker: 'mqtt://broker', caFile: '/etc/fridge/ca.pem' },
    { availability: { topic: '#' } },
    { password: 'secret' },
  ]) {
    t.true(problems({ hatch: { ...mqtt, ...wrong } }).length > 0, JSON.stringify(wrong))
  }
})

test('offset, debounce and pace are put around the driver', async t => {
  const { clock, opened } = open({
    temperature: {
      ...command,
      kind: 'temperature',
      command: ['printf', '5\n6\n7\n'],
      offset: 0.5,
      calibratedUntil: '2027-03-31',
    },
  })
  await using _ = opened
  t.is(opened.sensors[0]?.calibratedUntil, '2027-03-31')
  await using feeds = startFeeds(opened.sensors, { clock, random: () => 1 })
  const told: unknown[] = []
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  feeds.subscribe((_sensor, event) => {
    told.push(event.type === 'reading' ? event.value : event.type)
    if (event.type === 'unavailable') resolve()
  })
  await ended
  t.deepEqual(told, [7.5, 'unavailable'])
})

test('unknown keys and drivers are refused where they stand', t => {
  t.deepEqual(problems({ temperature: { ...w1, interval: 5 } }), [
    'temperature: Unrecognized key: "interval"',
  ])
  t.regex(problems({ temperature: { driver: 'w2' } }).join(), /^temperature\.driver: /)
  t.throws(() => simulationConfig.parse({ sead: 1 }), { message: /sead/ })
})

test('door and temperature are of those kinds, whatever their driver', t => {
  t.regex(problems({ door: w1 }).join(), /^door: a sensor of kind door/)
  t.regex(problems({ temperature: command }).join(), /^temperature: a sensor of kind temperature/)
  t.regex(problems({ door: { driver: 'simulated', kind: 'temperature' } }).join(), /^door: /)
  t.deepEqual(problems({ door: { driver: 'simulated', kind: 'door' }, hatch: command }), [])
})

test('a simulated sensor whose name does not say its kind must say it', t => {
  t.deepEqual(problems({ hatch: { driver: 'simulated' } }), ['hatch.kind: "door" or "temperature"'])
})

test('names are checked, and how many there are', t => {
  for (const name of ['Door', '2nd', 'a_b', 'a'.repeat(33), '']) {
    t.regex(problems({ [name]: command }).join(), /a sensor name of 1 to 32/, name)
  }
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, command]))
  t.deepEqual(problems(many(32)), [])
  t.deepEqual(problems(many(33)), [': at most 32 sensors'])
})

test('values that cannot work are refused', t => {
  for (const sensor of [
    { ...w1, device: '../../../etc/passwd' },
    { ...w1, intervalMs: 0 },
    { ...w1, root: '' },
    { ...command, command: [] },
    { ...command, command: [''] },
    { ...command, command: 'mosquitto_sub -t door' },
    { ...command, command: ['mosquitto_sub', 'a\0b'] },
    { ...command, closedWhen: 'true' },
    { ...command, kind: 'temperature', closedWhen: true },
    { ...command, kind: 'weight' },
    { ...command, unit: 'F' },
    { ...command, offset: 1 },
    { ...command, maxAgeMs: 60_000 },
    { ...command, open: ['ON'] },
    { ...command, closed: ['OFF'] },
    { ...command, open: ['ON', 1], closed: ['OFF', '1'] },
    { ...command, open: ['ON'], closed: ['OFF'], closedWhen: true },
    { ...command, open: [], closed: ['OFF'] },
    { ...command, open: 'ON', closed: 'OFF' },
    { ...command, open: 'ON', command: 'sensor' },
    { ...command, kind: 'doors', unit: 5 },
    { ...command, kind: 'temperature', unit: 'K' },
    { ...command, kind: 'temperature', debounceMs: 50 },
    { ...command, availability: { topic: 'a' } },
    { ...w1, calibratedUntil: 'next year' },
    { ...w1, calibratedUntil: '2026-02-30' },
    { ...command, silentAfterMs: 1e12 },
  ]) {
    t.true(problems({ hatch: sensor }).length > 0, JSON.stringify(sensor))
  }
  for (const simulation of [
    { seed: 0.5 },
    { ambient: 100 },
    { target: 16 },
    { readingIntervalMs: 0 },
  ]) {
    t.false(simulationConfig.safeParse(simulation).success, JSON.stringify(simulation))
  }
})
