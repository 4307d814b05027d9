import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { WebSocket } from 'ws'
import { makeSharedCerts, startCluster, type Cluster } from '../support/cluster.ts'
import {
  closed,
  joinRaw,
  messageText,
  openPage,
  openRawPage,
  refusalOf,
  WEB_ON,
} from '../support/pages.ts'
import { askPage } from '../support/https.ts'

/** Pages, and programs that pretend to be some, that want to bring a node down or to hear more. */

const shared = await makeSharedCerts()
const { certs } = shared
const SHOP = 'https://shop.example'
test.after.always(() => shared.remove())

/** A node with a public sensor, and a page of somebody else that must go on hearing of it. */
async function startShop(
  t: ExecutionContext,
): Promise<{ cluster: Cluster; bystands: () => Promise<void> }> {
  const cluster = await startCluster(t, { certs, config: WEB_ON })
  t.teardown(async () => cluster[Symbol.asyncDispose]())
  await cluster.grant(1, `origin/${SHOP}`, { sensors: ['temperature'], public: true })
  const bystander = await openPage(cluster, 1, SHOP)
  t.teardown(() => bystander[Symbol.dispose]())
  return {
    cluster,
    bystands: async () => {
      await bystander.reading('temperature')
      t.true(bystander.socket.connected)
    },
  }
}

/** Messages that are refused once a page has joined. */
const MALFORMED: readonly (string | Buffer)[] = [
  '4',
  '40/admin,',
  '41/admin,',
  '42',
  '42[]',
  '42{}',
  '42["call"',
  '42["call","defrost"]',
  '42["connect"]',
  '42["__proto__",1]',
  '420["constructor"]',
  '421["call",' + '['.repeat(5_000) + ']'.repeat(5_000) + ']',
  '42' + '9'.repeat(400) + '["call"]',
  '430[]',
  '43999999["x"]',
  '44{"message":"x"}',
  '451-["call",{"_placeholder":true,"num":0}]',
  '4599999999-["call"]',
  '461-0[{"_placeholder":true,"num":99}]',
  '47',
  '4é',
  'b4Y2FsbA==',
  '2',
  '2probe',
  '0{"sid":"x"}',
  '5',
  '6',
  '9',
  '',
  '42["call",NaN]',
  '42\u0000["call"]',
  Buffer.from('42["call","defrost"]'),
  Buffer.alloc(70_000, '4'),
  '4' + '2'.repeat(70_000),
]

test('attack: a request that never ends is ended, the first one and the next', async t => {
  await using cluster = await startCluster(t, { certs, config: WEB_ON })
  const { hostname: host, port } = new URL(cluster.node(1).page ?? '')
  const page = { host, port: Number(port), ca: certs.ca, ALPNProtocols: ['http/1.1'] }
  const first = connectTls(page).on('error', () => {})
  first.write('GET / HTTP/1.1\r\nHost: node-1\r\n')
  const next = connectTls(page).on('error', () => {})
  next.write('GET /none HTTP/1.1\r\nHost: node-1\r\n\r\nGET / HTTP/1.1\r\n')
  const heard = await Promise.all([first, next].map(async socket => text(socket)))
  t.regex(heard[0] ?? '', /^HTTP\/1\.1 408 /)
  t.regex(heard[1] ?? '', /^HTTP\/1\.1 404 [^]*HTTP\/1\.1 408 /)
})

test('a page that sends what is malformed is cut, and nobody else notices', async t => {
  const { cluster, bystands } = await startShop(t)
  for (const message of MALFORMED) {
    const page = await openRawPage(cluster, 1)
    await joinRaw(page)
    page.send(message)
    await closed(page)
    t.pass()
  }
  await bystands()
})

test('who sends anything before it has joined is cut', async t => {
  const { cluster, bystands } = await startShop(t)
  for (const message of ['421["call","defrost"]', '41', '430[]', '3', Buffer.from('40')]) {
    const page = await openRawPage(cluster, 1)
    page.send(message)
    if (message === '3') page.send('42["call"]')
    if (message === '41') page.send('42["call"]')
    await closed(page)
    t.pass()
  }
  await bystands()
})

test('a page that says nothing is cut: soon before it joins, and after that when it does not answer', async t => {
  // The library has clocks of its own: five seconds to join, twice ten for a word of life.
  t.timeout(120_000)
  const { cluster, bystands } = await startShop(t)
  const mute = await openRawPage(cluster, 1)
  const frozen = await openRawPage(cluster, 1)
  await joinRaw(frozen)
  const heard: string[] = []
  mute.on('message', data => heard.push(messageText(data)))
  await closed(mute)
  t.false(heard.some(text => text.startsWith('4')))
  // Only after the other: that it was asked whether it lives does not keep it.
  await closed(frozen)
  await bystands()
})

test('nobody joins twice, nor asks for ever', async t => {
  const { cluster, bystands } = await startShop(t)
  const twice = await openRawPage(cluster, 1)
  await joinRaw(twice)
  twice.send('40')
  await closed(twice)
  const stubborn = await openRawPage(cluster, 1, { origin: 'https://evil.example' })
  const said: string[] = []
  stubborn.on('message', data => said.push(messageText(data)))
  for (let join = 0; join < 20; join += 1) stubborn.send('40')
  await closed(stubborn)
  t.true(said.filter(text => text.startsWith('44')).length <= 8)
  t.false(said.some(text => text.startsWith('42')))
  await bystands()
})

test('a message in too many pieces, and frames that no browser sends, end their sender', async t => {
  const { cluster, bystands } = await startShop(t)
  const call = '420["call","defrost"]'
  for (const [count, isHeard] of [
    [16, true],
    [17, false],
  ] as const) {
    const page = await openRawPage(cluster, 1)
    await joinRaw(page)
    const heard = new Promise<boolean>(resolve => {
      page.on('message', data => {
        if (messageText(data).startsWith('430')) resolve(true)
      })
      page.on('close', () => resolve(false))
    })
    for (let piece = 0; piece < count - 1; piece += 1) page.send(call[piece] ?? '', { fin: false })
    page.send(call.slice(count - 1))
    t.is(await heard, isHeard, `${count} pieces`)
    page.terminate()
  }
  for (const frame of ['ping', 'pong'] as const) {
    const page = await openRawPage(cluster, 1)
    await joinRaw(page)
    page[frame]('x')
    await closed(page)
  }
  t.pass()
  await bystands()
})

test('polling, older protocols, other paths and posted bodies come to nothing', async t => {
  const { cluster, bystands } = await startShop(t)
  const url = cluster.node(1).page ?? ''
  for (const path of ['socket.io/?EIO=4&transport=polling', 'socket.io/socket.io.js']) {
    t.is((await askPage(`${url}${path}`, certs)).status, 404)
    t.is((await askPage(`${url}${path}`, { ...certs, method: 'POST' })).status, 405)
  }
  for (const query of [
    'EIO=3&transport=websocket',
    'EIO=4&transport=polling',
    'EIO=4&transport=websocket&sid=x',
    '',
  ]) {
    const socket = new WebSocket(`${url.replace('https', 'wss')}socket.io/?${query}`, {
      ca: certs.ca,
      origin: SHOP,
    })
    const said: string[] = []
    socket.on('message', data => said.push(messageText(data)))
    socket.on('error', () => {})
    await closed(socket)
    t.deepEqual(said, [], query)
  }
  const elsewhere = new WebSocket(`${url.replace('https', 'wss')}admin`, {
    ca: certs.ca,
    origin: SHOP,
  })
  t.truthy(await once(elsewhere, 'error'))
  await bystands()
})

test('a page that calls without end and never reads is cut, and what waits for it is bounded', async t => {
  const { cluster, bystands } = await startShop(t)
  const page = await openRawPage(cluster, 1)
  await joinRaw(page)
  page.pause()
  let call = 0
  while (page.readyState === WebSocket.OPEN) {
    page.send(`42${call}["call","history",{"sensor":"temperature","table":"readings"}]`)
    call += 1
    if (call % 50 === 0) await new Promise(resolve => setImmediate(resolve))
    if (call > 3_000) break
  }
  // Unread answers wait in the system as well; whatever came of it, the others are served.
  await bystands()
  page.terminate()
  t.pass()
})

test('a refused origin learns nothing, whatever it says in Host, cookies or its joining', async t => {
  const { cluster } = await startShop(t)
  const url = new URL(cluster.node(1).page ?? '')
  const socket = connectTls({
    host: url.hostname,
    port: Number(url.port),
    ca: certs.ca,
    ALPNProtocols: ['http/1.1'],
  })
  await once(socket, 'secureConnect')
  socket.write(
    [
      'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
      'Host: shop.example',
      'Origin: https://evil.example',
      'Referer: https://shop.example/',
      'Cookie: io=x',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      '',
      '',
    ].join('\r\n'),
  )
  let heard = ''
  socket.on('data', chunk => (heard += String(chunk)))
  // The frame "40", masked with zeros.
  socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30]))
  await once(socket, 'close')
  t.regex(heard, /44\{"message":".*","data":\{"reason":"not on the whitelist"/)
  t.false(/42\[/.test(heard))
  t.false(/set-cookie/i.test(heard))
  t.is((await refusalOf(cluster, 1, 'https://evil.example')).data?.reason, 'not on the whitelist')
})
