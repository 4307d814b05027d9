import { createServer, type IncomingHttpHeaders } from 'node:http'
import { once } from 'node:events'
import { createServer as createTcpServer, type AddressInfo } from 'node:net'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import type { Alarm, AlarmChange } from '../../../node/alarms/alarm.ts'
import { startWebhook, type WebhookTarget } from '../../../node/alarms/webhook.ts'
import type { OutboxOptions } from '../../../node/alarms/outbox.ts'
import { silentLog } from '../../../node/lib/log.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const ALARM: Alarm = {
  id: '0123456789ab',
  node: 'node-1',
  sensor: 'temperature',
  kind: 'temperature',
  rule: 'high',
  limit: 8,
  forMs: 3_600_000,
  since: 1_767_268_800_000,
  raisedAt: 1_767_272_400_000,
  value: 9,
  extreme: 10,
}
const RAISED: AlarmChange = { state: 'raised', alarm: ALARM }
const OVER: AlarmChange = { state: 'over', alarm: { ...ALARM, value: 4, until: 1_767_276_000_000 } }

interface Request {
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
}

/** A receiver that answers with these statuses, the last of them for ever; it redirects to itself. */
async function startReceiver(t: ExecutionContext, statuses: number[]) {
  const requests: Request[] = []
  const server = createServer((request, response) => {
    void text(request).then(body => {
      requests.push({ headers: request.headers, body: JSON.parse(body) })
      const status = (statuses.length > 1 ? statuses.shift() : statuses[0]) ?? 200
      response.writeHead(status, { location: '/elsewhere' }).end('no')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/alarms?key=secret`,
    requests,
  }
}

function start(options: WebhookTarget & Partial<OutboxOptions>) {
  const clock = new FakeClock()
  const said: string[] = []
  const say = (fields: object, line: string): void =>
    void said.push(`${line} ${JSON.stringify(fields)}`)
  let changed = Promise.withResolvers<void>()
  let failures = 0
  const until = async (isIt: () => boolean): Promise<void> => {
    while (!isIt()) await changed.promise
  }
  const change = (): void => {
    changed.resolve()
    changed = Promise.withResolvers()
  }
  const webhook = startWebhook({
    clock,
    // Asked for how long to wait, after each failure.
    random: () => {
      failures += 1
      change()
      return 0.5
    },
    log: { ...silentLog, warn: say, info: say, error: say },
    unsent: [],
    settled: async () => undefined,
    onChange: change,
    onHealth: () => {},
    ...options,
  })
  return {
    clock,
    webhook,
    said,
    failed: async (times: number) => {
      await until(() => failures >= times)
      // It waits for the clock from the next turn on.
      await clock.advance(0)
    },
    sent: async () => until(() => webhook.unsent.length === 0),
  }
}

test('each alarm is sent until it is answered with 2xx, in order, with one id for its repeats', async t => {
  const { url, requests } = await startReceiver(t, [500, 404, 200])
  const { clock, webhook, said, failed, sent } = start({ url })
  webhook.tell(RAISED)
  webhook.tell(OVER)
  for (const times of [1, 2]) {
    await failed(times)
    await clock.advance(3_000)
  }
  await sent()
  await webhook[Symbol.asyncDispose]()
  t.deepEqual(
    requests.map(({ headers }) => headers['idempotency-key']),
    ['0123456789ab-raised', '0123456789ab-raised', '0123456789ab-raised', '0123456789ab-over'],
  )
  t.like(requests[0]?.body, {
    type: 'alarm',
    state: 'raised',
    text: '9.00 °C, above 8 °C for more than 1h',
    ...ALARM,
  })
  t.like(requests[3]?.body, { state: 'over', until: 1_767_276_000_000 })
  t.is(said.length, 2)
  t.regex(said[0] ?? '', /the webhook cannot be told of alarms .*it answers 500/)
  t.notRegex(said.join(), /secret/)
})

test('what was not sent is sent by the next run', async t => {
  const { url, requests } = await startReceiver(t, [204])
  const { webhook, sent } = start({ url, unsent: [RAISED] })
  t.deepEqual(webhook.unsent, [RAISED])
  await sent()
  await webhook[Symbol.asyncDispose]()
  t.is(requests.length, 1)
})

test('a receiver that is not there is waited for, and stopping does not wait for it', async t => {
  const { webhook, said, failed } = start({ url: 'http://127.0.0.1:1/' })
  webhook.tell(RAISED)
  await failed(1)
  t.regex(said[0] ?? '', /127\.0\.0\.1:1/)
  await webhook[Symbol.asyncDispose]()
  t.deepEqual(webhook.unsent, [RAISED])
})

test('attack: a receiver that answers with another protocol holds up no alarm', async t => {
  const hasEnded = Promise.withResolvers<void>()
  const server = createTcpServer(socket => {
    socket.once('data', () =>
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
    )
    socket.on('error', () => {}).on('close', () => hasEnded.resolve())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const { clock, webhook, said, failed } = start({ url: `http://127.0.0.1:${port}/` })
  webhook.tell(RAISED)
  await hasEnded.promise
  await clock.advance(10_000)
  await failed(1)
  t.regex(said[0] ?? '', /no answer within 10 s/)
  await webhook[Symbol.asyncDispose]()
})

test('attack: a redirect is an answer that counts for nothing, and is not followed', async t => {
  const { url, requests } = await startReceiver(t, [307])
  const { webhook, said, failed } = start({ url })
  webhook.tell(RAISED)
  await failed(1)
  t.regex(said[0] ?? '', /it answers 307/)
  await webhook[Symbol.asyncDispose]()
  t.is(requests.length, 1)
})

test('a token is read from its file each time, and never said', async t => {
  const { url, requests } = await startReceiver(t, [200])
  const tokenFile = join(await makeTestFolder(t), 'token')
  const { webhook, said, clock, failed, sent } = start({ url, tokenFile })
  webhook.tell(RAISED)
  await failed(1)
  t.regex(said[0] ?? '', /its token cannot be read: ENOENT/)
  await writeFile(tokenFile, 's3cret\n')
  await clock.advance(3_000)
  await sent()
  await webhook[Symbol.asyncDispose]()
  t.is(requests[0]?.headers.authorization, 'Bearer s3cret')
  t.notRegex(said.join(), /s3cret/)
})
