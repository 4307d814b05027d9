import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import { FridgeError } from '../../../node/lib/errors.ts'
import { CLIENT_LIMITS, NODE_LIMITS } from '../../../node/wire/limits.ts'
import { connectRpc, serveRpc, type RpcMethod } from '../../../node/wire/rpc.ts'
import { readRpcError } from '../../../node/wire/rpc-error.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { serveOurs, serveStock, type Methods } from '../../support/rpc.ts'
import { collectGarbage } from '../../support/wire-garbage.ts'
import { pairOfOurs, pairWithStock } from '../../support/wire.ts'
import { stockDnode } from '../../support/wire-stock.ts'

const echo: RpcMethod = async values => values

const VALUES: unknown[] = [
  0,
  -3.5,
  'é€😀"\\\n',
  '',
  true,
  false,
  null,
  [],
  [[null]],
  {},
  { a: { b: [1] } },
]

test('a stock client gets back every kind of value that it sends', async t => {
  const { pair, remote, failures } = await serveStock({ echo })
  const answers: unknown[] = []
  remote['echo']?.(...VALUES, (...answer: unknown[]) => answers.push(answer))
  remote['echo']?.((...answer: unknown[]) => answers.push(answer))
  await pair.quiet()
  t.deepEqual(answers, [
    [null, VALUES],
    [null, []],
  ])
  t.deepEqual(failures, [])
  t.deepEqual(pair.ours.refusals, [])
})

test('a stock client is understood wherever its chunks end', async t => {
  const { pair, remote } = await serveStock({ echo }, bytes =>
    [...bytes].map(byte => Buffer.from([byte])),
  )
  const answers: unknown[] = []
  remote['echo']?.('Kühlschrank €😀', (...answer: unknown[]) => answers.push(answer))
  await pair.quiet()
  t.deepEqual(answers, [[null, ['Kühlschrank €😀']]])
})

test('what a stock client reads is byte for byte what stock dnode writes', async t => {
  const { pair, remote } = await serveStock({ powerOn: async () => 'on', defrost: echo })
  remote['powerOn']?.(() => {})
  await pair.quiet()
  const [stream] = pair.ours.streams
  const [announced, answered] = pair.ours.textOn(stream?.id ?? '').split('\n')

  const lines: string[] = []
  const stock = stockDnode(
    { powerOn: done => (done as () => void)(), defrost: () => {} },
    { weak: false },
  )
  stock.on('data', line => lines.push(String(line)))
  await nextTurn()
  t.is(`${announced}\n`, lines.join(''))
  t.is(answered, '{"method":0,"arguments":[null,"on"],"callbacks":{},"links":[]}')
})

test('a method that throws or rejects answers with its words, and those after it are answered', async t => {
  const { pair, remote, failures } = await serveStock({
    throws: () => {
      throw new Error('it is off')
    },
    rejects: async () => {
      throw new RangeError('too cold')
    },
    text: () => Promise.reject('only a text'),
    nothing: () => Promise.reject(undefined),
    odd: () => Promise.reject(Object.create(null)),
    empty: () => Promise.reject(new Error('')),
    big: async () => 10n,
    circle: async () => {
      const circle: unknown[] = []
      circle.push(circle)
      return circle
    },
    echo,
  })
  const answers: unknown[] = []
  for (const method of Object.values(remote)) {
    method((error: unknown, result: unknown) => answers.push(error ?? result))
  }
  await pair.quiet()
  t.deepEqual(
    answers.map(String).toSorted((a, b) => a.localeCompare(b)),
    [
      '',
      'it failed without a reason',
      'it failed without a reason',
      'it failed without a reason',
      'it is off',
      'only a text',
      'the answer cannot be sent: a circular value cannot be sent',
      'the answer cannot be sent: Do not know how to serialize a BigInt',
      'too cold',
    ],
  )
  t.deepEqual(failures, [])
  t.deepEqual(pair.ours.refusals, [])
})

test('a stock client may pass one function to all its calls, also from inside an answer', async t => {
  const { pair, remote, failures } = await serveStock({
    first: async () => 1,
    second: async () => 2,
    third: async () => 3,
  })
  const answers: unknown[] = []
  const done = (_: unknown, result: unknown): void => {
    answers.push(result)
    if (result === 1) remote['third']?.(done)
  }
  remote['first']?.(done)
  remote['second']?.(done)
  await pair.quiet()
  t.deepEqual(answers, [1, 2, 3])
  t.deepEqual(failures, [])
})

test('a stock client may make many calls one after another', async t => {
  const { pair, remote } = await serveStock({ echo })
  for (let count = 0; count < 200; count += 1) {
    let answer: unknown
    remote['echo']?.(count, (_: unknown, result: unknown) => {
      answer = result
    })
    await pair.quiet()
    t.deepEqual(answer, [count])
  }
  t.deepEqual(pair.ours.refusals, [])
})

test('a call past the limit is answered with an error, and one after an answer is served', async t => {
  const release: (() => void)[] = []
  const { pair, remote } = await serveStock({
    wait: async () => {
      await new Promise<void>(resolve => {
        release.push(resolve)
      })
      return 'done'
    },
  })
  const answers: unknown[] = []
  const call = (): void =>
    remote['wait']?.((error: unknown, result: unknown) => answers.push(error ?? result))
  for (let count = 0; count < CLIENT_LIMITS.maxPendingCalls + 2; count += 1) call()
  await pair.quiet()
  t.deepEqual(answers, ['more than 32 calls at once', 'more than 32 calls at once'])
  t.is(release.length, CLIENT_LIMITS.maxPendingCalls)
  release.shift()?.()
  await pair.quiet()
  call()
  await pair.quiet()
  t.deepEqual(answers.slice(2), ['done'])
  t.is(release.length, CLIENT_LIMITS.maxPendingCalls)
  t.deepEqual(pair.ours.refusals, [])
})

test('progress comes before the answer and not after it', async t => {
  let report: ((value: unknown) => void) | undefined
  const { pair, remote } = await serveOurs({
    remove: async (values, progress) => {
      report = progress
      progress({ node: 'a' })
      progress({ node: 'b' })
      return values
    },
  })
  const heard: unknown[] = []
  const answer = remote.call('remove', ['x'], { onProgress: value => heard.push(value) })
  await pair.quiet()
  t.deepEqual(await answer, ['x'])
  const before = pair.other.sent.length
  report?.({ node: 'late' })
  await pair.quiet()
  t.is(pair.other.sent.length, before)
  t.deepEqual(heard, [{ node: 'a' }, { node: 'b' }])
})

test('a method may report progress to nobody', async t => {
  const { pair, remote } = await serveOurs({
    remove: async (_, progress) => {
      progress(1)
      return 'done'
    },
  })
  const answer = remote.call('remove', [])
  await pair.quiet()
  t.is(await answer, 'done')
})

test('a client knows the methods, calls them and gets their errors as ERR_COMMAND', async t => {
  const { pair, remote } = await serveOurs({
    echo,
    off: async () => {
      throw new Error('it is off')
    },
  })
  t.deepEqual([...remote.methods], ['echo', 'off'])
  const echoed = remote.call('echo', VALUES)
  const failed = t.throwsAsync(remote.call('off', []), {
    code: 'ERR_COMMAND',
    message: 'it is off',
  })
  await pair.quiet()
  t.deepEqual(await echoed, VALUES)
  await failed
  await t.throwsAsync(remote.call('constructor', []), { code: 'ERR_COMMAND' })
  await t.throwsAsync(remote.call('echo', [10n]), { instanceOf: TypeError })
  t.deepEqual(pair.one.refusals, [])
})

test('a client calls a stock server', async t => {
  const pair = pairWithStock({
    onConnection: stream => {
      const server = stockDnode(
        {
          add: (a, b, done) =>
            (done as (...answer: unknown[]) => void)(null, Number(a) + Number(b)),
          fail: done => (done as (error: string) => void)('no'),
          twice: done => {
            const answer = done as (error: unknown, result: number) => void
            answer(undefined, 1)
            answer(undefined, 2)
          },
        },
        { weak: false },
      )
      stream.pipe(server).pipe(stream)
    },
  })
  const { onRefused, mux } = pair.ours
  const clock = new FakeClock()
  const connecting = connectRpc(mux.open('rpc'), { limits: NODE_LIMITS, onRefused, clock })
  await pair.quiet()
  const remote = await connecting
  const calls = [remote.call('add', [1, 2]), remote.call('twice', []), remote.call('add', [3, 4])]
  const failed = t.throwsAsync(remote.call('fail', []), { message: 'no' })
  await pair.quiet()
  t.deepEqual(await Promise.all(calls), [3, 1, 7])
  await failed
  t.deepEqual(pair.ours.refusals, [])
})

test('a call without an answer in time ends with ERR_TIMEOUT, and a late answer harms nothing', async t => {
  const late = Promise.withResolvers<string>()
  const { pair, remote, clock } = await serveOurs({ slow: () => late.promise, echo })
  const call = t.throwsAsync(remote.call('slow', [], { timeoutMs: 1_000 }), { code: 'ERR_TIMEOUT' })
  await pair.quiet()
  await clock.advance(1_000)
  await call
  late.resolve('late')
  await pair.quiet()
  const next = remote.call('echo', [1], { timeoutMs: 1_000 })
  await pair.quiet()
  t.deepEqual(await next, [1])
  t.deepEqual(pair.one.refusals, [])
})

test('a call ends when its signal aborts', async t => {
  const { remote } = await serveOurs({ slow: () => new Promise(() => {}) })
  const controller = new AbortController()
  const reason = new Error('enough')
  const call = t.throwsAsync(remote.call('slow', [], { signal: controller.signal }), { is: reason })
  controller.abort(reason)
  await call
  await t.throwsAsync(remote.call('slow', [], { signal: controller.signal }), { is: reason })
})

test('when the connection ends, calls under way and later ones end with ERR_CLOSED', async t => {
  const { pair, remote } = await serveOurs({ slow: () => new Promise(() => {}) })
  const call = t.throwsAsync(remote.call('slow', []), { code: 'ERR_CLOSED' })
  await pair.quiet()
  pair.one.mux.destroy()
  await call
  await t.throwsAsync(remote.call('slow', []), { code: 'ERR_CLOSED' })
})

test('a client whose connection ends before the methods have come is told', async t => {
  const pair = pairOfOurs()
  const { onRefused, mux } = pair.one
  const options = { limits: NODE_LIMITS, onRefused, clock: new FakeClock() }
  const waiting = t.throwsAsync(connectRpc(mux.open('rpc'), options), { code: 'ERR_CLOSED' })
  mux.destroy()
  await waiting
  await t.throwsAsync(connectRpc(mux.open('rpc'), options), { code: 'ERR_CLOSED' })
})

test('a method learns that its caller has gone, and its answer is dropped', async t => {
  const answered = Promise.withResolvers<void>()
  let gone = false
  const { pair, remote } = await serveStock({
    watch: async (_, progress, signal) => {
      await new Promise<void>(resolve => {
        signal.addEventListener('abort', () => resolve())
      })
      gone = true
      progress('late')
      answered.resolve()
      return 'late'
    },
  })
  remote['watch']?.(
    () => {},
    () => {},
  )
  await pair.quiet()
  const before = pair.ours.sent.length
  pair.ours.mux.destroy()
  await answered.promise
  await pair.quiet()
  t.true(gone)
  t.is(pair.ours.sent.length, before)
})

test('a completed call leaves nothing behind at the caller', async t => {
  const { pair, remote } = await serveOurs({ echo })
  const makeCall = async (): Promise<WeakRef<object>> => {
    const onProgress = (): void => {}
    const call = remote.call('echo', [], { onProgress })
    await pair.quiet()
    await call
    return new WeakRef(onProgress)
  }
  const passed = await makeCall()
  await nextTurn()
  collectGarbage()
  t.is(passed.deref(), undefined)
})

test('a method cannot have a name that dnode needs', t => {
  const pair = pairOfOurs()
  const stream = pair.one.mux.open('rpc')
  const { onRefused } = pair.one
  for (const name of ['methods', 'cull', '__proto__']) {
    const methods = new Map([[name, echo]])
    t.throws(() => serveRpc(stream, methods, { limits: CLIENT_LIMITS, onRefused }), {
      instanceOf: RangeError,
    })
  }
})

test('between our own ends an error keeps its code, if it is one that may cross the wire', async t => {
  const methods: Methods = {
    refuses: () => Promise.reject(new FridgeError('ERR_REFUSED', 'not you')),
    fails: () => Promise.reject(new FridgeError('ERR_CLOSED', 'the disk is gone')),
    breaks: () => Promise.reject(new Error('a bug')),
  }
  const { pair, remote } = await serveOurs(methods, { codes: true })
  for (const [method, code, message] of [
    ['refuses', 'ERR_REFUSED', 'not you'],
    ['fails', 'ERR_COMMAND', 'the disk is gone'],
    ['breaks', 'ERR_COMMAND', 'a bug'],
  ] as const) {
    const failed = t.throwsAsync(remote.call(method, []), { instanceOf: FridgeError })
    await pair.quiet()
    const error = await failed
    t.deepEqual([error.code, error.message], [code, message])
  }
})

test('an error of a peer that makes no sense is an error all the same', t => {
  for (const value of ['', 7, {}, [], { code: 'ERR_CLOSED', message: '' }, { message: 7 }]) {
    const { code, message } = readRpcError(value)
    t.deepEqual([code, message], ['ERR_COMMAND', 'it failed without a reason'])
  }
})
