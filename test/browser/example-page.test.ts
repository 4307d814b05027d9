import { readFile } from 'node:fs/promises'
import test from 'ava'
import type { KeyId } from '../../node/identity/names.ts'
import { startCluster, type Cluster } from '../support/cluster.ts'
import { WEB_ON } from '../support/pages.ts'
import { serveSite, untilShown, type WebSite } from './browser.ts'
import { setStage } from './support/stage.ts'

/** The page of examples/page/, in a real browser, over the stock library. */

const stage = await setStage()
const { certs, browser } = stage
const site = await serveExample()
const SUBJECT = `origin/${site.origin}`
const PUBLIC = { sensors: ['temperature'], public: true } as const
test.after.always(async () => {
  await stage[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
})

async function serveExample(): Promise<WebSite> {
  const examples = new URL('../../examples/page/', import.meta.url)
  const library = new URL(
    '../../node_modules/socket.io-client/dist/socket.io.esm.min.js',
    import.meta.url,
  )
  return serveSite(
    certs,
    new Map<string, URL | string>([
      ['/', new URL('index.html', examples)],
      ['/page.js', new URL('page.js', examples)],
      ['/sign-in', new URL('sign-in.html', examples)],
      ['/sign-in.js', new URL('sign-in.js', examples)],
      ['/signed.js', new URL('signed.js', examples)],
      ['/socket.io.esm.min.js', library],
      ['/framed', ''],
    ]),
  )
}

function at(cluster: Cluster, index: number): string {
  return `${site.origin}/?node=${encodeURIComponent(cluster.node(index).page ?? '')}`
}

test.serial(
  'a waiting page is let in on one node when its origin is added on another, and cut when it is removed',
  async t => {
    await using cluster = await startCluster(t, { nodes: 3, certs, config: WEB_ON })
    await using context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    await page.goto(at(cluster, 1))
    const refused = await untilShown(page, '#temperature', /whitelist/)
    t.is(refused, `${SUBJECT} is not on the whitelist`)
    await cluster.grant(3, SUBJECT, PUBLIC)
    t.regex(await untilShown(page, '#temperature', /°C/), /^-?\d+(\.\d+)? °C$/)
    await cluster.revoke(2, SUBJECT)
    const cut = await untilShown(page, '#temperature', /removed/)
    t.is(cut, `${SUBJECT} has been removed from the whitelist`)
    await cluster.grant(1, SUBJECT, PUBLIC)
    await untilShown(page, '#temperature', /°C/)
    const { host } = new URL(cluster.node(1).page ?? '')
    await cluster.stop(1)
    await untilShown(page, '#temperature', /the node is stopping|out of reach/)
    await cluster.start(1, { web: { listen: host } })
    await untilShown(page, '#temperature', /°C/)
  },
)

test.serial(
  'a page shows the command that lets its browser in, comes alive by it, and is shut out by its removal',
  async t => {
    await using cluster = await startCluster(t, { nodes: 2, certs, config: WEB_ON })
    await cluster.grant(1, SUBJECT)
    await using context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    const url = `${at(cluster, 1).replace('/?', '/sign-in?')}&name=phone`
    await page.goto(url)
    const shown = await untilShown(page, '#temperature', /whitelist add/)
    const [, key = ''] = /fridge whitelist add phone --key ([0-9a-f]{64})$/.exec(shown) ?? []
    t.is(key.length, 64)
    await cluster.grant(2, 'phone', { keys: [key as KeyId] })
    await untilShown(page, '#temperature', /°C/)
    // The same browser comes back with the same key; another one of the same name has its own.
    await page.reload()
    await untilShown(page, '#temperature', /°C/)
    await using stranger = await browser.newContext({ ignoreHTTPSErrors: true })
    const other = await stranger.newPage()
    await other.goto(url)
    t.notRegex(await untilShown(other, '#temperature', /not let in/), new RegExp(key))
    // No script of the page can read the key.
    const exported = await page.evaluate(
      `import('/sign-in.js').then(({ ownKey }) => ownKey()).then(({ privateKey }) => crypto.subtle.exportKey('pkcs8', privateKey)).then(() => 'read', error => error.name)`,
    )
    t.is(exported, 'InvalidAccessError')
    await cluster.revoke(2, 'phone')
    await untilShown(page, '#temperature', /phone is not let in with this key/)
  },
)

test.serial(
  'a page in a frame without an origin of its own is refused, whoever it is of',
  async t => {
    await using cluster = await startCluster(t, { certs, config: WEB_ON })
    await cluster.grant(1, SUBJECT, PUBLIC)
    await using context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    await page.goto(`${site.origin}/framed`)
    await page.setContent(`<iframe sandbox="allow-scripts" src="${at(cluster, 1)}"></iframe>`)
    const shown = page.frameLocator('iframe').locator('#temperature')
    t.notRegex(await untilShown(page, shown, /only pages that came over HTTPS|°C/), /°C/)
  },
)

test('the page of the example has twenty lines or so', async t => {
  const source = await readFile(new URL('../../examples/page/page.js', import.meta.url), 'utf8')
  const lines = source.split('\n').filter(line => line.trim() !== '' && !line.startsWith('//'))
  t.true(lines.length <= 20, String(lines.length))
})
