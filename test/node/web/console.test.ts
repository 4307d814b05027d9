import test, { type ExecutionContext } from 'ava'
import { io, type Socket } from 'socket.io-client'
import { systemClock } from '../../../node/lib/clock.ts'
import { silentLog } from '../../../node/lib/log.ts'
import { startConsole } from '../../../node/web/console.ts'

/** The page of an operator's console: other users and other pages of the machine reach its port too. */

type Answer = { readonly value?: unknown; readonly error?: { readonly code: string } }

async function start(t: ExecutionContext) {
  const asked: unknown[] = []
  const running = await startConsole({
    port: 0,
    greeting: () => [['hello', { node: 'node-1' }]],
    call: async (method, values, tell) => {
      asked.push([method, ...values])
      tell('news', method)
      return 'done'
    },
    clock: systemClock,
    log: silentLog,
  })
  t.teardown(async () => running[Symbol.asyncDispose]())
  const { origin, hash } = new URL(running.url)
  return { asked, origin, secret: hash.slice('#console='.length) }
}

async function open(t: ExecutionContext, at: string, origin: string): Promise<Socket | string> {
  const socket = io(at, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    extraHeaders: { origin },
  })
  t.teardown(() => void socket.disconnect())
  return new Promise(resolve => {
    socket.once('connect', () => resolve(socket))
    socket.once('connect_error', error => {
      resolve((error as { data?: { reason: string } }).data?.reason ?? error.message)
    })
  })
}

async function opened(t: ExecutionContext, origin: string): Promise<Socket> {
  const socket = await open(t, origin, origin)
  if (typeof socket === 'string') throw new Error(socket)
  return socket
}

async function call(socket: Socket, ...values: unknown[]): Promise<Answer> {
  return (await socket.emitWithAck('call', ...values)) as Answer
}

test('a page that shows the secret may ask, and comes again with what it was given for it', async t => {
  const { asked, origin, secret } = await start(t)
  const page = await opened(t, origin)
  const told: string[] = []
  page.onAny((event: string) => told.push(event))
  const { value: pass } = await call(page, 'open', secret)
  t.not(pass, secret)
  t.deepEqual(await call(page, 'fleet', null), { value: 'done' })
  t.deepEqual(told, ['hello', 'news'])
  const again = await opened(t, origin)
  t.deepEqual(await call(again, 'open', pass), { value: pass })
  t.deepEqual(asked, [['fleet', null]])
})

test('nobody asks or hears anything without the secret, with a used one, or from another page', async t => {
  const { asked, origin, secret } = await start(t)
  const stranger = await opened(t, origin)
  const told: string[] = []
  stranger.onAny((event: string) => told.push(event))
  for (const values of [['fleet', null], ['open'], ['open', ''], ['open', 'A'.repeat(22)], [1]]) {
    t.is((await call(stranger, ...values)).error?.code !== undefined, true)
  }
  for (const other of ['https://evil.example', origin.replace('127.0.0.1', 'localhost'), 'null']) {
    t.is(await open(t, origin, other), 'not the console')
  }
  const page = await opened(t, origin)
  t.is((await call(page, 'open', secret)).error, undefined)
  t.is((await call(stranger, 'open', secret)).error?.code, 'ERR_REFUSED')
  t.deepEqual([asked, told], [[], []])
})
