import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import { startSite } from './example.ts'

/** A webhook. It answers each alarm with the status that it is given for it. */
async function startWebhook(
  t: ExecutionContext,
): Promise<{ url: string; next: (status?: number) => Promise<unknown> }> {
  const server = createServer()
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const calls: Promise<[IncomingMessage, ServerResponse]>[] = []
  const expect = (): void => {
    const call = once(server, 'request') as Promise<[IncomingMessage, ServerResponse]>
    calls.push(call)
    void call.then(expect)
  }
  expect()
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    next: async (status = 204) => {
      const call = calls.shift()
      if (call === undefined) throw new Error('the alarms are taken one at a time')
      const [request, response] = await call
      const alarm = await json(request)
      response.writeHead(status).end()
      return alarm
    },
  }
}

const WARM = { state: 'raised', about: 'node-1/temperature', text: '9.5 °C, more than 8' }

test('the webhook hears of warmth until it has taken it, and of its end', async t => {
  const webhook = await startWebhook(t)
  const { print, run } = await startSite(t, '9.5')
  run('webhook-alarm', webhook.url)
  t.deepEqual(await webhook.next(503), WARM)
  t.deepEqual(await webhook.next(), WARM)
  await print('9.6')
  await print('7.5')
  const over = { state: 'over', about: 'node-1/temperature', text: 'all is well' }
  t.deepEqual(await webhook.next(), over)
})

test('the webhook hears of a sensor that fails, and of a node that is lost', async t => {
  const webhook = await startWebhook(t)
  const { cluster, print, run } = await startSite(t, '4')
  const alarm = run('webhook-alarm', webhook.url)
  await print('broken')
  t.like(await webhook.next(), { state: 'raised', about: 'node-1/temperature' })
  await cluster.stop(1)
  t.like(await webhook.next(), { state: 'raised', about: 'node-1' })
  alarm.child.kill('SIGINT')
  t.is(await alarm.exit, 0)
})
