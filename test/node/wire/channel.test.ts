import test from 'ava'
import { FridgeError } from '../../../node/lib/errors.ts'
import { Channel, type ChannelOptions, type ControlPart } from '../../../node/wire/channel.ts'
import type { Ending } from '../../../node/wire/connection.ts'
import type { Hello } from '../../../node/wire/control.ts'
import { CLIENT_LIMITS } from '../../../node/wire/limits.ts'
import type { RpcMethod } from '../../../node/wire/rpc.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { makePipe, type Pipe } from '../../support/gossip-pipe.ts'
import { collect, quiet } from '../../vectors/session.ts'

const TIMES = { heartbeatMs: 1_000, deadAfterMs: 3_000 }

/** One end of a connection in memory, and how it ended. */
interface TestEnd {
  readonly channel: Channel
  readonly clock: FakeClock
  readonly hellos: Hello[]
  readonly endings: Ending[]
}

function openEnd(pipe: Pipe, side: 0 | 1, options: Partial<ChannelOptions> = {}): TestEnd {
  const clock = new FakeClock()
  const hellos: Hello[] = []
  const endings: Ending[] = []
  const control: ControlPart = {
    opens: side === 0,
    ...TIMES,
    hello: { side },
    onHello: hello => {
      hellos.push(hello)
      return undefined
    },
  }
  const channel = new Channel(pipe.ends[side], {
    limits: CLIENT_LIMITS,
    clock,
    control,
    onEnd: ending => endings.push(ending),
    ...options,
  })
  return { channel, clock, hellos, endings }
}

/** Both ends ours. The first has accepted the connection. */
function openBoth(
  one: Partial<ChannelOptions> = {},
  other: Partial<ChannelOptions> = {},
): [TestEnd, TestEnd] {
  const pipe = makePipe()
  return [openEnd(pipe, 0, one), openEnd(pipe, 1, other)]
}

/** Our end that has accepted a connection; the peer is a test that writes lines. */
function acceptRaw(options: Partial<ChannelOptions> = {}): {
  end: TestEnd
  said: string[]
  send: (...frame: unknown[]) => Promise<void>
} {
  const pipe = makePipe()
  const said: string[] = []
  collect(pipe.ends[1], line => said.push(line))
  const send = async (...frame: unknown[]): Promise<void> => {
    pipe.ends[1].write(`${JSON.stringify(frame)}\n`)
    await quiet()
  }
  return { end: openEnd(pipe, 0, options), said, send }
}

function newStream(meta: string): [event: 'new', options: object] {
  return ['new', { meta, opts: { writable: true, readable: true } }]
}

const refuseMethod: RpcMethod = async () => {
  throw new FridgeError('ERR_REFUSED', 'not you')
}
const METHODS = new Map<string, RpcMethod>([
  ['echo', async values => values],
  ['refuse', refuseMethod],
])

function causesOf({ endings }: TestEnd): string[] {
  return endings.map(ending =>
    ending.cause === 'refused' ? ending.refusal.toString() : ending.cause,
  )
}

test('both ends hear the hello of the other, on the stream that the accepting one opens', async t => {
  const [one, other] = openBoth()
  await quiet()
  t.deepEqual(one.hellos, [{ protocol: 1, side: 1 }])
  t.deepEqual(other.hellos, [{ protocol: 1, side: 0 }])
})

test('a farewell is heard before the connection ends', async t => {
  const [one, other] = openBoth()
  await quiet()
  one.channel.close({ reason: 'leaving', text: 'the node is stopping' })
  await quiet()
  t.deepEqual(other.channel.bye, { reason: 'leaving', text: 'the node is stopping' })
  t.is(one.channel.bye, undefined)
  t.deepEqual(causesOf(one), ['closed'])
  t.deepEqual(causesOf(other), ['lost'])
})

test('an end that closes before the control stream is open says nothing', async t => {
  const pipe = makePipe()
  const said: string[] = []
  collect(pipe.ends[0], line => said.push(line))
  const end = openEnd(pipe, 1)
  end.channel.close({ reason: 'leaving', text: '' })
  await quiet()
  t.deepEqual(said, [])
  t.deepEqual(causesOf(end), ['closed'])
})

test('a peer that falls silent is cut as dead, and one that beats is not', async t => {
  const [one, other] = openBoth()
  await quiet()
  for (let second = 0; second < 10; second += 1) {
    for (const { clock } of [one, other]) await clock.advance(1_000)
    await quiet()
  }
  t.deepEqual(one.endings, [])
  for (let second = 0; second < 4; second += 1) await one.clock.advance(1_000)
  t.deepEqual(causesOf(one), ['dead'])
  await quiet()
  for (const { clock } of [one, other]) t.is(clock.pending, 0, 'its timers end with it')
})

test('an end says the beat that is due soon when it hears one, and then waits for the next', async t => {
  const { end, said, send } = acceptRaw()
  const beats = (): number => said.filter(line => line.includes('beat')).length
  await quiet()
  const [control] = JSON.parse(said[0] ?? '[]') as [string]
  const hear = async (): Promise<void> => send(control, 'data', '["beat"]\n')
  await end.clock.advance(400)
  await hear()
  t.is(beats(), 0, 'not due soon')
  await end.clock.advance(200)
  await hear()
  t.is(beats(), 1)
  await end.clock.advance(1_400)
  await quiet()
  t.is(beats(), 1)
  await hear()
  t.is(beats(), 2)
  await end.clock.advance(1_500)
  await quiet()
  t.is(beats(), 3, 'it waits no longer for a peer that says nothing')
  await end.clock.advance(2_500)
  t.deepEqual(causesOf(end), ['dead'])
})

test('beats that are said together are due in the same moments, whenever the connections began', async t => {
  const clock = new FakeClock()
  const start = clock.now()
  t.is(start % TIMES.heartbeatMs, 0)
  const times: [number, number[]][] = []
  for (const waitMs of [0, 300, 400]) {
    await clock.advance(waitMs)
    const heard: number[] = []
    const control = { opens: true, beatsTogether: true, ...TIMES, hello: {} }
    const pipe = makePipe()
    collect(pipe.ends[1], line => line.includes('beat') && heard.push(clock.now() - start))
    openEnd(pipe, 0, { clock, control })
    times.push([clock.now() - start, heard])
  }
  for (let step = 0; step < 15; step += 1) {
    await clock.advance(100)
    await quiet()
  }
  t.deepEqual(times, [
    [0, [1_000, 2_000]],
    [300, [1_000, 2_000]],
    // Due in less than half a beat: that one is left out.
    [700, [2_000]],
  ])
})

test('a peer that has missed more than a beat is looked at twice as often', async t => {
  const control = { opens: true, beatsTogether: true, ...TIMES, hello: {} }
  const { end, said, send } = acceptRaw({ control })
  await quiet()
  const [stream] = JSON.parse(said[0] ?? '[]') as [string]
  await end.clock.advance(100)
  await send(stream, 'data', '["beat"]\n')
  // Silent for 2.9 s at the look at 3 s.
  await end.clock.advance(3_300)
  t.deepEqual(end.endings, [])
  await end.clock.advance(100)
  t.deepEqual(causesOf(end), ['dead'])
})

test('a control stream is opened once, and by the accepting end', async t => {
  const accepting = acceptRaw()
  await accepting.send('a1', ...newStream('control'))
  t.deepEqual(causesOf(accepting.end), ['mux: no stream is called "control"'])
  const pipe = makePipe()
  const dialing = openEnd(pipe, 1)
  for (const id of ['c0', 'c1']) {
    pipe.ends[0].write(`${JSON.stringify([id, ...newStream('control')])}\n`)
    await quiet()
  }
  t.deepEqual(causesOf(dialing), ['mux: no stream is called "control"'])
})

test('a peer whose hello is refused is cut', async t => {
  const [one] = openBoth({
    control: { opens: true, ...TIMES, hello: {}, onHello: () => 'a hello names no node' },
  })
  await quiet()
  t.deepEqual(causesOf(one), ['emitter: a hello names no node'])
})

test('a peer calls what it is served, and hears the codes of errors', async t => {
  const [, other] = openBoth({ rpc: { methods: () => METHODS, reopens: false } })
  const connecting = other.channel.connectRpc()
  await quiet()
  const remote = await connecting
  t.deepEqual([...remote.methods], ['echo', 'refuse'])
  const calls = Promise.allSettled([remote.call('echo', ['warm']), remote.call('refuse', [])])
  await quiet()
  const [echoed, refused] = await calls
  t.like(echoed, { value: ['warm'] })
  t.like(refused, { reason: { code: 'ERR_REFUSED', message: 'not you' } })
})

test('in the plain protocol there is no control stream, and errors are words', async t => {
  const { end, said, send } = acceptRaw({
    control: undefined,
    rpc: { methods: () => METHODS, reopens: true },
  })
  await quiet()
  t.deepEqual(said, [])
  t.is(end.clock.pending, 0)
  await send('a1', ...newStream('rpc'))
  const call = { method: 'refuse', arguments: ['[Function]'], callbacks: { 0: ['0'] }, links: [] }
  await send('a1', 'data', `${JSON.stringify(call)}\n`)
  t.true(said.some(line => line.includes('\\"arguments\\":[\\"not you\\"]')))
  end.channel.close({ reason: 'revoked', text: '' })
  await quiet()
  t.false(said.some(line => line.includes('revoked')))
})

test('calls come on one stream at a time', async t => {
  const { end, send } = acceptRaw({ rpc: { methods: () => METHODS, reopens: true } })
  for (const id of ['a1', 'a2', 'a3']) {
    await send(id, ...newStream('rpc'))
    await send(id, 'close')
  }
  t.deepEqual(end.endings, [])
  await send('a4', ...newStream('rpc'))
  await send('a5', ...newStream('rpc'))
  t.deepEqual(causesOf(end), ['mux: no stream is called "rpc"'])
})

test('where it may not be opened again, a stream for calls that was closed stays so', async t => {
  const { end, send } = acceptRaw({ rpc: { methods: () => METHODS, reopens: false } })
  await send('a1', ...newStream('rpc'))
  await send('a1', 'close')
  await send('a2', ...newStream('rpc'))
  t.deepEqual(causesOf(end), ['mux: no stream is called "rpc"'])
})

test('a stream that nothing serves is refused', async t => {
  const nothing = acceptRaw()
  await nothing.send('a1', ...newStream('rpc'))
  t.deepEqual(causesOf(nothing.end), ['mux: no stream is called "rpc"'])
  const opened: string[] = []
  const some = acceptRaw({
    onStream: ({ meta }) => {
      opened.push(meta)
      return meta === 'whitelist'
    },
  })
  await some.send('a1', ...newStream('whitelist'))
  t.deepEqual(some.end.endings, [])
  await some.send('a2', ...newStream('members'))
  t.deepEqual(opened, ['whitelist', 'members'])
  t.deepEqual(causesOf(some.end), ['mux: no stream is called "members"'])
})

test('a peer that is too slow is told so before it is cut, where that is wanted', async t => {
  const bye = { reason: 'too slow', text: 'it does not read what it is sent' }
  for (const byeToSlow of [bye, undefined]) {
    const [one, other] = openBoth(byeToSlow && { byeToSlow })
    await quiet()
    one.channel.cutAsTooSlow()
    await quiet()
    t.deepEqual(causesOf(one), ['too slow'])
    t.deepEqual(other.channel.bye, byeToSlow)
  }
})
