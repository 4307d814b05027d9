import { readFile } from 'node:fs/promises'
import test from 'ava'
import { makeSharedCerts, startCluster, type Cluster } from '../support/cluster.ts'
import { WEB_ON } from '../support/pages.ts'
import { serveSite, startBrowser, untilShown, type WebSite } from './browser.ts'

/** The page of examples/page/, in a real browser, over the stock library. */

const shared = await makeSharedCerts()
const { certs } = shared
const browser = await startBrowser()
const site = await serveExample()
const SUBJECT = `origin/${site.origin}`
const PUBLIC = { sensors: ['temperature'], public: true } as const
test.after.always(async () => {
  await browser.close()
  await site[Symbol.asyncDispose]()
  await shared.remove()
})

async function serveExample(): Promise<WebSite> {
  const examples = new URL('../../examples/page/', import.meta.url)
  const library = new URL(
    '../../node_modules/socket.io-client/dist/socket.io.min.js',
    import.meta.url,
  )
  return serveSite(
    certs,
    new Map<string, URL | string>([
      ['/', new URL('index.html', examples)],
      ['/page.js', new URL('page.js', examples)],
      ['/socket.io.min.js', library],
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
  'a page in a frame without an origin of its own is refused, whoever it is of',
  async t => {
    await using cluster = await startCluster(t, { certs, config: WEB_ON })
    await cluster.grant(1, SUBJECT, PUBLIC)
    await using context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    await page.goto(`${site.origin}/framed`)
    await page.setContent(`<iframe sandbox="allow-scripts" src="${at(cluster, 1)}"></iframe>`)
    const shown = page.frameLocator('iframe').locator('#temperature')
    for (;;) {
      const said = await shown.innerText()
      t.notRegex(said, /°C/)
      if (/only pages that came over HTTPS/.test(said)) break
      await page.waitForTimeout(50)
    }
  },
)

test('the page of the example has twenty lines or so', async t => {
  const source = await readFile(new URL('../../examples/page/page.js', import.meta.url), 'utf8')
  const lines = source.split('\n').filter(line => line.trim() !== '' && !line.startsWith('//'))
  t.true(lines.length <= 20, String(lines.length))
})
