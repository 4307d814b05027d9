import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { makeTestFolder } from '../support/certs.ts'
import { startCluster, type Cluster } from '../support/cluster.ts'
import { serveSite, untilShown } from './browser.ts'
import { setStage } from './support/stage.ts'

/** A page of 2016 in a browser of today: socket.io-client 2, crypto-js and g-crypt 1.1.0, unmodified. */

const stage = await setStage()
const { certs, browser } = stage
const WORDS = 'correct horse battery staple'
const PACKAGES = new URL('../../node_modules/', import.meta.url)

const PAGE = `<!DOCTYPE html>
<html lang="en">
<head><meta charset="UTF-8"><title>Title</title></head>
<body>
<p id="state">waiting</p>
<p id="temperature">nothing</p>
<script src="/socket.io.js"></script>
<script src="/crypto-js.js"></script>
<script src="/crypt.js"></script>
<script>
    var node = new URLSearchParams(location.search).get('node'),
        transports = new URLSearchParams(location.search).get('transports'),
        socket = io(node, transports ? { transports: [transports] } : {}),
        crypter = Crypt('${WORDS}'),
        joined = false,
        show = function (id, text) { document.getElementById(id).textContent = text }
    socket.on('connect', function () { joined = true })
    // The library waits for its own time limit where a connection ends before the node says anything.
    socket.io.engine.on('close', function () { if (!joined) show('state', 'no connection') })
    socket.on('connect_error', function () { show('state', 'no connection') })
    socket.on('error', function (why) { show('state', why.text || 'refused') })
    socket.on('bye', function (said) { show('state', said.reason) })
    socket.on('temperature', function (data) {
        show('temperature', crypter.decrypt(data).value + ' C')
    })
</script>
</body>
</html>`

const site = await serveSite(
  certs,
  new Map<string, URL | string>([
    ['/', PAGE],
    ['/socket.io.js', new URL('socket.io-client-2/dist/socket.io.js', PACKAGES)],
    ['/crypto-js.js', new URL('crypto-js/crypto-js.js', PACKAGES)],
    ['/crypt.js', new URL('g-crypt/dist/crypt.js', PACKAGES)],
  ]),
)
const SUBJECT = `origin/${site.origin}`
test.after.always(async () => {
  await stage[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
})

async function startOld(t: ExecutionContext, compat: object): Promise<Cluster> {
  const file = join(await makeTestFolder(t), 'kitchen.txt')
  await writeFile(file, `${WORDS}\n`, { mode: 0o600 })
  const seal = { kitchen: { sensors: ['temperature'], passphraseFile: file } }
  const config = { web: { listen: '127.0.0.1:0', compat }, seal }
  const cluster = await startCluster(t, { certs, config })
  t.teardown(async () => cluster[Symbol.asyncDispose]())
  await cluster.grant(1, SUBJECT, { sensors: ['temperature'], public: true })
  return cluster
}

function at(cluster: Cluster, transports = ''): string {
  const node = encodeURIComponent(cluster.node(1).page ?? '')
  return `${site.origin}/?node=${node}&transports=${transports}`
}

test.serial(
  'a page of 2016 reads with both options, by each of its transports, and is cut',
  async t => {
    const cluster = await startOld(t, { gcrypt: ['kitchen'], polling: true })
    for (const transports of ['', 'polling', 'websocket']) {
      await using context = await browser.newContext({ ignoreHTTPSErrors: true })
      const page = await context.newPage()
      await page.goto(at(cluster, transports))
      t.regex(await untilShown(page, '#temperature', / C$/), /^-?\d+(\.\d+)? C$/)
      if (transports !== 'websocket') continue
      await cluster.revoke(1, SUBJECT)
      t.is(await untilShown(page, '#state', /revoked/), 'revoked')
    }
  },
)

test.serial('a page of 2016 reads nothing with one of the two options, or none', async t => {
  for (const compat of [{}, { polling: true }, { gcrypt: ['kitchen'] }]) {
    const cluster = await startOld(t, compat)
    for (const transports of ['', 'websocket']) {
      await using context = await browser.newContext({ ignoreHTTPSErrors: true })
      const page = await context.newPage()
      await page.goto(at(cluster, transports))
      await untilShown(page, '#state', /^no connection$/)
      t.is(await page.locator('#temperature').innerText(), 'nothing')
    }
  }
})
