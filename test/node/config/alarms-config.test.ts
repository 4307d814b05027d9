import test, { type ExecutionContext } from 'ava'
import { rulesFrom } from '../../../node/alarms/open-alarms.ts'
import type { NodeConfig } from '../../../node/config/config.ts'
import { loadConfig } from '../../../node/config/load-config.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const HOUR = 3_600_000

async function load(t: ExecutionContext, alarms: string): Promise<NodeConfig> {
  const cwd = await makeTestFolder(t)
  const text = `name: a\nsensors:\n  temperature: { driver: simulated }\n  door: { driver: simulated }\n  damp: { driver: command, kind: humidity, command: [cat] }\nalarms:\n${alarms}`
  await writeFile(join(cwd, 'node.yaml'), text)
  return loadConfig({ file: 'node.yaml', env: {}, flags: {}, cwd })
}

test('a preset gives limits with their durations, and what is written beside it counts instead', async t => {
  const { alarms } = await load(
    t,
    '  rules:\n    temperature: { preset: vaccine-refrigerator, low: { limit: 1, for: 30m, perDay: 2h }, unavailableFor: 5m }\n    door: { openFor: 90s, unavailableFor: never }\n',
  )
  const { temperature, door } = alarms.rules
  t.deepEqual(temperature && rulesFrom(temperature), [
    { type: 'high', limit: 8, forMs: HOUR, hysteresis: 0.5 },
    { type: 'low', limit: 1, forMs: HOUR / 2, hysteresis: 0.5 },
    { type: 'low-per-day', limit: 1, forMs: 2 * HOUR },
    { type: 'unavailable', forMs: 300_000 },
  ])
  t.deepEqual(door && rulesFrom(door), [{ type: 'open', forMs: 90_000 }])
  const food = (await load(t, '  rules: { temperature: { preset: food } }\n')).alarms.rules
  t.deepEqual(food['temperature'] && rulesFrom(food['temperature']), [
    { type: 'high', limit: 5, forMs: 4 * HOUR, hysteresis: 0.5 },
    { type: 'unavailable', forMs: 900_000 },
  ])
})

test('rules that contradict, or say nothing of their sensor, are refused with what mends them', async t => {
  const cases: [rules: string, problem: RegExp][] = [
    [
      'temperature: { preset: vacine-refrigerator }',
      /preset` is "vacine-refrigerator": expected "vaccine-refrigerator" or/,
    ],
    ['temprature: { preset: food }', /alarms\.rules\.temprature` .*did you mean temperature\?/],
    ['shelf: { preset: food }', /the name of a sensor: temperature, door, damp/],
    [
      'temperature: { high: { limit: 2 }, low: { limit: 8 } }',
      /low\.limit` is 8: expected less than the highest that is well, 2 °C/,
    ],
    [
      'temperature: { preset: vaccine-refrigerator, high: { limit: 1 } }',
      /high\.limit` is 1: expected more than the lowest that is well, 2 °C/,
    ],
    [
      'temperature: { high: { limit: 5, hysteresis: 2 }, low: { limit: 3 } }',
      /hysteresis` .*no reading from 3 to 5 °C would end an alarm/,
    ],
    [
      'temperature: { high: { limit: 800 } }',
      /limit` is 800: expected from -100 to 200 °C, as a thermometer reads/,
    ],
    ['temperature: { high: { limit: 8, for: 60 } }', /for` is 60: expected a duration up to 168h/],
    [
      'temperature: { high: { limit: 8, perDay: 2d } }',
      /perDay` is "2d": expected a duration up to 24h/,
    ],
    [
      'temperature: { openFor: 5m }',
      /openFor` is "5m": expected nothing here: it says nothing of a thermometer/,
    ],
    ['door: { high: { limit: 8 } }', /high` .*it says nothing of a door/],
    ['damp: { preset: food }', /preset` .*it says nothing of a hygrometer/],
    [
      'temperature: { hihg: { limit: 8 } }',
      /unknown key `alarms\.rules\.temperature\.hihg`: did you mean `.*high`\?/,
    ],
  ]
  for (const [rules, problem] of cases) {
    const error = await t.throwsAsync(load(t, `  rules:\n    ${rules}\n`), {
      instanceOf: FridgeError,
    })
    t.regex(error?.message ?? '', problem, rules)
    t.is(error?.code, 'ERR_CONFIG')
    t.truthy(error?.fix)
  }
})

test('a key that may not stand where it does is removed or renamed, not set to something', async t => {
  for (const [rules, fix] of [
    ['door: { high: { limit: 8 } }', 'remove `alarms.rules.door.high`'],
    ['shelf: { preset: food }', 'remove `alarms.rules.shelf`'],
    [
      'temprature: { preset: food }',
      'rename `alarms.rules.temprature` to `alarms.rules.temperature`',
    ],
  ]) {
    const error = await t.throwsAsync(load(t, `  rules:\n    ${rules}\n`), {
      instanceOf: FridgeError,
    })
    t.is(error?.fix, fix)
  }
})

test('a preset is chosen, never guessed: by its letters vaccine-fridge would be the freezer', async t => {
  const rules = '  rules: { temperature: { preset: vaccine-fridge } }\n'
  const error = await t.throwsAsync(load(t, rules), { instanceOf: FridgeError })
  const presets = '"vaccine-refrigerator" or "vaccine-freezer" or "food"'
  t.is(error?.fix, `set \`alarms.rules.temperature.preset\` to ${presets}`)
})

test('a program for alarms that is one line is told how it is written as a list', async t => {
  for (const [program, list] of [
    ['notify --quiet', '[notify, --quiet]'],
    ['notify | logger', '[sh, -c, "notify | logger"]'],
  ]) {
    const error = await t.throwsAsync(load(t, `  program: ${program}\n`), {
      instanceOf: FridgeError,
    })
    t.is(error?.fix, `set \`alarms.program\` to ${list}`)
  }
})

test('secrets stand in files, never in the configuration', async t => {
  for (const told of [
    'webhook: { url: "https://user:secret@example.org/" }',
    'webhook: { url: "ftp://example.org/" }',
    'webhook: { url: "https://example.org/", tokenFile: token }',
    'mqtt: { broker: "mqtt://user:secret@example.org" }',
  ]) {
    await t.throwsAsync(load(t, `  ${told}\n`), { code: 'ERR_CONFIG' }, told)
  }
  const { alarms } = await load(
    t,
    '  webhook: { url: "https://example.org/a?b", tokenFile: /run/token }\n  program: [notify, "--all"]\n  mqtt: { broker: "mqtts://example.org" }\n',
  )
  t.is(alarms.mqtt?.topic, 'fridge')
  t.is(alarms.mqtt?.discovery, 'homeassistant')
})

test('no sensor has the name of the stream of alarms', async t => {
  const cwd = await makeTestFolder(t)
  await writeFile(
    join(cwd, 'n.yaml'),
    'name: a\nsensors: { alarms: { driver: simulated, kind: door } }\n',
  )
  const error = await t.throwsAsync(loadConfig({ file: 'n.yaml', env: {}, flags: {}, cwd }))
  t.regex(error?.message ?? '', /alarms are told under that one/)
})
