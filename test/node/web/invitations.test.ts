import test, { type ExecutionContext } from 'ava'
import { Invitation, type Welcome } from '../../../node/client/operator/invitation.ts'
import { systemClock } from '../../../node/lib/clock.ts'
import { parseName } from '../../../node/identity/names.ts'
import { makeSharedCerts, startCluster } from '../../support/cluster.ts'
import { makeBrowserKey, signIn, type Answer } from '../../support/page-key.ts'
import { openPage, WEB_ON, type Page } from '../../support/pages.ts'

/** An invitation lets the first browser in that proves it, and tells no node how to. */

const shared = await makeSharedCerts()
const { certs } = shared
const PHONE = makeBrowserKey()
const NAME = parseName('phone')
test.after.always(() => shared.remove())

async function invite(t: ExecutionContext) {
  const cluster = await startCluster(t, { certs, config: WEB_ON })
  t.teardown(async () => cluster[Symbol.asyncDispose]())
  const operator = await cluster.operator(1)
  t.teardown(async () => operator[Symbol.asyncDispose]())
  const invitation = new Invitation(NAME)
  const opened = Promise.withResolvers<string>()
  const refused: string[] = []
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  const guest: Promise<Welcome | undefined> = invitation.awaitGuest(operator, {
    onLink: opened.resolve,
    onRefused: why => void refused.push(why),
    signal: stop.signal,
    clock: systemClock,
  })
  guest.catch(() => {})
  const link = await opened.promise
  const origin = new URL(link).origin
  const page = await openPage(cluster, 1, origin)
  t.teardown(() => page[Symbol.dispose]())
  const shown = {
    id: invitation.id,
    key: PHONE.id,
    proof: invitation.proofFor(origin, PHONE.id),
  }
  return { cluster, operator, invitation, guest, link, origin, page, shown, refused }
}

async function introduce(page: Page, shown: unknown): Promise<Answer> {
  return (await page.socket.emitWithAck('invited', shown)) as Answer
}

test('a browser that proves its invitation is let in by the operator, with its own key, and once', async t => {
  const { cluster, invitation, guest, link, origin, page, shown } = await invite(t)
  const [, secret = ''] = /#invite=([\w-]{22})\.phone$/.exec(link) ?? []
  t.is(new Invitation(NAME, Buffer.from(secret, 'base64url')).id, invitation.id)
  t.false(invitation.id.includes(secret))
  const asked = introduce(page, shown)
  const welcome = await guest
  t.is(welcome?.key, PHONE.id)
  await cluster.grant(1, 'phone', { keys: [PHONE.id] })
  await welcome?.answer()
  t.is((await asked).error, undefined)
  t.deepEqual(await signIn(page, { cluster, index: 1, origin, name: 'phone', key: PHONE }), {})
  using other = await openPage(cluster, 1, origin)
  t.is(
    (await introduce(other, shown)).error?.message,
    'this invitation was used, is over, or never was',
  )
})

test('what was altered, is for another key, name or origin, or was never sent is refused, and the invitation stands', async t => {
  const { cluster, invitation, guest, page, origin, shown, refused } = await invite(t)
  const otherKey = makeBrowserKey().id
  const lies = [
    { ...shown, key: otherKey },
    { ...shown, proof: 'A'.repeat(43) },
    { ...shown, proof: invitation.proofFor('https://shop.example', PHONE.id) },
    { ...shown, proof: new Invitation(NAME).proofFor(origin, PHONE.id) },
  ]
  for (const lie of lies) {
    t.regex((await introduce(page, lie)).error?.message ?? '', /the link was altered/)
  }
  t.is(refused.length, lies.length)
  using other = await openPage(cluster, 1, origin)
  const unknown = { ...shown, id: new Invitation(NAME).id }
  t.regex((await introduce(other, unknown)).error?.message ?? '', /never was/)
  for (const malformed of [null, { ...shown, more: 1 }, { ...shown, proof: 'x' }]) {
    t.is((await introduce(other, malformed)).error?.code, 'ERR_PROTOCOL')
  }
  using third = await openPage(cluster, 1, origin)
  const asked = introduce(third, shown)
  const welcome = await guest
  t.is(welcome?.key, PHONE.id)
  await welcome?.answer('changed my mind')
  t.is((await asked).error?.message, 'changed my mind')
})

test('a link that leads to a listed web site instead of the node lets nobody in', async t => {
  const { cluster, invitation, shown, refused } = await invite(t)
  const shop = 'https://shop.example'
  await cluster.grant(1, `origin/${shop}`)
  using page = await openPage(cluster, 1, shop)
  const proof = invitation.proofFor(shop, PHONE.id)
  t.is((await introduce(page, { ...shown, proof })).error?.code, 'ERR_REFUSED')
  t.is(refused.length, 1)
})

test('an invitation is over when the operator goes', async t => {
  const { cluster, operator, origin, shown } = await invite(t)
  await operator[Symbol.asyncDispose]()
  for (;;) {
    using page = await openPage(cluster, 1, origin)
    const { error } = await introduce(page, shown)
    if (error?.code === 'ERR_REFUSED') {
      t.regex(error.message, /is over/)
      return
    }
  }
})
