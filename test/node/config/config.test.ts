import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'

import type { NodeConfig } from '../../../node/config/config.ts'
import { loadConfig, type ConfigFlags } from '../../../node/config/load-config.ts'
import { FridgeError } from '../../../node/lib/errors.ts'

interface Case {
  readonly text?: string | Uint8Array
  readonly env?: Record<string, string>
  readonly flags?: ConfigFlags
}

/** Load `etc/node.yaml` with this text in a fresh folder, which is the working folder. */
async function load(t: ExecutionContext, given: Case): Promise<NodeConfig & { cwd: string }> {
  const cwd = await mkdtemp(join(tmpdir(), 'fridge-config-'))
  t.teardown(() => rm(cwd, { recursive: true }))
  const file = given.text === undefined ? undefined : 'etc/node.yaml'
  if (file !== undefined && given.text !== undefined) {
    await mkdir(join(cwd, 'etc'))
    await writeFile(join(cwd, file), given.text)
  }
  const config = await loadConfig({ file, env: given.env ?? {}, flags: given.flags ?? {}, cwd })
  return { ...config, cwd }
}

/** The error that refuses it; fails the test when it is accepted. */
async function refusal(t: ExecutionContext, given: Case): Promise<FridgeError> {
  const error = await t.throwsAsync(load(t, given), { instanceOf: FridgeError })
  t.is(error.code, 'ERR_CONFIG')
  t.truthy(error.fix)
  t.notRegex(error.message, /\n {4}at /)
  return error
}

test('a name alone is a whole configuration, open to this machine only', async t => {
  const config = await load(t, { flags: { name: 'fridge-1' } })
  t.is(config.name, 'fridge-1' as typeof config.name)
  t.deepEqual(config.listen, { host: '127.0.0.1', port: 7443 })
  t.deepEqual(config.advertise, [config.listen])
  t.deepEqual(config.peers, [])
  t.is(config.certs, join(config.cwd, 'certs'))
  t.is(config.data, join(config.cwd, 'data', 'fridge-1'))
  t.is(config.logLevel, 'info')
  t.is(config.tls.minVersion, 'TLSv1.3')
  t.is(config.gossip.heartbeatMs, 2000)
  t.is(config.gossip.deadAfterMs, 6000)
  t.is(config.gossip.firstSyncMs, 3000)
  t.is(config.whenIsolated, 'serve')
})

test('the environment goes over the file and the command line over both', async t => {
  const text = 'name: from-file\nlisten: 10.0.0.1:1\npeers: [a:1, b:2]\nlogLevel: warn\n'
  const env = { FRIDGE_LISTEN: '10.0.0.2:2', FRIDGE_PEERS: 'c:3, [::1]:4', FRIDGE_NAME: 'from-env' }
  const config = await load(t, { text, env, flags: { name: 'from-flag' } })
  t.is(String(config.name), 'from-flag')
  t.deepEqual(config.listen, { host: '10.0.0.2', port: 2 })
  t.deepEqual(config.peers, [
    { host: 'c', port: 3 },
    { host: '::1', port: 4 },
  ])
  t.is(config.logLevel, 'warn')
})

test('an empty variable says nothing', async t => {
  const env = { FRIDGE_NAME: '', FRIDGE_PEERS: '', FRIDGE_LISTEN: '' }
  const config = await load(t, { text: 'name: a\npeers: [b:1]', env })
  t.deepEqual(config.peers, [{ host: 'b', port: 1 }])
})

test('folders of a file are relative to it, those of environment and flags to the working folder', async t => {
  const text = 'name: a\ncerts: keys\ndata: ../var'
  const fromFile = await load(t, { text })
  t.is(fromFile.certs, join(fromFile.cwd, 'etc/keys'))
  t.is(fromFile.data, join(fromFile.cwd, 'var'))
  const over = await load(t, { text, env: { FRIDGE_CERTS: 'keys' }, flags: { data: '/srv/d' } })
  t.is(over.certs, join(over.cwd, 'keys'))
  t.is(over.data, '/srv/d')
})

test('the certificate of pages is relative to its file, and goes with its key', async t => {
  const text = 'name: a\nweb:\n  certificate: web.pem\n  key: ../web-key.pem\n'
  const config = await load(t, { text, flags: { web: '127.0.0.1:1' } })
  t.is(config.web.certificate, join(config.cwd, 'etc/web.pem'))
  t.is(config.web.key, join(config.cwd, 'web-key.pem'))
  t.deepEqual(config.web.listen, { host: '127.0.0.1', port: 1 })
  const half = await refusal(t, { text: 'name: a\nweb:\n  certificate: web.pem\n' })
  t.regex(half.message, /both web\.certificate and web\.key, or neither/)
})

test('a group takes what it says and keeps the defaults of the rest', async t => {
  const config = await load(t, { text: 'name: a\ngossip:\n  heartbeatMs: 200\nlimits:\n' })
  t.is(config.gossip.heartbeatMs, 200)
  t.is(config.gossip.deadAfterMs, 6000)
  t.is(config.limits.maxConnections, 10_000)
})

test('JSON is read like YAML', async t => {
  const config = await load(t, { text: '{\n\t"name": "a",\n\t"peers": ["b:1"]\n}\n' })
  t.deepEqual(config.peers, [{ host: 'b', port: 1 }])
})

test('a node on a free port leaves what it advertises to the port that it gets', async t => {
  const config = await load(t, { flags: { name: 'a', listen: '127.0.0.1:0' } })
  t.deepEqual(config.advertise, [])
})

test('a node that says to be at more addresses than its peers take is refused at start', async t => {
  const advertise = (count: number): string[] =>
    Array.from({ length: count }, (_, index) => `node-1:${7_443 + index}`)
  const error = await refusal(t, { flags: { name: 'a', advertise: advertise(9) } })
  t.regex(error.message, /^--advertise: `advertise` is .*: expected at most 8 items$/)
  t.is((await load(t, { flags: { name: 'a', advertise: advertise(8) } })).advertise.length, 8)
})

test('a node that listens on every address must be told what to advertise', async t => {
  for (const listen of ['0.0.0.0:7443', '[::]:7443']) {
    const error = await refusal(t, { flags: { name: 'a', listen } })
    t.regex(error.message, /`advertise` is missing/)
    t.regex(error.fix ?? '', /FRIDGE_ADVERTISE/)
  }
  const flags = { name: 'a', listen: '0.0.0.0:7443', advertise: ['node-1:7443'] }
  t.deepEqual((await load(t, { flags })).advertise, [{ host: 'node-1', port: 7443 }])
})

test('an unknown key is refused with its place and the nearest known key', async t => {
  const top = await refusal(t, { text: 'name: a\nlisen: 127.0.0.1:1\n' })
  t.is(top.message, 'etc/node.yaml:2:1: unknown key `lisen`: did you mean `listen`?')
  t.is(top.fix, 'rename `lisen` to `listen`')
  const inner = await refusal(t, { text: 'name: a\ntls:\n  minVersoin: TLSv1.2\n' })
  t.is(
    inner.message,
    'etc/node.yaml:3:3: unknown key `tls.minVersoin`: did you mean `tls.minVersion`?',
  )
  const far = await refusal(t, { text: 'name: a\ngossip: { colour: red }\n' })
  t.regex(far.message, /unknown key `gossip\.colour`: known here are heartbeatMs, deadAfterMs/)
  for (const key of ['__proto__', 'constructor', 'toString']) {
    t.regex((await refusal(t, { text: `name: a\n${key}: { a: 1 }` })).message, /unknown key/)
  }
})

test('a wrong value is refused with its place, what was found and what is allowed', async t => {
  const cases: [string, RegExp, RegExp?][] = [
    ['name: "a b"', /^etc\/node\.yaml:1:1: `name` is "a b": expected 1 to 64 letters/],
    [
      'name: a\npeers: [b:1, c]',
      /^etc\/node\.yaml:2:14: `peers\[1\]` is "c": expected "HOST:PORT"/,
    ],
    ['name: a\npeers: b:1', /`peers` is "b:1": expected a list$/, /to \[b:1\]$/],
    ['name: a\nadvertise: 10.0.0.7:7443', /expected a list$/, /to \[10\.0\.0\.7:7443\]$/],
    ['name: a\nlisten: 7444', /`listen` is 7444: expected "HOST:PORT"/, /to 127\.0\.0\.1:7444$/],
    ['name: a\nlisten: shop.example', /expected "HOST:PORT"/, /to shop\.example:7443$/],
    ['name: a\nmetrics: off', /expected a group of keys$/, /to \{ listen: off \}$/],
    ['name: a\nmetrics: { listen: 9464 }', /expected "off", or/, /to 127\.0\.0\.1:9464$/],
    ['name: a\nlogLevel: infos', /"infos": expected "trace" or "debug" or "info"/, /to "info"$/],
    ['name: a\ntls: { minVersion: 1.3 }', /`tls\.minVersion` is 1\.3: expected "TLSv1\.3" or/],
    ['name: a\ngossip: { heartbeatMs: 0.5 }', /is 0\.5: expected a whole number/],
    ['name: a\ngossip: { heartbeatMs: 1 }', /is 1: expected at least 10/],
    ['name: a\nlimits: { maxConnections: 1e9 }', /1000000000: expected at most 1000000/],
    [
      'name: a\ngossip: { deadAfterMs: 1500 }',
      /`gossip\.deadAfterMs` is 1500: expected at least tw/,
    ],
    ['name: a\ngossip: { redialMaxMs: 9 }', /`gossip\.redialMaxMs` is 9: expected at least/],
    ['name: a\nmetrics: 9464', /expected a group/, /to \{ listen: 127\.0\.0\.1:9464 \}$/],
    ['name: a\nweb: 0.0.0.0:8443', /a group/, /to \{ listen: 0\.0\.0\.0:8443 \}$/],
    [
      'name: a\nalarms: { rules: { temperature: { high: 5 } } }',
      /`alarms\.rules\.temperature\.high` is 5: expected a group of keys$/,
      /to \{ limit: 5 \}$/,
    ],
    ['name: a\nalarms: { mqtt: "mqtt://b" }', /a group/, /to \{ broker: mqtt:\/\/b \}$/],
    ['name: a\nalarms: { webhook: "http://b/c" }', /a group/, /to \{ url: http:\/\/b\/c \}$/],
    ['name: a\nsensors: { air: w1 }', /a group/, /to \{ driver: w1 \}$/],
    ['name: a\nlimits: 5', /`limits` is 5: expected a group of keys/],
    ['name: a\ncerts: ""', /`certs` is "": expected at least 1 characters/],
    ['name: a\npeers: &p [*p]', /`peers\[0\]` is .*Circular/],
  ]
  for (const [text, message, fix] of cases) {
    const error = await refusal(t, { text })
    t.regex(error.message, message)
    if (fix !== undefined) t.regex(error.fix ?? '', fix)
  }
})

test('a wrong value of the environment or the command line is called by its name there', async t => {
  const env = await refusal(t, { flags: { name: 'a' }, env: { FRIDGE_PEERS: 'b:1,,c:2' } })
  t.regex(env.message, /^FRIDGE_PEERS: `peers\[1\]` is ""/)
  const flag = await refusal(t, { flags: { name: 'a', listen: '10.0.0.300:1' } })
  t.regex(flag.message, /^--listen: `listen` is "10\.0\.0\.300:1"/)
  const missing = await refusal(t, {})
  t.regex(missing.message, /`name` is missing/)
  t.regex(missing.fix ?? '', /--name NAME/)
})

test('all problems are told at once, at most ten of them', async t => {
  const two = await refusal(t, { text: 'nam: a\nlogLevel: loud' })
  t.is(two.message.split('\n').length, 3)
  t.regex(two.message, /^etc\/node\.yaml:1:1: unknown key `nam`/)
  const many = await refusal(t, { text: `name: a\npeers: [${'x, '.repeat(50)}]` })
  t.is(many.message.split('\n').length, 11)
  t.regex(many.message, /and 40 more$/)
})

test('a sensor is checked by its driver, and told where it is wrong', async t => {
  const config = await load(t, {
    text: 'name: a\nsensors:\n  shelf: { driver: w1, device: 28-00000a1b2c3d }\n',
  })
  t.deepEqual(Object.keys(config.sensors), ['shelf'])
  const cases: [string, RegExp][] = [
    [
      '{ driver: w1, devise: x }',
      /3:24: unknown key `sensors\.shelf\.devise`: .* `sensors\.shelf\.device`\?/,
    ],
    [
      '{ driver: w2 }',
      /`sensors\.shelf\.driver` is "w2": expected "simulated" or "w1" or "hwmon" or "gpio" or "command" or "mqtt"/,
    ],
    [
      '{ driver: command, kind: door, command: mosquitto_sub -t door }',
      /3:\d+: `sensors\.shelf\.command` is "mosquitto_sub -t door": .*: \[mosquitto_sub, -t, door\]$/,
    ],
    [
      '{ driver: command, kind: door, command: [read, --port, 17] }',
      /expected a list of the program and its arguments, each a text: \[read, --port, '17'\]$/,
    ],
    [
      '{ driver: command, kind: door, command: [x], opne: [ON] }',
      /unknown key `sensors\.shelf\.opne`: did you mean `sensors\.shelf\.open`\?/,
    ],
    [
      '{ driver: command, kind: temperature, command: [x], unit: K }',
      /3:\d+: `sensors\.shelf\.unit` is "K": expected "C" or "F"/,
    ],
    [
      '{ driver: command, kind: door, command: [x], open: ON, closed: OFF }',
      /`sensors\.shelf\.open` is "ON": expected a list/,
    ],
    ['{ }', /`sensors\.shelf\.driver` is missing: expected "simulated" or "w1"/],
    ['{ driver: w1 }', /`sensors\.shelf\.device` is missing: expected text/],
    ['7', /`sensors\.shelf` is 7: expected a group of keys/],
  ]
  for (const [shelf, message] of cases) {
    const error = await refusal(t, { text: `name: a\nsensors:\n  shelf: ${shelf}\n` })
    t.regex(error.message, message)
  }
  const simulation = await refusal(t, { text: 'name: a\nsimulation: { ambeint: 20 }' })
  t.regex(simulation.message, /did you mean `simulation\.ambient`\?/)
})

test('malformed YAML is refused with line and column', async t => {
  const cases: [string, RegExp][] = [
    ['name: a\npeers: [b:1\n', /^etc\/node\.yaml:\d+:\d+: /],
    ['name: "a\n', /^etc\/node\.yaml:2:\d+: /],
    ['name: a\nname: b\n', /^etc\/node\.yaml:2:1: this key stands twice/],
    ['{"name":"a",\n "name":"b"}', /^etc\/node\.yaml:2:2: this key stands twice/],
    ['name: a\n---\nname: b\n', /^etc\/node\.yaml:2:1: a second document/],
    ['name: !!js/function x\n', /^etc\/node\.yaml:1:7: Unresolved tag/],
    ['- a\n', /^etc\/node\.yaml:1:1: found \[ 'a' \] where "key: value" lines/],
    ['just text', /^etc\/node\.yaml:1:1: found "just text"/],
  ]
  for (const [text, message] of cases) t.regex((await refusal(t, { text })).message, message)
})

test('attack: a file of aliases of aliases is refused before it grows', async t => {
  const levels = ['a0: &a0 [x, x, x, x, x, x, x, x, x]']
  for (let depth = 1; depth < 9; depth++) {
    levels.push(`a${depth}: &a${depth} [${`*a${depth - 1}, `.repeat(9)}]`)
  }
  t.regex((await refusal(t, { text: levels.join('\n') })).message, /through aliases/)
})

test('attack: deep nesting, a huge file and bytes that are no text are refused', async t => {
  t.regex((await refusal(t, { text: `name: ${'['.repeat(100_000)}` })).message, /nested too deeply/)
  const huge = `# ${'x'.repeat(256 * 1024)}\nname: a`
  t.regex((await refusal(t, { text: huge })).message, /larger than 262144 bytes/)
  t.regex((await refusal(t, { text: Uint8Array.of(0x6e, 0xff, 0xfe) })).message, /not UTF-8/)
})

test('a file that is not there or is a folder is named with the reason', async t => {
  const sources = { env: {}, flags: { name: 'a' }, cwd: tmpdir() }
  const missing = await t.throwsAsync(loadConfig({ ...sources, file: 'no/such.yaml' }))
  t.is(missing.message, 'cannot read the configuration no/such.yaml: there is no such file')
  const dir = await t.throwsAsync(loadConfig({ ...sources, file: '.' }))
  t.regex(dir.message, /it is a folder/)
  // A device has no size to be judged by.
  const endless = await t.throwsAsync(loadConfig({ ...sources, file: '/dev/zero' }))
  t.regex(endless.message, /larger than/)
})

test('metrics listen where file, environment or command line say, nowhere when off, and by default where it is free', async t => {
  t.is((await load(t, { flags: { name: 'a' } })).metrics.listen, undefined)
  const text = 'name: a\nmetrics:\n  listen: 127.0.0.1:1\n'
  t.deepEqual((await load(t, { text })).metrics.listen, { host: '127.0.0.1', port: 1 })
  const env = { FRIDGE_METRICS: '[::1]:2' }
  t.deepEqual((await load(t, { text, env })).metrics.listen, { host: '::1', port: 2 })
  const flags = { metrics: 'off' }
  t.is((await load(t, { text, env, flags })).metrics.listen, 'off')
  t.is((await load(t, { text: 'name: a\nmetrics: { listen: off }' })).metrics.listen, 'off')

  const wrong = await refusal(t, { flags: { name: 'a', metrics: '9464' } })
  t.is(
    wrong.message,
    '--metrics: `metrics.listen` is "9464": expected "off", or "HOST:PORT" with a port from 0 to 65535',
  )
})

test('sealed sensors are in one channel each, and the files of their passphrases beside the configuration', async t => {
  const { cwd, seal, web } = await load(t, {
    text: 'name: n\nseal: { kitchen: { sensors: [door], passphraseFile: k.txt } }\nweb: { compat: { gcrypt: [kitchen] } }',
  })
  t.deepEqual(seal, {
    kitchen: { sensors: ['door'], passphraseFile: join(cwd, 'etc/k.txt') },
  })
  t.deepEqual(web.compat, { gcrypt: ['kitchen'], polling: false })
  const refused = [
    [
      'seal: { kitchen: { sensors: [dor], passphraseFile: k } }',
      /sensors\[0\].*one of the sensors: door, temperature/,
    ],
    ['seal: { kitchen: { sensors: [], passphraseFile: k } }', /seal\.kitchen\.sensors/],
    ['seal: { kitchen: { sensors: [door] } }', /seal\.kitchen\.passphraseFile.*missing/],
    ['seal: { Kitchen: { sensors: [door], passphraseFile: k } }', /a lower-case letter/],
    [
      'seal: { a: { sensors: [door], passphraseFile: k }, b: { sensors: [door], passphraseFile: k } }',
      /seal\.b\.sensors.*a sensor that `seal\.a` has not/,
    ],
    ['web: { compat: { gcrypt: [cellar] } }', /web\.compat\.gcrypt.*a channel of `seal`/],
    [
      'sensors: { bye: { driver: simulated, kind: door } }\nseal: { kitchen: { sensors: [bye], passphraseFile: k } }\nweb: { compat: { gcrypt: [kitchen] } }',
      /a sensor with another name/,
    ],
  ] as const
  for (const [text, message] of refused) {
    t.regex((await refusal(t, { text: `name: n\n${text}` })).message, message)
  }
})
