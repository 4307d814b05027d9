import test from 'ava'
import type { WireLayer } from '../../node/wire/refusal.ts'
import { rpcLine, sharedNames, textLine, WireHost } from '../support/wire-host.ts'

/**
 * Each payload that ends a process of the stock packages, leaves it deaf or changes what all
 * objects share. Here it costs its sender the connection, and nobody anything else.
 */
const DEEP = '['.repeat(20_000) + ']'.repeat(20_000)
const OPTS = { writable: true, readable: true }

type Payload = string | ((host: WireHost) => string)

/** Something inside the stream `door`, which accepts nothing. */
const inDoor =
  (text: unknown): Payload =>
  host =>
    textLine(host.door.id, text)

const frame = (value: unknown): string => `${JSON.stringify(value)}\n`

const PAYLOADS: [layer: WireLayer, title: string, payload: Payload][] = [
  ['line', 'bytes that are not UTF-8', '\ud800'],
  ['json', 'bad JSON', '{bad json\n'],
  ['json', 'nesting × 20,000', `${DEEP}\n`],
  ['json', 'nesting × 20,000 in a frame', `["a1","data",${DEEP}]\n`],
  ['mux', 'null', 'null\n'],
  ['mux', 'a number', '7\n'],
  ['mux', 'an object', '{"length":3,"0":"1"}\n'],
  ['mux', 'an empty array', '[]\n'],
  ['mux', 'an id that is no string', frame([{ toString: 1 }, 'data', 'x'])],
  ['mux', 'a kind that is no string', frame(['a1', { toString: 1 }])],
  ['mux', 'an unknown kind', frame(['a1', 'unpipe'])],
  ['mux', 'a local event', frame(['a1', 'newListener', 'x'])],
  ['mux', 'new without anything', frame(['1', 'new'])],
  ['mux', 'new with nothing in it', frame(['1', 'new', {}])],
  ['mux', 'new with null', frame(['1', 'new', null])],
  ['mux', 'new without opts', frame(['1', 'new', { meta: 'rpc' }])],
  ['mux', 'new with a meta that is no string', frame(['1', 'new', { meta: ['rpc'], opts: OPTS }])],
  ['mux', 'new with a long meta', frame(['1', 'new', { meta: 'x'.repeat(65), opts: OPTS }])],
  ['mux', 'new with more options', frame(['1', 'new', { meta: 'rpc', opts: { ...OPTS, x: 1 } }])],
  [
    'mux',
    'new with an id of Object.prototype',
    frame(['toString', 'new', { meta: 'rpc', opts: OPTS }]),
  ],
  ['mux', 'new with the id __proto__', frame(['__proto__', 'new', { meta: 'rpc', opts: OPTS }])],
  ['mux', 'new with an empty id', frame(['', 'new', { meta: 'rpc', opts: OPTS }])],
  ['mux', 'new of a stream that is open', frame(['a1', 'new', { meta: 'rpc', opts: OPTS }])],
  [
    'mux',
    'new of a stream that was closed',
    frame(['a1', 'close']) + frame(['a1', 'new', { meta: 'rpc', opts: OPTS }]),
  ],
  ['mux', 'new of a stream that is not offered', frame(['1', 'new', { meta: 'root', opts: OPTS }])],
  ['mux', 'data for toString', frame(['toString', 'data', 1])],
  ['mux', 'pause for constructor', frame(['constructor', 'pause'])],
  ['mux', 'pause for __proto__', frame(['__proto__', 'pause'])],
  ['mux', 'a stream that never was', frame(['1', 'data', 'x'])],
  ['mux', 'an error for a stream that never was', frame(['1', 'error', 'x'])],
  ['mux', 'an error that is null', frame(['a1', 'error', null])],
  ['mux', 'an error that is an object', frame(['a1', 'error', { message: { length: 1e9 } }])],
  ['mux', 'a long id', frame(['a'.repeat(65), 'data', 'x'])],
  ['mux', 'an end with something in it', frame(['a1', 'end', 'x'])],
  ['mux', 'an object as data for events', inDoor({ a: 1 })],
  ['mux', 'a number as data for events', inDoor(7)],
  ['mux', 'an object as data for calls', textLine('a1', { method: 'methods', arguments: [null] })],
  ['mux', 'no data', frame(['a1', 'data'])],
  ['emitter', 'null as an event', inDoor('null\n')],
  ['emitter', 'a local event', inDoor('["error","boom"]\n')],
  ['emitter', 'an event that cannot be text', inDoor('[{"toString":1,"valueOf":1}]\n')],
  ['emitter', 'an event of another kind', inDoor('["open",1]\n')],
  ['json', 'bad JSON as an event', inDoor('{bad json\n')],
  ['json', 'nesting × 20,000 as an event', inDoor(`${DEEP}\n`)],
  ['rpc', 'null as a call', rpcLine('null')],
  ['rpc', 'methods that are null', rpcLine('{"method":"methods","arguments":[null]}')],
  [
    'rpc',
    'a callback called foo',
    rpcLine('{"method":0,"arguments":[1],"callbacks":{"foo":["0"]}}'),
  ],
  [
    'rpc',
    'a path into null',
    rpcLine('{"method":0,"arguments":[null],"callbacks":{"0":["0","a"]}}'),
  ],
  ['rpc', 'methods announced twice', rpcLine('{"method":"methods","arguments":[{}]}').repeat(2)],
  ['rpc', 'a link to null', rpcLine('{"method":0,"arguments":[],"links":[null]}')],
  ['rpc', 'links that are an object', rpcLine('{"method":0,"arguments":[],"links":{"forEach":1}}')],
  ['rpc', 'a cull of an object', rpcLine('{"method":"cull","arguments":{"forEach":1}}')],
  ['rpc', 'a path far out', rpcLine('{"callbacks":{"0":["100000000"]}}')],
  [
    'rpc',
    'a path far out in a call',
    rpcLine('{"method":0,"arguments":["[Function]"],"callbacks":{"0":["100000000"]}}'),
  ],
  [
    'rpc',
    'a callback id far out',
    rpcLine('{"method":0,"arguments":["[Function]"],"callbacks":{"100000000":["0"]}}'),
  ],
  [
    'rpc',
    'an unknown method',
    rpcLine('{"method":"format","arguments":["[Function]"],"callbacks":{"0":["0"]}}'),
  ],
  ['rpc', 'a missing callback', rpcLine('{"method":0,"arguments":[]}')],
  [
    'rpc',
    'a path to a prototype',
    rpcLine('{"method":0,"arguments":[{}],"callbacks":{"0":["0","__proto__","paused"]}}'),
  ],
  ['json', 'bad JSON as a call', rpcLine('{bad json')],
  ['json', 'nesting × 20,000 as a call', rpcLine(DEEP)],
]

// The one payload that JSON text cannot carry.
const NOT_UTF8 = Buffer.from([0x5b, 0xff, 0x5d, 0x0a])

for (const [layer, title, payload] of PAYLOADS) {
  test(`${layer}: ${title} costs its sender the connection and nobody else anything`, async t => {
    const shared = sharedNames()
    const bystander = await WireHost.open()
    const host = await WireHost.open()
    const text = typeof payload === 'string' ? payload : payload(host)
    const bytes = layer === 'line' ? NOT_UTF8 : Buffer.from(text)
    // All in one chunk: what stands behind the payload must never be reached.
    host.mux.receive(Buffer.concat([bytes, Buffer.from(WireHost.probe())]))
    await host.settle()
    t.deepEqual(
      host.refusals.map(refusal => refusal.layer),
      [layer],
      host.refusals.join(),
    )
    t.is(host.calls, 0)
    t.deepEqual(host.openStreams, [])
    const sent = host.sent.length
    host.receive(WireHost.probe() + WireHost.probe())
    await host.settle()
    t.is(host.refusals.length, 1)
    t.is(host.sent.length, sent)

    bystander.receive(WireHost.probe())
    await bystander.settle()
    t.is(bystander.calls, 1)
    t.deepEqual(bystander.refusals, [])
    t.deepEqual(sharedNames(), shared)
    t.false('paused' in {})
  })
}

test('a new stream and a poisoned call in one chunk reach nobody', async t => {
  const host = await WireHost.open()
  host.frames(['b2', 'new', { meta: 'rpc', opts: OPTS }], ['b2', 'data', 'null\n'])
  await host.settle()
  t.deepEqual(
    host.refusals.map(({ layer }) => layer),
    ['rpc'],
  )
})

test('an error of the peer closes its stream and leaves the rest alone', async t => {
  const host = await WireHost.open()
  host.frames([host.door.id, 'error', 'x'], [host.door.id, 'error', 'x'])
  host.receive(WireHost.probe())
  await host.settle()
  t.true(host.door.closed)
  t.is(host.calls, 1)
  t.deepEqual(host.refusals, [])
})

test('a method that rejects is answered, and the connection lives', async t => {
  const host = await WireHost.open()
  host.receive(
    rpcLine('{"method":1,"arguments":["[Function]"],"callbacks":{"0":["0"]},"links":[]}'),
  )
  await host.settle()
  t.regex(host.textOn('a1'), /"arguments":\["it is off"\]/)
  host.receive(
    rpcLine('{"method":0,"arguments":["[Function]"],"callbacks":{"1":["0"]},"links":[]}'),
  )
  await host.settle()
  t.is(host.calls, 1)
  t.deepEqual(host.refusals, [])
})
