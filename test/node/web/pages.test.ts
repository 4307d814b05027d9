import { copyFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { DATABASE_FILE } from '../../../node/storage/sqlite-database.ts'
import { layCable } from '../../support/cable.ts'
import { runCommand } from '../../support/cli.ts'
import { connectRaw } from '../../support/raw-peer.ts'
import {
  makeSharedCerts,
  startCluster,
  untilReachable,
  type Cluster,
} from '../../support/cluster.ts'
import { openPage, refusalOf, WEB_ON } from '../../support/pages.ts'

/** The stock `socket.io-client`, unmodified, is a full client of the port for browsers. */

const shared = await makeSharedCerts()
const { certs } = shared
const SHOP = 'https://shop.example'
const SUBJECT = `origin/${SHOP}`
const PUBLIC = { sensors: ['temperature'], public: true } as const
const c1 = await certs.load('client', 'c1')
test.after.always(() => shared.remove())

/** The origin of a node's own page. */
function ownOrigin(cluster: Cluster, index: number): string {
  return new URL(cluster.node(index).page ?? '').origin
}

test('a page of a listed origin hears what is public there, and nothing else', async t => {
  await using cluster = await startCluster(t, { certs, config: WEB_ON })
  await cluster.grant(1, SUBJECT, PUBLIC)
  using page = await openPage(cluster, 1, SHOP)
  const [, hello] = await page.find(([event]) => event === 'hello')
  t.like(hello, { protocol: 1, node: 'node-1' })
  t.deepEqual(await page.find(([event]) => event === 'rights'), [
    'rights',
    {
      subject: SUBJECT,
      sensors: [{ name: 'temperature', kind: 'temperature' }],
      commands: [],
      views: [],
    },
  ])
  cluster.node(1).fridge?.openDoor()
  const [, , , celsius, unit, at, sequence] = await page.reading('temperature')
  t.deepEqual(
    [typeof celsius, unit, typeof at, typeof sequence],
    ['number', 'C', 'number', 'number'],
  )
  t.false(page.heard.some(([event, sensor]) => event === 'event' && sensor === 'door'))
  const answer: unknown = await page.socket.emitWithAck('call', 'defrost')
  t.like(answer, { error: { code: 'ERR_REFUSED' } })
})

test('a page of any other origin is told why it is refused, and nothing else ever', async t => {
  await using cluster = await startCluster(t, { certs, config: WEB_ON })
  await cluster.grant(1, SUBJECT, PUBLIC)
  const others = [
    'https://evil.example',
    'http://shop.example',
    'https://shop.example:8443',
    'https://www.shop.example',
    'https://shop.example.evil.example',
    'null',
    'file://',
    `${SHOP}/`,
    'HTTPS://SHOP.EXAMPLE',
  ]
  for (const origin of others) {
    const { data } = await refusalOf(cluster, 1, origin)
    t.is(data?.reason, 'not on the whitelist', origin)
    const isOrigin = /^https:\/\/[a-z.]+(?::8443)?$/.test(origin)
    t.is(/only pages that came over HTTPS/.test(data?.text ?? ''), !isOrigin, origin)
  }
  t.is((await refusalOf(cluster, 1, undefined)).data?.reason, 'no origin')
  await cluster.revoke(1, SUBJECT)
  const { data } = await refusalOf(cluster, 1, SHOP)
  t.deepEqual(data, {
    reason: 'revoked',
    text: `${SUBJECT} has been removed from the whitelist`,
  })
})

test('an origin that is added on one node is let in on another, and its removal cuts its pages on all', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs, config: WEB_ON })
  t.is((await refusalOf(cluster, 1, SHOP)).data?.reason, 'not on the whitelist')
  await cluster.grant(3, SUBJECT, PUBLIC)
  using first = await openPage(cluster, 1, SHOP)
  using second = await openPage(cluster, 2, SHOP)
  using third = await openPage(cluster, 3, SHOP)
  const pages = [first, second, third]
  const gone = pages.map(
    async ({ socket }) =>
      new Promise(resolve => {
        socket.once('disconnect', resolve)
      }),
  )
  await cluster.revoke(2, SUBJECT)
  for (const page of pages) t.is(await page.bye(), 'revoked')
  // The library of such a page does not come back by itself.
  t.deepEqual(await Promise.all(gone), Array(3).fill('io server disconnect'))
  for (const index of [1, 2, 3]) {
    t.is((await refusalOf(cluster, index, SHOP)).data?.reason, 'revoked')
  }
  const lines = cluster.log.lines.filter(
    ({ text, fields }) => text === 'change applied' && fields['kind'] === 'revocation',
  )
  t.deepEqual(
    lines.map(({ fields }) => fields['cut']),
    [1, 1, 1],
  )
})

test('the page of a node itself is let in there alone, until that is removed', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs, config: WEB_ON })
  const own = ownOrigin(cluster, 1)
  using page = await openPage(cluster, 1, own)
  t.deepEqual(await page.find(([event]) => event === 'rights'), [
    'rights',
    { subject: `origin/${own}`, sensors: [], commands: [], views: [] },
  ])
  t.is((await refusalOf(cluster, 2, own)).data?.reason, 'not on the whitelist')
  await cluster.revoke(2, `origin/${own}`)
  t.is(await page.bye(), 'revoked')
  t.is((await refusalOf(cluster, 1, own)).data?.reason, 'revoked')
})

test('an origin that was removed on one side of a partition is cut on the other when it ends, whatever was granted there', async t => {
  await using cluster = await startCluster(t, { certs, config: WEB_ON })
  const ways = await Promise.all(
    [1, 2].map(async index =>
      layCable(t, {
        host: '127.0.0.1',
        get port() {
          return cluster.config(index).listen.port
        },
      }),
    ),
  )
  await cluster.stop(1)
  await cluster.start(1, { advertise: [ways[0]?.address ?? ''] })
  await cluster.start(2, {
    advertise: [ways[1]?.address ?? ''],
    peers: [ways[0]?.address ?? ''],
  })
  await untilReachable(cluster, 1, 2)
  await cluster.grant(1, SUBJECT, PUBLIC)
  using near = await openPage(cluster, 1, SHOP)
  using far = await openPage(cluster, 2, SHOP)
  for (const way of ways) way.unplug()
  await untilReachable(cluster, 1, 1)
  await cluster.revoke(1, SUBJECT)
  t.is(await near.bye(), 'revoked')
  // Of that the other side knows nothing, and goes on; a grant there has not seen the removal.
  await cluster.grant(2, SUBJECT, PUBLIC)
  await far.reading('temperature')
  for (const way of ways) way.plug()
  t.is(await far.bye(), 'revoked')
  for (const index of [1, 2]) {
    t.is((await refusalOf(cluster, index, SHOP)).data?.reason, 'revoked')
  }
})

test('a node that is restored from a backup does not let an origin in again that was removed since', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs, config: WEB_ON })
  await cluster.grant(1, SUBJECT, PUBLIC)
  const { data } = cluster.config(2)
  const copy = join(data, 'copy.db')
  const { status } = await runCommand(['node', 'backup', copy, '--data', data], {
    env: { FRIDGE_CERTS: certs.dir },
  })
  t.is(status, 0)
  using page = await openPage(cluster, 2, SHOP)
  await cluster.revoke(1, SUBJECT)
  t.is(await page.bye(), 'revoked')
  await cluster.stop(2)
  for (const file of ['', '-wal', '-shm']) {
    await rm(join(data, `${DATABASE_FILE}${file}`), { force: true })
  }
  await copyFile(copy, join(data, DATABASE_FILE))
  await cluster.start(2)
  t.is((await refusalOf(cluster, 2, SHOP)).data?.reason, 'revoked')
  // Nor has what it brought back let the origin in elsewhere.
  t.is((await refusalOf(cluster, 1, SHOP)).data?.reason, 'revoked')
})

test('what an origin may is narrowed, widened and ended on the pages that are open', async t => {
  await using cluster = await startCluster(t, { certs, config: WEB_ON })
  await cluster.grant(1, SUBJECT, { sensors: ['temperature', 'door'], public: true })
  using page = await openPage(cluster, 1, SHOP)
  await page.find(([event, sensor]) => event === 'event' && sensor === 'door')
  const rights = async (from: number): Promise<unknown> => {
    const [, said] = await page.find(([event]) => event === 'rights', from)
    return (said as { sensors: { name: string }[] }).sensors.map(({ name }) => name)
  }
  let from = page.heard.length
  await cluster.grant(1, SUBJECT, PUBLIC)
  t.deepEqual(await rights(from), ['temperature'])
  from = page.heard.length
  cluster.node(1).fridge?.openDoor()
  await page.reading('temperature')
  t.false(page.heard.slice(from).some(([, sensor]) => sensor === 'door'))
  await cluster.grant(1, SUBJECT, { sensors: ['temperature', 'door'], public: true })
  t.deepEqual(await rights(from), ['door', 'temperature'])
  await page.find(([event, sensor]) => event === 'event' && sensor === 'door', from)
  await cluster.grant(1, SUBJECT, { ...PUBLIC, expiresAt: Date.now() + 500 })
  t.is(await page.bye(), 'expired')
})

test('a node that stops says so, and the library of its pages comes back by itself', async t => {
  await using cluster = await startCluster(t, { certs, config: WEB_ON })
  using page = await openPage(cluster, 1, ownOrigin(cluster, 1))
  const gone = new Promise(resolve => {
    page.socket.once('disconnect', resolve)
  })
  await cluster.stop(1)
  t.is(await page.bye(), 'leaving')
  t.is(await gone, 'transport close')
})

test('so many pages of one origin from one address are let in, and no more', async t => {
  const web = { ...WEB_ON.web, maxPagesPerAddress: 2 }
  await using cluster = await startCluster(t, { certs, config: { web } })
  await cluster.grant(1, SUBJECT, PUBLIC)
  const first = await openPage(cluster, 1, SHOP)
  using _second = await openPage(cluster, 1, SHOP)
  t.is((await refusalOf(cluster, 1, SHOP)).data?.reason, 'too many pages')
  using _own = await openPage(cluster, 1, ownOrigin(cluster, 1))
  first.socket.disconnect()
  await cluster.log.find(({ text }) => text === 'a page has left')
  using _third = await openPage(cluster, 1, SHOP)
  t.pass()
})

test('pages and clients of the other port are told the same events', async t => {
  await using cluster = await startCluster(t, { certs, config: WEB_ON })
  await cluster.grant(1, 'c1')
  await cluster.grant(1, SUBJECT, PUBLIC)
  using page = await openPage(cluster, 1, SHOP)
  const client = await connectRaw(t, cluster.node(1).address, c1, { alpn: true })
  const [, , type, celsius, unit, at, sequence] = await page.reading('temperature')
  const said = JSON.stringify(JSON.stringify([type, celsius, unit, at, sequence])).slice(1, -1)
  await client.lines.find(new RegExp(said.replaceAll(/[\\[\]".]/g, '\\$&')))
  t.pass()
})
