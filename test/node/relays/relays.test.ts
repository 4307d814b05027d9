import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { ChannelKey } from '../../../node/seal/channel-key.ts'
import type { ChannelInfo } from '../../../node/seal/format.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { makeSharedCerts, startCluster, type Cluster } from '../../support/cluster.ts'
import { makeBrowserKey, signIn, type Answer } from '../../support/page-key.ts'
import { openPage, WEB_ON, type Page } from '../../support/pages.ts'
import { METRICS_ON, scrape } from '../../support/scrape.ts'

/** A page of one node reads the sensors of another, over the stock library and real nodes. */

const shared = await makeSharedCerts()
const { certs } = shared
const SHOP = 'https://shop.example'
const SUBJECT = `origin/${SHOP}`
const CONFIG = { ...WEB_ON, ...METRICS_ON }
const key = makeBrowserKey()
const TERMS = { keys: [key.id] }
test.after.always(() => shared.remove())

async function call(page: Page, ...values: unknown[]): Promise<Answer> {
  return (await page.socket.emitWithAck('call', ...values)) as Answer
}

/** The next `relay` of a node that says this. */
async function relay(page: Page, is: string, from = 0): Promise<Record<string, unknown>> {
  const [, , said] = await page.find(
    ([event, , said]) => event === 'relay' && (said as { is: string }).is === is,
    from,
  )
  return said as Record<string, unknown>
}

/** A reading of a sensor of another node that comes from now on, or from a place. */
async function relayed(page: Page, node: string, sensor: string, from = page.heard.length) {
  return page.find(
    ([event, ...names]) => event === 'relayed' && names[0] === node && names[1] === sensor,
    from,
  )
}

/** A page of the node itself on which somebody has signed in. */
async function signedIn(cluster: Cluster, index: number, name = 'phone'): Promise<Page> {
  const origin = new URL(cluster.node(index).page ?? '').origin
  const page = await openPage(cluster, index, origin)
  const answer = await signIn(page, { cluster, index, origin, name, key })
  if (answer.error !== undefined) throw new Error(answer.error.message)
  return page
}

test('a page reads the sensors of another node live, and its history, through the node that serves it', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs, config: CONFIG })
  await cluster.grant(2, 'phone', TERMS)
  using page = await signedIn(cluster, 1)
  t.deepEqual(await call(page, 'watch', 'node-2'), {})
  const open = await relay(page, 'open')
  t.like(open, {
    sensors: [
      { name: 'door', kind: 'door' },
      { name: 'temperature', kind: 'temperature' },
    ],
  })
  t.regex(String(open['run']), /^node-2#[0-9a-f]{16}$/)
  const from = page.heard.length
  cluster.node(2).fridge?.openDoor()
  const [, node, sensor, type, at, sequence] = await page.find(
    ([event, , , type]) => event === 'relayed' && type === 'open',
    from,
  )
  t.deepEqual([node, sensor, type], ['node-2', 'door', 'open'])
  t.deepEqual([typeof at, typeof sequence], ['number', 'number'])
  const request = { sensor: 'temperature', table: 'minutes', from: 0, to: 8.64e15, after: null }
  t.like(await call(page, 'historyOf', 'node-2', request), { value: { kind: 'temperature' } })
  const commands = { ...request, table: 'commands' }
  t.like(await call(page, 'historyOf', 'node-2', commands), { error: { code: 'ERR_REFUSED' } })
})

test('a removal on the far node ends what a page is told of it, and of the node that serves it', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs, config: CONFIG })
  await cluster.grant(1, 'phone', TERMS)
  using page = await signedIn(cluster, 1)
  await call(page, 'watch', 'node-2')
  await relay(page, 'open')
  await cluster.revoke(2, 'phone')
  t.is(await page.bye(), 'revoked')
  await cluster.log.find(({ text }) => text === 'a node reads here no more')
})

test('what the grant does not name is told of no node, and a change of it reaches what is open', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs, config: CONFIG })
  await cluster.grant(1, 'phone', { ...TERMS, sensors: ['temperature'] })
  using page = await signedIn(cluster, 1)
  await call(page, 'watch', 'node-2')
  t.like(await relay(page, 'open'), { sensors: [{ name: 'temperature' }] })
  await relayed(page, 'node-2', 'temperature', 0)
  const door = { sensor: 'door', table: 'minutes', from: 0, to: 1, after: null }
  t.like(await call(page, 'historyOf', 'node-2', door), { error: { code: 'ERR_REFUSED' } })
  t.false(page.heard.some(([event, , sensor]) => event === 'relayed' && sensor === 'door'))
  let from = page.heard.length
  await cluster.grant(2, 'phone', { ...TERMS, sensors: ['temperature', 'door'] })
  await relayed(page, 'node-2', 'door', from)
  from = page.heard.length
  await cluster.grant(2, 'phone', { ...TERMS, sensors: ['door'] })
  await page.find(
    ([event, , said]) => event === 'relay' && (said as { sensors: unknown[] }).sensors.length === 1,
    from,
  )
})

test('a page on which nobody has signed in reads of another node what its origin makes public', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs, config: CONFIG })
  await cluster.grant(1, SUBJECT, { sensors: ['temperature'], public: true })
  using page = await openPage(cluster, 1, SHOP)
  t.deepEqual(await call(page, 'watch', 'node-2'), {})
  t.like(await relay(page, 'open'), { sensors: [{ name: 'temperature' }] })
  await relayed(page, 'node-2', 'temperature', 0)
  await cluster.revoke(2, SUBJECT)
  t.is(await page.bye(), 'revoked')
})

test('who may read nothing finds out nothing about other nodes', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs, config: CONFIG })
  await cluster.grant(1, 'phone', TERMS)
  const origin = new URL(cluster.node(1).page ?? '').origin
  using page = await openPage(cluster, 1, origin)
  for (const node of ['node-2', 'node-7']) {
    t.like(await call(page, 'watch', node), { error: { code: 'ERR_REFUSED' } })
  }
  const answer = await signIn(page, { cluster, index: 1, origin, name: 'phone', key })
  t.deepEqual(answer, {})
  t.like(await call(page, 'watch', 'node-7'), {
    error: { code: 'ERR_COMMAND', message: 'no node is called node-7' },
  })
  t.like(await call(page, 'watch', 'node-1'), { error: { code: 'ERR_COMMAND' } })
  t.like(await call(page, 'watch', '__proto__/'), { error: { code: 'ERR_PROTOCOL' } })
  t.like(await call(page, 'historyOf', 'node-2', {}), { error: { code: 'ERR_COMMAND' } })
})

test('a far node that stops is told, and is read again when it is back', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs, config: CONFIG })
  await cluster.grant(2, 'phone', TERMS)
  using page = await signedIn(cluster, 1)
  await call(page, 'watch', 'node-2')
  const { run } = await relay(page, 'open')
  await relayed(page, 'node-2', 'temperature', 0)
  await cluster.stop(2)
  t.like(await relay(page, 'lost'), { reason: 'leaving', text: 'the node is stopping' })
  const request = { sensor: 'temperature', table: 'minutes', from: 0, to: 1, after: null }
  t.like(await call(page, 'historyOf', 'node-2', request), { error: { code: 'ERR_UNREACHABLE' } })
  const from = page.heard.length
  await cluster.start(2)
  const again = await relay(page, 'open', from)
  t.not(again['run'], run)
  await relayed(page, 'node-2', 'temperature', from)
})

test('pages of one browser share a connection, which is given back when the last has gone', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs, config: CONFIG })
  await cluster.grant(2, 'phone', TERMS)
  using first = await signedIn(cluster, 1)
  await call(first, 'watch', 'node-2')
  await relay(first, 'open')
  await relayed(first, 'node-2', 'temperature', 0)
  using second = await signedIn(cluster, 1)
  await call(second, 'watch', 'node-2')
  // What is known is told at once, whatever the far node says next.
  await relayed(second, 'node-2', 'temperature', 0)
  const here = await scrape(cluster.node(1))
  t.is(here.of('fridge_relays asked'), 1)
  t.is(here.of('fridge_relay_audiences asked'), 1)
  const there = await scrape(cluster.node(2))
  t.is(there.of('fridge_relays served'), 1)
  t.is(there.of('fridge_pages'), 0)
  t.deepEqual(await call(first, 'unwatch', 'node-2'), {})
  const from = first.heard.length
  await relayed(second, 'node-2', 'temperature')
  t.false(first.heard.slice(from).some(([event]) => event === 'relayed'))
  second.socket.disconnect()
  await cluster.log.find(({ text }) => text === 'a node reads here no more')
  t.is((await scrape(cluster.node(2))).of('fridge_relays served'), 0)
  t.is((await scrape(cluster.node(1))).of('fridge_relays asked'), 0)
})

test('a sealed sensor of another node passes through, and only the holders of its passphrase read it', async t => {
  const words = 'correct horse battery staple'
  const passphraseFile = join(await makeTestFolder(t), 'ward.txt')
  await writeFile(passphraseFile, words, { mode: 0o600 })
  const seal = { ward: { sensors: ['temperature'], passphraseFile } }
  await using cluster = await startCluster(t, { nodes: 2, certs, config: { ...CONFIG, seal } })
  await cluster.grant(2, 'phone', TERMS)
  using page = await signedIn(cluster, 1)
  await call(page, 'watch', 'node-2')
  const { run, sensors } = await relay(page, 'open')
  const [, sensor] = sensors as { name: string; sealed: ChannelInfo }[]
  t.like(sensor, { name: 'temperature', sealed: { channel: 'ward', domain: 'test.fridge' } })
  const heard = await relayed(page, 'node-2', 'temperature', 0)
  const [, , , type, epoch, box, sequence] = heard
  t.is(type, 'sealed')
  t.is(epoch, sensor?.sealed.epoch)
  const place = { kind: 'event', node: 'node-2', run: String(run), about: 'temperature' } as const
  const key = ChannelKey.ofNow({ channel: 'ward', domain: 'test.fridge' }, words)
  const [said, value, unit] = key.open(place, Number(sequence), String(box)) ?? []
  t.deepEqual([said, typeof value, unit], ['reading', 'number', 'C'])
  // The relaying node cannot pass it for its own.
  t.is(key.open({ ...place, node: 'node-1' }, Number(sequence), String(box)), undefined)
  const request = { sensor: 'temperature', table: 'minutes', from: 0, to: 8.64e15, after: null }
  const { value: history } = await call(page, 'historyOf', 'node-2', request)
  t.like(history, { rows: [], sealed: { channel: 'ward' } })
})
