import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { WebSocket } from 'ws'
import { systemClock } from '../../../node/lib/clock.ts'
import {
  PageServer,
  type PageListener,
  type PageRefusal,
  type PageServerOptions,
} from '../../../node/web/socket-io.ts'
import { CLIENT_LIMITS } from '../../../node/wire/limits.ts'
import { closed, joinRaw, messageText } from '../../support/pages.ts'

/** Pages over plain HTTP, let in as a test says. */
async function serve(
  t: ExecutionContext,
  receive: PageServerOptions['receive'],
): Promise<{ open: () => Promise<WebSocket>; refusals: string[] }> {
  const refusals: string[] = []
  const pages = new PageServer({
    compat: { polling: false, gcrypt: false },
    limits: CLIENT_LIMITS,
    clock: systemClock,
    receive,
    onRefused: refusal => void refusals.push(refusal.toString()),
    onThrottled: () => {},
    onClosing: () => {},
    onClosed: () => {},
  })
  const http = createServer().listen(0, '127.0.0.1')
  http.on('upgrade', (request, socket, head) => pages.take(request, socket, head))
  await once(http, 'listening')
  t.teardown(async () => {
    await pages[Symbol.asyncDispose]()
    http.close()
  })
  const { port } = http.address() as AddressInfo
  return {
    refusals,
    open: async () => {
      const url = `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`
      const socket = new WebSocket(url, { origin: 'https://shop.example' })
      t.teardown(() => socket.terminate())
      await once(socket, 'open')
      return socket
    },
  }
}

function listen(events: string[] = []): PageListener {
  return {
    receive: ({ event }) => void events.push(event),
    refuse: refusal => void events.push(refusal.toString()),
    lost: () => void events.push('lost'),
  }
}

test('while it is being decided whether a page may join it cannot ask a second time', async t => {
  const decisions: ((outcome: PageListener | PageRefusal) => void)[] = []
  const { open, refusals } = await serve(
    t,
    async () => new Promise(resolve => void decisions.push(resolve)),
  )
  const page = await open()
  page.send('40')
  page.send('40')
  await closed(page)
  t.is(decisions.length, 1)
  t.regex(refusals.join(), /joins too often/)
  // It is let in when it is gone: its session ends at once.
  const events: string[] = []
  decisions[0]?.(listen(events))
  await new Promise(setImmediate)
  t.deepEqual(events, ['lost'])
})

test('a page that was refused may ask again, and is heard once it has joined', async t => {
  const events: string[] = []
  let asked = 0
  const { open } = await serve(t, async () => {
    asked += 1
    return asked === 1 ? { reason: 'not on the whitelist', text: '' } : listen(events)
  })
  const page = await open()
  const refused = new Promise<void>(resolve => {
    page.on('message', data => {
      if (messageText(data).startsWith('44')) resolve()
    })
  })
  page.send('40')
  await refused
  await joinRaw(page)
  page.send('420["call","defrost"]')
  page.close()
  await closed(page)
  t.is(asked, 2)
  t.is(events[0], 'call')
})
