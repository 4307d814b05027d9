import test from 'ava'
import type { RpcMethod } from '../../node/wire/rpc.ts'
import { runCommand, startCommand } from '../support/cli.ts'
import { makeSharedCerts } from '../support/cluster.ts'
import { startInventedNode } from '../support/invented-node.ts'

/** A stolen node that answers operators and clients with anything, at the command line. */

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

const JUNK: readonly unknown[] = [
  null,
  0,
  'text',
  [],
  [null],
  {},
  { entries: [null], certificates: {} },
  { entries: [], certificates: { a: [null] }, before: 1e300 },
  { outcome: 'committed' },
  { node: 'node-1', nodes: [{}], changes: 1, subjects: 1, aloneMs: 0, isolated: false },
  [
    {
      subject: 'client/c1',
      standing: 'granted',
      grants: [{ at: 9e300 }],
      revocations: [],
      sessions: 0,
    },
  ],
  [{ name: 'node-1', vitals: { sensors: [['air', 'temperature', 4, 1e300]], alarms: 7 } }],
  [{ name: 'node-1', vitals: {} }],
  { standing: [{}], past: [{ id: 7 }] },
  { kind: 'temperature', rows: [[1e300, 1, 0, 1, 4, 4, 4, 0, 0]], next: null },
  { kind: 'temperature', rows: [[-1e300, 1e300, 'temperature', 'raised', '{"id":7}']], next: 7 },
  { kind: 'temperature', rows: [[1, 1e300, null, 'clock', 'never']], next: null },
]

const COMMANDS = [
  ['whitelist', 'add', 'c1'],
  ['whitelist', 'remove', 'c1'],
  ['whitelist', 'add', 'c1', 'c2'],
  ['whitelist', 'list'],
  ['whitelist', 'export'],
  ['whitelist', 'show', 'c1'],
  ['whitelist', 'log'],
  ['whitelist', 'log', '--follow'],
  ['status'],
  ['client', 'call', 'defrost'],
  ['alarms', 'list', '--past'],
  ['alarms', 'acknowledge', '0123'],
  ['history', 'show', 'temperature', '--preset', 'food'],
  ['history', 'show', 'temperature', '--events'],
  ['history', 'show', 'temperature', '--alarms'],
  ['history', 'export', 'temperature'],
  ['history', 'report', 'temperature', '--preset', 'food'],
]

const METHODS = [
  'propose',
  'commit',
  'list',
  'subject',
  'show',
  'status',
  'log',
  'clock',
  'follow',
  'defrost',
  'alarms',
  'acknowledge',
  'history',
  'vitals',
]

function environment(args: readonly string[], node: string): Record<string, string> {
  const as = args[0] === 'client' || args[0] === 'alarms' ? 'c1' : 'admin'
  return { FRIDGE_CERTS: certs.dir, FRIDGE_AS: as, FRIDGE_NODE: node }
}

/** A node each of whose methods is this one. */
function everywhere(method: RpcMethod): Record<string, RpcMethod> {
  return Object.fromEntries(METHODS.map(name => [name, method]))
}

for (const [number, junk] of JUNK.entries()) {
  test(`an answer that is none (${number}) is the fault of its node, by name, and never of fridge`, async t => {
    const node = await startInventedNode(t, certs, { methods: everywhere(async () => junk) })
    for (const args of COMMANDS) {
      const { status, err } = await runCommand(args, { env: environment(args, node) })
      t.notRegex(err, /fault of fridge/, args.join(' '))
      if (status === 0) continue
      t.is(status, 1, args.join(' '))
      t.regex(err, /node-1|127\.0\.0\.1|not accepted|no alarm begins with/, args.join(' '))
    }
  })
}

test('a list that goes round in a circle ends, and says which node shows it', async t => {
  const page = ['c1', 'c2'].map(name => ({
    subject: `client/${name}`,
    standing: 'revoked',
    grants: [],
    revocations: [],
    sessions: 0,
  }))
  const node = await startInventedNode(t, certs, { methods: { ...everywhere(async () => page) } })
  const args = ['whitelist', 'list']
  const { status, err } = await runCommand(args, { env: environment(args, node) })
  t.is(status, 1)
  t.deepEqual(err.split('\n'), [
    'fridge: what node-1 answers to list cannot be read: its names are not in order',
    '  to mend it: ask another node with --node HOST:PORT, and look into that one',
  ])
})

test('a log whose pages do not follow each other ends as well', async t => {
  const page = { entries: [], certificates: {}, before: 7 }
  const methods = { ...everywhere(async () => page), clock: async () => ({}) }
  const node = await startInventedNode(t, certs, { methods })
  const args = ['whitelist', 'log']
  const { status, err } = await runCommand(args, { env: environment(args, node) })
  t.is(status, 1)
  t.regex(err, /node-1 answers to log cannot be read: its pages do not follow each other/)
})

test('a log that is followed ends at the first page that cannot be read, though its node goes on', async t => {
  const methods = {
    ...everywhere(async () => ({ entries: [], certificates: {}, before: null })),
    clock: async () => ({}),
    follow: async (_values: unknown[], progress: (value: unknown) => void): Promise<never> => {
      progress({ entries: 'none' })
      return new Promise(() => {})
    },
  }
  const node = await startInventedNode(t, certs, { methods })
  const args = ['whitelist', 'log', '--follow']
  const { status, err } = await runCommand(args, { env: environment(args, node) })
  t.is(status, 1)
  t.regex(err, /node-1 answers to log cannot be read: it is no page of changes/)
})

test('an event at a moment that cannot be is passed over, and the client goes on', async t => {
  const node = await startInventedNode(t, certs, {
    sensors: [{ name: 'door', kind: 'door' }],
    events: [
      ['door', 'close', Date.now(), 1],
      ['door', 'open', -8.65e15, 2],
      ['door', 'unavailable', 'no', Number.MAX_VALUE, 3],
      ['door', 'open', 1e300, 4],
    ],
  })
  const args = ['client', 'watch']
  const { out, status, stop } = startCommand(args, { env: environment(args, node) })
  await out.find(/closed/)
  t.is(out.all.length, 1)
  stop()
  t.is(await status, 0)
})
