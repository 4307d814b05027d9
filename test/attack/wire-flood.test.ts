import test from 'ava'
import { CLIENT_LIMITS } from '../../node/wire/limits.ts'
import { collectGarbage } from '../support/wire-garbage.ts'
import { TestMux } from '../support/wire.ts'
import { rpcLine, textLine, WireHost } from '../support/wire-host.ts'

const OPTS = { writable: true, readable: true }

test('20,000 new streams end at the limit', t => {
  const end = new TestMux()
  const ids = Array.from({ length: 20_000 }, (_, index) => index.toString(16))
  end.frames(...ids.map(id => [id, 'new', { meta: 'rpc', opts: OPTS }]))
  t.is(end.streams.length, CLIENT_LIMITS.maxStreams)
  t.deepEqual(end.openStreams, [])
  t.deepEqual(end.refusals.map(String), ['mux: more than 16 streams'])
})

test('20,000 streams opened and closed are all forgotten', t => {
  const end = new TestMux()
  for (let index = 0; index < 20_000; index += 1) {
    const id = index.toString(16)
    end.frames([id, 'new', { meta: 'rpc', opts: OPTS }], [id, 'close'])
  }
  t.deepEqual(end.openStreams, [])
  t.deepEqual(end.refusals, [])
  // Only the newest are remembered, for frames that are under way.
  end.frames([(19_999).toString(16), 'data', 'x'])
  t.deepEqual(end.refusals, [])
  end.frames(['0', 'data', 'x'])
  t.is(end.refusals.length, 1)
})

test('64 MiB without a line feed are refused after the cap', t => {
  const end = new TestMux()
  const chunk = Buffer.alloc(16_384, '"')
  let sent = 0
  for (; end.refusals.length === 0; sent += chunk.length) end.mux.receive(chunk)
  t.true(sent <= CLIENT_LIMITS.maxLineBytes + chunk.length)
  for (; sent < 64 * 1_024 * 1_024; sent += chunk.length) end.mux.receive(chunk)
  t.deepEqual(
    end.refusals.map(({ layer }) => layer),
    ['line'],
  )
})

test('a line without an end inside a sub-stream is refused after the cap', async t => {
  for (const id of ['door', 'a1']) {
    const host = await WireHost.open()
    const line = textLine(id === 'door' ? host.door.id : id, 'x'.repeat(32_768))
    let frames = 0
    for (; host.refusals.length === 0 && frames < 10; frames += 1) host.receive(line)
    t.is(frames, 3)
    t.deepEqual(
      host.refusals.map(({ layer }) => layer),
      ['line'],
    )
  }
})

test('20,000 calls, one after another, are answered and leave nothing behind', async t => {
  const host = await WireHost.open()
  const makeCalls = async (first: number, past: number): Promise<number> => {
    for (let id = first; id < past; id += 1) {
      host.receive(
        rpcLine(`{"method":0,"arguments":["[Function]"],"callbacks":{"${id}":["0"]},"links":[]}`),
      )
      if (id % 20 === 0) await host.settle()
    }
    await host.settle()
    host.sent.length = 0
    collectGarbage()
    return process.memoryUsage().heapUsed
  }
  const before = await makeCalls(0, 2_000)
  const after = await makeCalls(2_000, 22_000)
  t.deepEqual(host.refusals, [])
  t.is(host.calls, 22_000)
  // The stock package keeps about 390 bytes a call.
  t.true((after - before) / 20_000 < 100, `${(after - before) / 20_000} bytes a call`)
})

test('a burst of calls is answered with errors past the limit, and the connection lives', async t => {
  const host = await WireHost.open()
  const calls = Array.from({ length: 1_000 }, (_, id) =>
    rpcLine(`{"method":"probe","arguments":["[Function]"],"callbacks":{"${id}":["0"]},"links":[]}`),
  )
  host.receive(calls.join(''))
  await host.settle()
  t.is(host.calls, CLIENT_LIMITS.maxPendingCalls)
  const answers = host.textOn('a1').trimEnd().split('\n').slice(1)
  t.is(answers.length, 1_000)
  t.is(answers.filter(line => line.includes('at once')).length, 1_000 - host.calls)
  t.deepEqual(host.refusals, [])
})
