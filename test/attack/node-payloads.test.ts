import test from 'ava'
import { makeSharedCerts, startCluster } from '../support/cluster.ts'
import { carrying, connectRaw, opening, type RawPeer } from '../support/raw-peer.ts'
import { sharedNames } from '../support/wire-host.ts'

/**
 * What ends a process of the stock packages, sent to a whole node over TLS by a client that is on
 * the list: it costs the sender its connection, and nobody else anything. One node takes it all.
 */

const shared = await makeSharedCerts()
const { certs } = shared
const [attacker, bystander] = await Promise.all([
  certs.load('client', 'c1'),
  certs.load('client', 'c2'),
])
const removals: (() => unknown)[] = []
const teardown = { teardown: (removal: () => unknown) => void removals.push(removal) }
const cluster = await startCluster(teardown, {
  certs,
  config: { simulation: { readingIntervalMs: 100 }, limits: { maxConnectionsPerClient: 1_000 } },
})
await cluster.grant(1, 'c1')
await cluster.grant(1, 'c2')
const witness = await connectRaw(teardown, cluster.node(1).address, bystander)
const namesBefore = sharedNames()
test.after.always(async () => {
  await cluster[Symbol.asyncDispose]()
  for (const removal of removals) await removal()
  await shared.remove()
})

const DEEP = '['.repeat(20_000) + ']'.repeat(20_000)
const OPTS = { writable: true, readable: true }
const RPC = 'a1'

/** The streams that a payload may be sent on. */
interface Streams {
  readonly door: string
}

type Payload = string | Buffer | ((streams: Streams) => string)

const frame = (value: unknown): string => `${JSON.stringify(value)}\n`
const data = (id: string, text: unknown): string => frame([id, 'data', text])
const inDoor =
  (line: unknown): Payload =>
  ({ door }) =>
    data(door, typeof line === 'string' ? `${line}\n` : line)
const inRpc = (line: string): Payload => data(RPC, `${line}\n`)

const PAYLOADS: [title: string, payload: Payload][] = [
  ['bytes that are not UTF-8', Buffer.from([0x5b, 0xff, 0xfe, 0x5d, 0x0a])],
  ['bad JSON', '{bad json\n'],
  ['null', 'null\n'],
  ['an HTTP request', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['nesting × 20,000', `${DEEP}\n`],
  ['nesting × 20,000 as data', `["${RPC}","data",${DEEP}]\n`],
  ['new without anything', frame(['1', 'new'])],
  ['new with nothing in it', frame(['1', 'new', {}])],
  ['new of a stream of no such name', frame(['1', 'new', { meta: 'root', opts: OPTS }])],
  ['a second rpc', frame(opening('1', 'rpc'))],
  ['a stream that the node opens itself', frame(opening('1', 'door'))],
  ['a stream of the gossip', frame(opening('1', 'whitelist'))],
  ['a stream called __proto__', frame(opening('1', '__proto__'))],
  ['data for toString', frame(['toString', 'data', 1])],
  ['pause for constructor', frame(['constructor', 'pause'])],
  ['pause for __proto__', frame(['__proto__', 'pause'])],
  ['an error that is null', frame([RPC, 'error', null])],
  ['an error for a stream that never was', frame(['1', 'error', 'x'])],
  ['an object as data for events', inDoor({ a: 1 })],
  ['a number as data for events', inDoor(7)],
  ['an object as data for calls', data(RPC, { method: 'methods', arguments: [null] })],
  ['bad JSON as an event', inDoor('{bad json')],
  ['null as an event', inDoor('null')],
  ['a local event', inDoor('["error","boom"]')],
  ['an event whose name cannot be text', inDoor('[{"toString":1,"valueOf":1}]')],
  ['nesting × 20,000 as an event', inDoor(DEEP)],
  ['bad JSON as a call', inRpc('{bad json')],
  ['null as a call', inRpc('null')],
  ['nesting × 20,000 as a call', inRpc(DEEP)],
  ['methods that are null', inRpc('{"method":"methods","arguments":[null]}')],
  ['a callback called foo', inRpc('{"method":0,"arguments":[1],"callbacks":{"foo":["0"]}}')],
  ['a path into null', inRpc('{"method":0,"arguments":[null],"callbacks":{"0":["0","a"]}}')],
  ['a link to null', inRpc('{"method":0,"arguments":[],"links":[null]}')],
  ['links that are an object', inRpc('{"method":0,"arguments":[],"links":{"forEach":1}}')],
  ['a cull of an object', inRpc('{"method":"cull","arguments":{"forEach":1}}')],
  ['a path far out', inRpc('{"callbacks":{"0":["100000000"]}}')],
  [
    'a path far out in a call',
    inRpc('{"method":0,"arguments":["[Function]"],"callbacks":{"0":["100000000"]}}'),
  ],
  [
    'an unknown method',
    inRpc('{"method":"format","arguments":["[Function]"],"callbacks":{"0":["0"]}}'),
  ],
  ['a method of operators', inRpc(callOf('propose'))],
  ['a method of every object', inRpc(callOf('toString'))],
  ['a missing callback', inRpc('{"method":"defrost","arguments":[]}')],
]

function callOf(method: string): string {
  return JSON.stringify({
    method,
    arguments: ['[Function]'],
    callbacks: { 0: ['0'] },
    links: [],
  })
}

/** Connect as the attacker, with `rpc` open as for a genuine call. */
async function connect(alpn: boolean): Promise<RawPeer & Streams> {
  const peer = await connectRaw(teardown, cluster.node(1).address, attacker, { alpn })
  peer.frames(opening(RPC, 'rpc'))
  const door = await peer.stream('door')
  await peer.lines.find(/setTargetTemperature.*callbacks/)
  return { ...peer, door }
}

/** The node goes on: who was connected hears the next reading, and nothing was switched off. */
async function isUnharmed(): Promise<boolean> {
  await witness.lines.find(/reading/, witness.lines.all.length)
  const power = cluster.node(1).fridge?.state().isPowered
  return power === true && !('paused' in {}) && sharedNames().join() === namesBefore.join()
}

for (const alpn of [false, true]) {
  const protocol = alpn ? 'fridge/1' : 'plain'
  for (const [title, payload] of PAYLOADS) {
    test(`${protocol}: ${title} costs its sender the connection and nobody else anything`, async t => {
      const peer = await connect(alpn)
      const bytes = typeof payload === 'function' ? payload(peer) : payload
      // In one chunk: what stands behind the payload must never be reached.
      const behind = frame(carrying(RPC, callOf('powerOff')))
      peer.send(Buffer.concat([Buffer.from(bytes), Buffer.from(behind)]))
      await peer.closed
      t.true(await isUnharmed())
    })
  }
}

const CONTROL: [title: string, line: string][] = [
  ['bad JSON', '{bad'],
  ['null', 'null'],
  ['a local event', '["error","boom"]'],
  ['an event that nobody awaits', '["open",1]'],
  ['an event that cannot be text', '[{"toString":1,"valueOf":1}]'],
  ['nesting × 20,000', DEEP],
  ['a hello that is no object', '["hello",7]'],
  ['a hello of another version', '["hello",{"protocol":2}]'],
  ['a hello that resumes no run', '["hello",{"protocol":1,"resume":null}]'],
  [
    'a hello that resumes a prototype',
    '["hello",{"protocol":1,"resume":{"run":"node-1#0123456789abcdef","sensors":{"__proto__":1}}}]',
  ],
  ['a second hello', '["hello",{"protocol":1}]\n["hello",{"protocol":1}]'],
  ['a beat with something in it', '["beat",1]'],
  ['a bye without reason', '["bye"]'],
  ['a bye that is no text', '["bye",{"toString":1},"x"]'],
]

for (const [title, line] of CONTROL) {
  test(`control: ${title} costs its sender the connection and nobody else anything`, async t => {
    const peer = await connect(true)
    const control = await peer.stream('control')
    peer.frames(carrying(control, line), carrying(RPC, callOf('powerOff')))
    await peer.closed
    t.true(await isUnharmed())
  })
}

test('an operator that sends what no operator sends loses its connection and changes nothing', async t => {
  const admin = await certs.load('operator', 'admin')
  const before = await listed()
  for (const line of [
    'null',
    callOf('powerOff'),
    '{"method":"propose","arguments":[{"__proto__":null},"[Function]"],"callbacks":{"0":["5"]}}',
    '{"method":"propose","arguments":["[Function]","[Function]","[Function]"],"callbacks":{"0":["0"],"1":["1"],"2":["2"]}}',
  ]) {
    const peer = await connectRaw(teardown, cluster.node(1).address, admin, { alpn: true })
    peer.frames(opening(RPC, 'rpc'), carrying(RPC, line))
    await peer.closed
  }
  t.true(await isUnharmed())
  t.deepEqual(await listed(), before)
})

test('arguments of an operator that are none are answered with an error, and change nothing', async t => {
  const admin = await certs.load('operator', 'admin')
  const before = await listed()
  const peer = await connectRaw(teardown, cluster.node(1).address, admin, { alpn: true })
  peer.frames(opening(RPC, 'rpc'))
  const calls: [method: string, ...values: unknown[]][] = [
    ['propose'],
    ['propose', null],
    ['propose', []],
    ['propose', { kind: 'grant' }],
    ['propose', { kind: 'root', subject: 'client/x' }],
    ['propose', { kind: 'revocation', subject: 'client/x', terms: {} }],
    ['propose', { kind: 'revocation', subject: 'client/../x' }],
    ['propose', { kind: 'grant', subject: 'client/x', terms: { sensors: 'door' } }],
    ['propose', { kind: 'grant', subject: 'client/x', terms: {}, operator: 'maria' }],
    ['commit', 7, '', 0],
    ['commit', '{}', 'x', 0],
    ['commit', 'x'.repeat(40_000), 'A'.repeat(86), 0],
    ['commit', '{}', 'A'.repeat(86), 1e308],
    ['list', 7],
    ['list', '__proto__'],
    ['show', null],
    ['show', 'root/x'],
    ['subject', null],
    ['subject', 'root/x'],
  ]
  for (const [id, [method, ...values]] of calls.entries()) {
    const position = String(values.length)
    const call = { method, arguments: [...values, '[Function]'], callbacks: { [id]: [position] } }
    peer.frames(carrying(RPC, JSON.stringify(call)))
    const answer = await peer.lines.find(new RegExp(`\\\\"method\\\\":${id},`))
    t.notRegex(answer, /\\"arguments\\":\[null/, `${method} ${JSON.stringify(values).slice(0, 80)}`)
  }
  t.true(await isUnharmed())
  t.deepEqual(await listed(), before)
})

async function listed(): Promise<unknown> {
  await using operator = await cluster.operator(1)
  const reports = await Array.fromAsync(operator.subjects())
  // How many connections each has changes under the other tests.
  return reports.map(report => ({ ...report, sessions: 0 }))
}
