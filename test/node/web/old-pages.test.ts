import { writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { io } from 'socket.io-client'
import { makeTestFolder } from '../../support/certs.ts'
import { makeSharedCerts, startCluster, type Cluster } from '../../support/cluster.ts'

/** Pages that cannot do better: socket.io-client 2 and g-crypt 1.1.0, as a page of 2016 has them. */

interface OldSocket {
  on(event: string, listener: (...values: unknown[]) => void): void
  once(event: string, listener: (...values: unknown[]) => void): void
  emit(event: string, ...values: unknown[]): void
  disconnect(): void
}
type OldClient = (url: string, options: object) => OldSocket

const require = createRequire(import.meta.url)
const oldClient = require('socket.io-client-2') as OldClient
const Crypt = require('g-crypt') as (words: string) => { decrypt(text: string): unknown }

const shared = await makeSharedCerts()
const { certs } = shared
const WORDS = 'correct horse battery staple'
const ORIGIN = 'https://shop.example'
const PUBLIC = { sensors: ['temperature', 'door'], public: true } as const
test.after.always(() => shared.remove())

async function startOld(t: ExecutionContext, compat: object): Promise<Cluster> {
  const file = join(await makeTestFolder(t), 'kitchen.txt')
  await writeFile(file, `${WORDS}\n`, { mode: 0o600 })
  const seal = { kitchen: { sensors: ['temperature'], passphraseFile: file } }
  const config = { web: { listen: '127.0.0.1:0', compat }, seal }
  const cluster = await startCluster(t, { certs, config })
  t.teardown(async () => cluster[Symbol.asyncDispose]())
  await cluster.grant(1, `origin/${ORIGIN}`, PUBLIC)
  return cluster
}

function openOld(t: ExecutionContext, cluster: Cluster, transports?: readonly string[]): OldSocket {
  const socket = oldClient(cluster.node(1).page ?? '', {
    ...(transports && { transports }),
    ca: certs.ca,
    extraHeaders: { origin: ORIGIN },
    forceNew: true,
    reconnection: false,
  })
  t.teardown(() => socket.disconnect())
  return socket
}

/** The first of some events. */
async function first(socket: OldSocket, ...events: string[]): Promise<readonly unknown[]> {
  return new Promise(resolve => {
    for (const event of events) socket.once(event, (...values) => resolve([event, ...values]))
  })
}

const BOTH = { gcrypt: ['kitchen'], polling: true }

test('an old page reads a sealed sensor by its name, and others as all do, until it is removed', async t => {
  const cluster = await startOld(t, BOTH)
  const socket = openOld(t, cluster)
  const heard: unknown[][] = []
  socket.on('event', (...values) => heard.push(values))
  const [, text] = await first(socket, 'temperature', 'connect_error', 'error')
  t.like(Crypt(WORDS).decrypt(String(text)), { type: 'reading', unit: 'C' })
  t.like(Crypt(WORDS).decrypt(String((await first(socket, 'temperature'))[1])), { unit: 'C' })
  t.true(heard.every(([sensor]) => sensor === 'door'))
  const bye = first(socket, 'bye', 'disconnect')
  await cluster.revoke(1, `origin/${ORIGIN}`)
  t.like((await bye)[1], { reason: 'revoked' })
})

test('with one of the two options, or none, an old page is told nothing', async t => {
  for (const compat of [{}, { polling: true }, { gcrypt: ['kitchen'] }]) {
    const cluster = await startOld(t, compat)
    for (const transports of [['polling'], ['websocket']]) {
      const socket = openOld(t, cluster, transports)
      const heard: unknown[] = []
      for (const event of ['connect', 'hello', 'event', 'temperature']) {
        socket.on(event, () => heard.push(event))
      }
      await first(socket, 'connect_error', 'error', 'disconnect')
      t.deepEqual(heard, [], JSON.stringify(compat))
    }
  }
})

test('an old page of an origin that is not listed is refused, and told why', async t => {
  const cluster = await startOld(t, BOTH)
  await cluster.revoke(1, `origin/${ORIGIN}`)
  const socket = openOld(t, cluster)
  const [event, said] = await first(socket, 'error', 'temperature', 'event', 'hello')
  t.is(event, 'error')
  t.like(said, { reason: 'revoked' })
})

test('a page of today asks for g-crypt, and gets it only of channels that are open to it', async t => {
  for (const gcrypt of [['kitchen'], []]) {
    const cluster = await startOld(t, { gcrypt })
    const socket = io(cluster.node(1).page ?? '', {
      transports: ['websocket'],
      ca: certs.ca,
      extraHeaders: { origin: ORIGIN },
      auth: { seal: 'gcrypt' },
      forceNew: true,
    })
    t.teardown(() => void socket.disconnect())
    const told = await new Promise<unknown[]>(resolve => {
      socket.on('temperature', text => resolve(['temperature', text]))
      socket.on('event', (sensor, type) => sensor === 'temperature' && resolve([type]))
    })
    if (gcrypt.length === 0) t.deepEqual(told, ['sealed'])
    else t.like(Crypt(WORDS).decrypt(String(told[1])), { type: 'reading' })
  }
})

test('a page that polls is bounded: what it sends is checked, and no script is made of an answer', async t => {
  const cluster = await startOld(t, BOTH)
  const url = `${cluster.node(1).page ?? ''}socket.io/?EIO=3&transport=polling`
  const status = await ask(`${url}&j=0`)
  t.is(status, 400)
  const socket = openOld(t, cluster, ['polling'])
  await first(socket, 'hello')
  socket.emit('no such event')
  await first(socket, 'disconnect')
  const line = await cluster.log.find(({ text }) => text === 'cut: it broke the protocol')
  t.regex(String(line.fields['reason']), /an event of an unexpected kind/)
})

async function ask(url: string): Promise<number> {
  const { request } = await import('node:https')
  return new Promise((resolve, reject) => {
    request(url, { ca: certs.ca, headers: { origin: ORIGIN } }, response => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
      .on('error', reject)
      .end()
  })
}
