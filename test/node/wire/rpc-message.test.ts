import test from 'ava'
import * as fc from 'fast-check'
import { CLIENT_LIMITS } from '../../../node/wire/limits.ts'
import { Refusal } from '../../../node/wire/refusal.ts'
import {
  greatestCallbackOf,
  parseRpcMessage,
  type RpcState,
} from '../../../node/wire/rpc-message.ts'

const F = '[Function]'

/** An end that serves two methods, before anything has come. */
const SERVING: RpcState = {
  limits: CLIENT_LIMITS,
  methods: new Map([
    ['defrost', 0],
    ['toString', 1],
  ]),
  handedOut: 2,
  greatestCallback: -1,
  announced: false,
}

/** An end that has passed three callbacks and serves nothing. */
const CALLING: RpcState = { ...SERVING, methods: undefined, handedOut: 3 }

function call(callbacks: unknown, ...values: unknown[]): Record<string, unknown> {
  return { method: 0, arguments: values, callbacks, links: [] }
}

const ACCEPTED: [title: string, message: unknown, state?: RpcState][] = [
  ['a call by number', call({ 0: ['1'] }, 'bob', F)],
  ['a call by name', { ...call({ 0: ['0'] }, F), method: 'defrost' }],
  ['a call with progress', call({ 0: ['1'], 1: ['2'] }, 4, F, F)],
  ['a path of numbers', call({ 0: [1] }, 4, F)],
  ['a text that only looks like a function', call({ 0: ['1'] }, F, F)],
  ['an announcement of nothing', { method: 'methods', arguments: [{}], callbacks: {}, links: [] }],
  [
    'an announcement of methods',
    { method: 'methods', arguments: [{ a: F, b: 1 }], callbacks: { 0: ['0', 'a'] }, links: [] },
  ],
  ['a cull', { method: 'cull', arguments: [3] }],
  ['a callback id in step', call({ 41: ['0'] }, F), { ...SERVING, greatestCallback: 40 }],
  ['an answer', { method: 2, arguments: [null, 'done'], callbacks: {}, links: [] }, CALLING],
  ['an error', { method: 2, arguments: ['it is off'], callbacks: {}, links: [] }, CALLING],
]
for (const [title, message, state = SERVING] of ACCEPTED) {
  test(`${title} is accepted`, t => {
    t.is(parseRpcMessage(message, state), message as never)
  })
}

const REFUSED: [title: string, message: unknown, state?: RpcState][] = [
  ['null', null],
  ['a number', 7],
  ['an array', [0]],
  ['a message without arguments', { method: 0 }],
  ['arguments that are an object', { method: 'cull', arguments: { forEach: 1 } }],
  ['a field that dnode does not know', { ...call({ 0: ['0'] }, F), forEach: 1 }],
  ['announced methods that are null', { method: 'methods', arguments: [null] }],
  ['announced methods that are an array', { method: 'methods', arguments: [[]] }],
  [
    'a second announcement',
    { method: 'methods', arguments: [{}] },
    { ...SERVING, announced: true },
  ],
  [
    'a method called __proto__',
    JSON.parse(
      '{"method":"methods","arguments":[{"__proto__":"[Function]"}],"callbacks":{"0":["0","__proto__"]}}',
    ),
  ],
  ['an unknown method', { ...call({ 0: ['0'] }, F), method: 'shutDown' }],
  ['a method of Object.prototype', { ...call({ 0: ['0'] }, F), method: 'constructor' }],
  ['a number that is no function of ours', { ...call({ 0: ['0'] }, F), method: 2 }],
  ['a negative number', { ...call({ 0: ['0'] }, F), method: -1 }],
  ['a fraction', { ...call({ 0: ['0'] }, F), method: 0.5 }],
  ['a method that is an object', { ...call({ 0: ['0'] }, F), method: { toString: 1 } }],
  ['a call without a callback', call({}, 4)],
  ['a call without callbacks at all', { method: 0, arguments: [] }],
  ['a callback that is not last', call({ 0: ['0'] }, F, 4)],
  ['a callback inside an argument', call({ 0: ['0', 'a'] }, { a: F })],
  ['two ids for one callback', call({ 0: ['1'], 1: ['1'] }, F, F)],
  ['three callbacks', call({ 0: ['0'], 1: ['1'], 2: ['2'] }, F, F, F)],
  ['a callback whose place holds something else', call({ 0: ['0'] }, 'x')],
  ['a path to nowhere', call({ 0: ['100000000'] }, F)],
  ['a path into null', call({ 0: ['0', 'a'] }, null)],
  ['a path to the length', call({ 0: ['length'] }, F)],
  ['an empty path', call({ 0: [] }, F)],
  ['a path that is no array', call({ 0: '0' }, F)],
  ['a path that is an object', call({ 0: { length: 1, 0: '0' } }, F)],
  ['a callback id that is a word', call({ foo: ['0'] }, F)],
  ['a callback id that is not canonical', call({ '00': ['0'] }, F)],
  ['a callback id out of step', call({ 100_000_000: ['0'] }, F)],
  ['callbacks that are an array', call([['0']], F, 4)],
  ['callbacks that are null', call(null, F)],
  ['links to null', { ...call({ 0: ['0'] }, F), links: [null] }],
  ['links that are an object', { ...call({ 0: ['0'] }, F), links: { forEach: 1 } }],
  ['a cull of an object', { method: 'cull', arguments: [{ forEach: 1 }] }],
  ['a cull of a fraction', { method: 'cull', arguments: [0.5] }],
  ['a cull with a callback', { method: 'cull', arguments: [1], callbacks: { 0: ['0'] } }],
  ['too many arguments', call({ 0: ['16'] }, ...Array<number>(16).fill(0), F)],
  [
    'an announcement of too many methods',
    {
      method: 'methods',
      arguments: [Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`m${i}`, F]))],
      callbacks: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [i, ['0', `m${i}`]])),
    },
  ],
  ['a function in an answer', call({ 0: ['1'] }, null, F), CALLING],
  ['a call by name of an end that serves nothing', { method: 'defrost', arguments: [] }, CALLING],
]
for (const [title, message, state = SERVING] of REFUSED) {
  test(`${title} is refused`, t => {
    t.true(parseRpcMessage(message, state) instanceof Refusal)
  })
}

test('any JSON gives a message or a refusal', t => {
  const part = fc.jsonValue({ maxDepth: 3 })
  const shaped = fc.record(
    {
      method: fc.oneof(fc.constantFrom('methods', 'cull', 'defrost', 0, 1), part),
      arguments: fc.oneof(fc.array(fc.constantFrom(F, null, 4, { a: F })), part),
      callbacks: fc.oneof(fc.dictionary(fc.constantFrom('0', '1', 'a'), part), part),
      links: fc.oneof(fc.constant([]), part),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fc.oneof(shaped, part), message => {
      t.notThrows(() => parseRpcMessage(message, SERVING))
    }),
  )
})

test('the greatest callback id never goes down', t => {
  const message = { method: 0, arguments: [], callbacks: { 3: ['0'], 12: ['1'] } }
  t.is(greatestCallbackOf(message, 5), 12)
  t.is(greatestCallbackOf(message, 20), 20)
  t.is(greatestCallbackOf({ method: 0, arguments: [] }, 5), 5)
})
