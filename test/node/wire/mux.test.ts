import test from 'ava'
import { CLIENT_LIMITS } from '../../../node/wire/limits.ts'
import { pairOfOurs, pairWithStock, TestMux } from '../../support/wire.ts'
import { stockMux, type StockStream } from '../../support/wire-stock.ts'

/** Frames with their random ids replaced, in order of appearance. */
function withoutIds(lines: readonly string[]): string[] {
  const names = new Map<string, string>()
  return lines.map(line =>
    line.replace(/^\["([0-9a-f]+)"/, (_, id: string) => {
      if (!names.has(id)) names.set(id, `#${names.size}`)
      return `["${names.get(id)}"`
    }),
  )
}

test('a stream opened here is announced byte for byte as the stock package does', t => {
  const ours = new TestMux()
  const stream = ours.mux.open('door')
  t.regex(stream.id, /^[0-9a-f]{10,30}$/)
  const opts = '{"writable":true,"readable":true}'
  t.deepEqual(ours.sent, [`["${stream.id}","new",{"meta":"door","opts":${opts}}]\n`])
})

test('all that is sent is byte for byte what the stock package sends', async t => {
  const script = (open: (meta: string) => { write(text: string): unknown; end(): void }): void => {
    const [door, temperature] = [open('door'), open('temperature')]
    door.write('["open",1]\n')
    temperature.write('["reading",{"value":-3.5,"unit":"°C"}]\n')
    door.write('"\\\u0000\u2028 é 😀 \ud800\n')
    door.end()
    temperature.write('[]\n')
  }
  const ours = new TestMux()
  script(meta => ours.mux.open(meta))

  const stock = stockMux()
  const sent: string[] = []
  stock.on('data', (line: string) => sent.push(line))
  script(meta => stock.createStream(meta))
  await new Promise(setImmediate)
  t.is(sent.length, 8)
  t.deepEqual(withoutIds(ours.sent), withoutIds(sent))
})

test('a text that is already encoded goes out as the same text would', t => {
  const ours = new TestMux()
  const stream = ours.mux.open('door')
  const text = '["open",1,"é\u2028\\"]\n'
  stream.write(text)
  stream.writeEncoded(JSON.stringify(text))
  t.is(ours.sent[1], ours.sent[2])
})

test('text goes to and fro with a stock peer, whoever opened the stream', async t => {
  const heardThere: string[] = []
  const heardHere: string[] = []
  const opened: StockStream[] = []
  const pair = pairWithStock({
    onConnection: stream => {
      opened.push(stream)
      stream.on('data', (text: string) => {
        heardThere.push(text)
        stream.write(`back: ${text}`)
      })
    },
    onStream: stream => {
      stream.onText(text => {
        heardHere.push(`${stream.meta} ${text}`)
        stream.write('heard')
      })
      return true
    },
  })
  const door = pair.ours.mux.open('door')
  door.onText(text => heardHere.push(text))
  door.write('täst')
  const rpc = pair.stock.createStream('rpc')
  rpc.on('data', (text: string) => heardThere.push(text))
  rpc.write('hello')
  await pair.quiet()
  t.deepEqual(
    opened.map(({ meta }) => meta),
    ['door'],
  )
  t.deepEqual(heardThere.toSorted(), ['heard', 'täst'])
  t.deepEqual(heardHere.toSorted(), ['back: täst', 'rpc hello'])
  t.deepEqual(pair.ours.refusals, [])
})

test('text survives whatever the chunks split', async t => {
  const heard: string[] = []
  const pair = pairWithStock({
    chunking: bytes => [...bytes].map(byte => Buffer.from([byte])),
    onStream: stream => {
      stream.onText(text => heard.push(text))
      return true
    },
  })
  pair.stock.createStream('rpc').write('Kühlschrank €😀')
  await pair.quiet()
  t.deepEqual(heard, ['Kühlschrank €😀'])
})

test('a stream that the peer ends or closes is closed here once, and nothing is sent on it', async t => {
  for (const how of ['end', 'destroy'] as const) {
    const pair = pairWithStock()
    const theirs = pair.stock.createStream('rpc')
    await pair.quiet()
    const [stream] = pair.ours.streams
    let closed = 0
    stream?.onClose(() => {
      closed += 1
    })
    t.false(stream?.closed)
    theirs[how]()
    await pair.quiet()
    const before = pair.ours.sent.length
    stream?.write('late')
    stream?.writeEncoded('"late"')
    stream?.end()
    stream?.destroy()
    t.is(pair.ours.sent.length, before)
    t.is(closed, 1)
    t.true(stream?.closed)
    t.deepEqual(pair.ours.refusals, [])
  }
})

test('a stream that is ended here ends at a stock peer', async t => {
  const events: string[] = []
  const pair = pairWithStock({
    onConnection: stream => {
      for (const event of ['end', 'close']) stream.on(event, () => events.push(event))
    },
  })
  const stream = pair.ours.mux.open('door')
  let closed = 0
  stream.onClose(() => {
    closed += 1
  })
  await pair.quiet()
  stream.end()
  t.is(closed, 1)
  await pair.quiet()
  t.deepEqual(events, ['end', 'close'])
  t.deepEqual(pair.ours.refusals, [])
})

test('what was under way to a stream that is closed here is ignored', async t => {
  const pair = pairWithStock({
    onConnection: stream => {
      stream.on('close', () => {
        stream.write('a stock peer goes on')
        stream.pause()
      })
    },
  })
  const stream = pair.ours.mux.open('door')
  const heard: string[] = []
  stream.onText(text => heard.push(text))
  await pair.quiet()
  stream.destroy()
  await pair.quiet()
  t.regex(pair.heard(), /a stock peer goes on/)
  t.deepEqual(heard, [])
  t.deepEqual(pair.ours.refusals, [])
})

test('a peer that asks for a pause is sent what is written all the same', async t => {
  let theirs: StockStream | undefined
  const pair = pairWithStock({
    onConnection: stream => {
      theirs = stream
    },
  })
  const stream = pair.ours.mux.open('door')
  await pair.quiet()
  theirs?.pause()
  await pair.quiet()
  t.regex(pair.heard(), /"pause"/)
  stream.write('open')
  t.is(pair.ours.textOn(stream.id), 'open')
})

test('a peer that listens for no streams closes those that it is offered, and nothing else', async t => {
  const pair = pairWithStock()
  const stream = pair.ours.mux.open('door')
  await pair.quiet()
  t.regex(pair.heard(), /lacks connection listener/)
  t.true(stream.closed)
  t.deepEqual(pair.ours.refusals, [])
})

test('destroying closes each stream once, and what comes later is neither read nor sent', t => {
  const ours = new TestMux()
  const closed: string[] = []
  ours.frames(['1', 'new', { meta: 'rpc', opts: { writable: true, readable: true } }])
  for (const stream of [...ours.streams, ours.mux.open('door')]) {
    stream.onClose(() => {
      closed.push(stream.meta)
      stream.write('last words')
    })
  }
  const before = ours.sent.length
  ours.mux.destroy()
  ours.mux.destroy()
  ours.receive('garbage\n')
  t.deepEqual(closed, ['rpc', 'door'])
  t.is(ours.sent.length, before)
  t.deepEqual(ours.refusals, [])
})

test('a stream opened after the end is closed from the start', t => {
  const ours = new TestMux()
  ours.mux.destroy()
  const stream = ours.mux.open('door')
  let closed = 0
  stream.onClose(() => {
    closed += 1
  })
  t.is(closed, 1)
  t.true(stream.closed)
  t.deepEqual(ours.sent, [])
})

test('closing a stream makes room for another', t => {
  const ours = new TestMux({ limits: { ...CLIENT_LIMITS, maxStreams: 2 } })
  const opts = { writable: true, readable: true }
  for (let id = 0; id < 100; id += 1) {
    ours.frames([`${id}`, 'new', { meta: 'rpc', opts }], [`${id}`, 'close'])
  }
  t.deepEqual(ours.openStreams, [])
  t.is(ours.streams.length, 100)
  t.deepEqual(ours.refusals, [])
})

test('a stream that is not wanted refuses the connection', t => {
  const ours = new TestMux({ onStream: ({ meta }) => meta === 'rpc' })
  const opts = { writable: true, readable: true }
  ours.frames(['1', 'new', { meta: 'rpc', opts }], ['2', 'new', { meta: 'root', opts }], 0)
  t.deepEqual(ours.refusals.map(String), ['mux: no stream is called "root"'])
  t.deepEqual(ours.openStreams, [])
})

test('both ends of ours understand each other', async t => {
  const { one, other, quiet } = pairOfOurs()
  const heard: string[] = []
  const stream = one.mux.open('whitelist')
  stream.onText(text => heard.push(text))
  stream.write('ping')
  await quiet()
  const [theirs] = other.streams
  t.is(theirs?.meta, 'whitelist')
  theirs?.write('pong')
  await quiet()
  t.deepEqual(heard, ['pong'])
  t.deepEqual([...one.refusals, ...other.refusals], [])
})
