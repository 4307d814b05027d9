import test, { type ExecutionContext } from 'ava'
import { systemClock, type Clock } from '../../../node/lib/clock.ts'
import { parseName, type Source } from '../../../node/identity/names.ts'
import type { Terms } from '../../../node/whitelist/terms.ts'
import { makeSharedCerts, startCluster, type Cluster } from '../../support/cluster.ts'
import {
  makeBrowserKey,
  signedIn,
  signIn,
  textFor,
  type Answer,
  type SigningIn,
} from '../../support/page-key.ts'
import { openPage, WEB_ON, type Page } from '../../support/pages.ts'
import { standingClock } from '../../support/standing-clock.ts'

/** A browser is a client of the list, known by its key alone. */

const shared = await makeSharedCerts()
const { certs } = shared
const SHOP = 'https://shop.example'
const PHONE = makeBrowserKey()
test.after.always(() => shared.remove())

async function startShop(
  t: ExecutionContext,
  nodes = 1,
  terms: Terms = {},
  clock: Clock = systemClock,
): Promise<Cluster> {
  const cluster = await startCluster(t, { nodes, certs, config: WEB_ON, clock })
  t.teardown(async () => cluster[Symbol.asyncDispose]())
  await cluster.grant(1, `origin/${SHOP}`, terms)
  return cluster
}

function phone(cluster: Cluster, more: Partial<SigningIn> = {}): SigningIn {
  return { cluster, index: 1, origin: SHOP, name: 'phone', key: PHONE, ...more }
}

async function rightsOf(page: Page, from = 0): Promise<unknown> {
  const [, said] = await page.find(
    ([event, rights]) =>
      event === 'rights' && (rights as { subject: string }).subject === 'client/phone',
    from,
  )
  return said
}

test('a browser whose key is granted signs in, reads, calls, and is cut everywhere when it is removed', async t => {
  const cluster = await startShop(t, 2)
  const grant = { keys: [PHONE.id], commands: ['defrost'] }
  await cluster.grant(2, 'phone', grant)
  using first = await openPage(cluster, 1, SHOP)
  using second = await openPage(cluster, 2, SHOP)
  t.deepEqual(await signIn(first, phone(cluster)), {})
  t.deepEqual(await signIn(second, phone(cluster, { index: 2 })), {})
  t.like(await rightsOf(first), { commands: ['defrost'] })
  await first.reading('temperature')
  t.like(await first.socket.emitWithAck('call', 'defrost'), { value: 'defrosting for 20 min' })
  t.like(await first.socket.emitWithAck('call', 'powerOff'), { error: { code: 'ERR_REFUSED' } })
  await using operator = await cluster.operator(1)
  const page = await first.socket.emitWithAck('call', 'history', {
    sensor: 'temperature',
    table: 'readings',
  })
  t.truthy((page as Answer).value ?? (page as Answer).error)
  t.is((await operator.show('client/phone' as never)).sessions, 1)
  await cluster.revoke(2, 'phone')
  t.deepEqual([await first.bye(), await second.bye()], ['revoked', 'revoked'])
})

test('a browser is let in by its key alone, and finds out no names', async t => {
  const cluster = await startShop(t)
  const why = async (more: Partial<SigningIn>): Promise<string | undefined> => {
    using page = await openPage(cluster, 1, SHOP)
    const { error } = await signIn(page, phone(cluster, more))
    t.false(page.heard.some(([event]) => event === 'event'))
    return error?.message
  }
  await cluster.grant(1, 'phone', { keys: [PHONE.id] })
  // A certificate would let this one in; a key of its own does not.
  await cluster.grant(1, 'c1')
  await cluster.grant(1, 'gone', { keys: [PHONE.id] })
  await cluster.revoke(1, 'gone')
  for (const name of ['c1', 'gone', 'nobody']) {
    t.is(await why({ name }), `${name} is not let in with this key`)
  }
  t.is(await why({ key: makeBrowserKey() }), 'phone is not let in with this key')
  await cluster.grant(1, 'phone', { keys: [PHONE.id], expiresAt: Date.now() - 1 })
  t.is(await why({}), 'the grant of phone has expired')
})

test('a browser that waits hears at once when its key is let in on another node, and nothing of other keys', async t => {
  const cluster = await startShop(t, 2)
  using page = await openPage(cluster, 1, SHOP)
  using stranger = await openPage(cluster, 1, SHOP)
  t.is((await signIn(page, phone(cluster))).error?.code, 'ERR_NOT_LISTED')
  t.is(
    (await signIn(stranger, phone(cluster, { key: makeBrowserKey() }))).error?.code,
    'ERR_NOT_LISTED',
  )
  await cluster.grant(2, 'phone', { keys: [PHONE.id] })
  await page.find(([event]) => event === 'listed')
  t.deepEqual(await signIn(page, phone(cluster)), {})
  await page.reading('temperature')
  t.false(stranger.heard.some(([event]) => event === 'listed'))
})

test('what is signed for another node, run, place, page, name, key or moment lets nobody in', async t => {
  const cluster = await startShop(t)
  await cluster.grant(1, 'phone', { keys: [PHONE.id] })
  const others: SigningIn['over'][] = [
    { node: parseName('node-2') },
    { run: `node-1#${'0'.repeat(16)}` as Source },
    { at: 'https://evil.example:8443' },
    { origin: 'https://evil.example' },
    { key: makeBrowserKey().id },
    { nonce: 'AAAAAAAAAAAAAAAAAAAAAA' },
  ]
  for (const over of others) {
    using page = await openPage(cluster, 1, SHOP)
    const { error } = await signIn(page, phone(cluster, { ...(over && { over }) }))
    t.is(error?.message, 'the signature does not fit this page and this node', JSON.stringify(over))
  }
  // What one page signs is of no use on another, nor twice on its own.
  using page = await openPage(cluster, 1, SHOP)
  using other = await openPage(cluster, 1, SHOP)
  const signed = signedIn(PHONE, await textFor(page, phone(cluster)))
  await textFor(other, phone(cluster))
  const stolen = (await other.socket.emitWithAck('sign-in', signed)) as Answer
  t.is(stolen.error?.code, 'ERR_REFUSED')
  const altered = { ...signed, name: 'admin' }
  t.is(((await page.socket.emitWithAck('sign-in', altered)) as Answer).error?.code, 'ERR_REFUSED')
  t.is(((await page.socket.emitWithAck('sign-in', signed)) as Answer).error?.code, 'ERR_REFUSED')
})

test('a sign-in that is malformed, repeated or too frequent is answered with an error', async t => {
  const cluster = await startShop(t, 1, {}, standingClock())
  await cluster.grant(1, 'phone', { keys: [PHONE.id] })
  using page = await openPage(cluster, 1, SHOP)
  const good = signedIn(PHONE, await textFor(page, phone(cluster)))
  const p384 = makeBrowserKey('P-384')
  for (const value of [
    null,
    [],
    { ...good, more: 1 },
    { ...good, key: p384.spki.toString('base64url') },
  ]) {
    const { error } = (await page.socket.emitWithAck('sign-in', value)) as Answer
    t.is(error?.code, 'ERR_PROTOCOL', JSON.stringify(value))
  }
  t.deepEqual(await signIn(page, phone(cluster)), {})
  t.is((await signIn(page, phone(cluster))).error?.code, 'ERR_LIMIT')
  using again = await openPage(cluster, 1, SHOP)
  t.deepEqual(await signIn(again, phone(cluster)), {})
  t.is(
    (await signIn(again, phone(cluster))).error?.message,
    'somebody has signed in on this page already',
  )
})

test('who signs in may what the page and the browser both may, and the removal of the page cuts it too', async t => {
  const cluster = await startShop(t, 1, { sensors: ['door'], commands: ['defrost'] })
  await cluster.grant(1, 'phone', { keys: [PHONE.id], commands: ['defrost', 'powerOff'] })
  using page = await openPage(cluster, 1, SHOP)
  t.deepEqual(await signIn(page, phone(cluster)), {})
  t.like(await rightsOf(page), {
    sensors: [{ name: 'door', kind: 'door' }],
    commands: ['defrost'],
  })
  const from = page.heard.length
  await cluster.grant(1, 'phone', { keys: [PHONE.id], commands: [] })
  t.like(await rightsOf(page, from), { commands: [] })
  await cluster.revoke(1, `origin/${SHOP}`)
  const [, bye] = await page.find(([event]) => event === 'bye')
  t.deepEqual(bye, {
    reason: 'revoked',
    text: `origin/${SHOP} has been removed from the whitelist`,
  })
})
