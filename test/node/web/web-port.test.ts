import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import type { ConfigText } from '../../support/cluster.ts'
import { ClusterLog, testConfig } from '../../support/cluster.ts'
import { DEFAULT_WEB } from '../../../node/config/config.ts'
import { credentialFiles } from '../../../node/identity/credential-files.ts'
import { parseName } from '../../../node/identity/names.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import { systemClock } from '../../../node/lib/clock.ts'
import { Counts } from '../../../node/sessions/counts.ts'
import { WebPort } from '../../../node/web/web-port.ts'
import { makeTestCerts, makeTestFolder, type TestCerts } from '../../support/certs.ts'
import { askPage } from '../../support/https.ts'

const run = promisify(execFile)

/** The files of a bundle. */
const BUNDLE = ['index.html', 'page.js', 'qr-code.js', 'page.css']

interface Served {
  readonly port: WebPort
  readonly certs: TestCerts
  readonly counts: Counts
  readonly log: ClusterLog
  /** Where its bundle lies. */
  readonly bundle: string
}

/** The port for browsers of node-1, without a node behind it. */
async function servePages(
  t: ExecutionContext,
  web: ConfigText = {},
  certs?: TestCerts,
): Promise<Served> {
  const issued = certs ?? (await makeTestCerts(t, { nodes: ['node-1'] }))
  const bundle = await makeTestFolder(t)
  const log = new ClusterLog()
  const counts = new Counts()
  const config = testConfig('node-1', {
    certs: issued.dir,
    data: bundle,
    config: { web: { listen: '127.0.0.1:0', ...web } },
  })
  const port = await WebPort.start({
    config,
    credentials: await issued.load('node', 'node-1'),
    counts,
    openPages: noPages,
    bundleFolder: pathToFileURL(`${bundle}/`),
    clock: systemClock,
    log: log.of('node-1'),
  })
  if (port === undefined) throw new Error('it serves no page')
  t.teardown(async () => port[Symbol.asyncDispose]())
  return { port, certs: issued, counts, log, bundle }
}

async function noPages(): Promise<never> {
  throw new Error('no page connects here')
}

/** Send bytes as they are, and hear all that comes back until the end. */
async function exchange({ port }: Served, bytes: string): Promise<string> {
  const socket = connect(port.address)
  socket.on('error', () => {}).write(bytes)
  return text(socket)
}

test('a page is served over TLS 1.3 alone, with nothing from elsewhere allowed in it', async t => {
  const { port, certs, bundle } = await servePages(t)
  for (const file of BUNDLE) await writeFile(join(bundle, file), '<title>fridge</title>')
  const page = await askPage(port.url, certs)
  t.is(page.status, 200)
  t.is(page.protocol, 'TLSv1.3')
  t.is(page.text, '<title>fridge</title>')
  t.is(page.headers['content-type'], 'text/html; charset=utf-8')
  const policy = String(page.headers['content-security-policy'])
  t.regex(policy, /^default-src 'none'; script-src 'self';/)
  t.regex(policy, /frame-ancestors 'none'/)
  t.regex(policy, /require-trusted-types-for 'script'/)
  t.is(page.headers['x-content-type-options'], 'nosniff')
  t.is(page.headers['strict-transport-security'], undefined)
  t.is(page.headers['set-cookie'], undefined)
  const script = await askPage(`${port.url}page.js?v=1`, certs)
  t.is(script.headers['content-type'], 'text/javascript; charset=utf-8')
  await t.throwsAsync(askPage(port.url, { ...certs, maxVersion: 'TLSv1.2' }))
})

test('a browser that takes gzip is sent it, and any other the page as it is', async t => {
  const { port, certs, bundle } = await servePages(t)
  for (const file of BUNDLE) await writeFile(join(bundle, file), 'void 0\n'.repeat(100))
  for (const taken of ['gzip', 'br, GZIP ;q=0.5', 'deflate,gzip;q=1.0']) {
    const headers = { 'Accept-Encoding': taken }
    const small = await askPage(`${port.url}page.js`, { ...certs, headers })
    t.is(small.headers['content-encoding'], 'gzip', taken)
    t.is(small.headers.vary, 'Accept-Encoding')
    t.true(Number(small.headers['content-length']) < 100)
  }
  for (const taken of ['', 'br', 'gzip;q=0', 'gzip; q=0.00', 'xgzip', 'gzip;q=no']) {
    const headers = { 'Accept-Encoding': taken }
    const whole = await askPage(`${port.url}page.js`, { ...certs, headers })
    t.is(whole.headers['content-encoding'], undefined, taken)
    t.is(whole.text, 'void 0\n'.repeat(100))
  }
})

test('a bundle that was not made is answered with the command, and served once it is there', async t => {
  const { port, certs, bundle } = await servePages(t)
  const missing = await askPage(port.url, certs)
  t.is(missing.status, 503)
  t.regex(missing.text, /npm run build:page/)
  for (const file of BUNDLE) await writeFile(join(bundle, file), '')
  t.is((await askPage(port.url, certs)).status, 200)
})

test('nothing is served but the files of the page, and only to be read', async t => {
  const { port, certs, bundle } = await servePages(t)
  await writeFile(join(bundle, 'secret.txt'), 'secret')
  for (const path of ['secret.txt', '%2e%2e/package.json', 'index.html', '.', 'page.js/']) {
    const { status, text: said } = await askPage(`${port.url}${path}`, {
      ...certs,
      path: `/${path}`,
    })
    t.is(status, 404, path)
    t.false(said.includes('secret'))
  }
  const posted = await askPage(port.url, { ...certs, method: 'POST' })
  t.is(posted.status, 405)
  t.is(posted.headers.connection, 'close')
})

test('who begins a request and does not end it is cut', async t => {
  // The clock of the library: five seconds for the headers.
  t.timeout(60_000)
  const { port, certs } = await servePages(t)
  const { hostname, port: number } = new URL(port.url)
  const socket = connectTls({ host: hostname, port: Number(number), ca: certs.ca })
  socket.on('error', () => {}).resume()
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n')
  await once(socket, 'close')
  t.pass()
})

test('plain HTTP is shown the way, and whatever else is not TLS is closed', async t => {
  const served = await servePages(t)
  const answer = await exchange(served, 'GET /x HTTP/1.1\r\nHost: localhost:8443\r\n\r\n')
  t.regex(answer, /^HTTP\/1\.1 308 .*\r\nLocation: https:\/\/localhost:8443\/\r\n/)
  for (const bytes of [
    'POST / HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: evil.example/\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nLocation: b\u0000\r\n\r\n'.replace('Host: a', 'Host: a b'),
    `GET /${'x'.repeat(5_000)}`,
    'SSH-2.0-OpenSSH_9\r\n\r\n',
  ]) {
    t.is(await exchange(served, bytes), '', bytes.slice(0, 30))
  }
  t.true(served.counts.web.handshakes.failed >= 6)
})

test('no certificate is asked of a browser', async t => {
  const { port } = await servePages(t)
  const { host, port: number } = port.address
  const asked = run('openssl', ['s_client', '-msg', '-connect', `${host}:${number}`])
  asked.child.stdin?.end()
  const { stdout } = await asked
  t.regex(stdout, /Handshake \[length [0-9a-f]+\], ServerHello/)
  t.notRegex(stdout, /CertificateRequest/)
})

test('the default address gives way where it is taken, one that was written down does not', async t => {
  const holder = createServer()
  t.teardown(() => holder.close())
  holder.listen(DEFAULT_WEB.port, DEFAULT_WEB.host)
  // Where somebody else holds it, it is taken as well.
  await new Promise(resolve => holder.once('listening', resolve).once('error', resolve))
  const certs = await makeTestCerts(t, { nodes: ['node-1'] })
  const log = new ClusterLog()
  const start = async (listen: string | undefined): Promise<WebPort | undefined> =>
    WebPort.start({
      config: testConfig('node-1', {
        certs: certs.dir,
        data: certs.dir,
        config: { web: listen === undefined ? {} : { listen } },
      }),
      credentials: await certs.load('node', 'node-1'),
      counts: new Counts(),
      openPages: noPages,
      clock: systemClock,
      log: log.of('node-1'),
    })
  t.is(await start(undefined), undefined)
  t.true(
    log.lines.some(({ level, text: said }) => level === 'warn' && said === 'no page is served'),
  )
  const busy = createServer().listen(0, '127.0.0.1')
  t.teardown(() => busy.close())
  await once(busy, 'listening')
  const taken = `127.0.0.1:${(busy.address() as AddressInfo).port}`
  const error = await t.throwsAsync(start(taken), { instanceOf: FridgeError })
  t.is(error.code, 'ERR_LISTEN')
  t.regex(error.fix ?? '', /--web HOST:PORT/)
  t.is(await start('off'), undefined)
})

test('web.certificate is what browsers see, and a new one is taken up while the port is open', async t => {
  const own = await makeTestCerts(t, { nodes: ['node-1'] })
  const publicOne = await makeTestCerts(t, { nodes: ['shop'] })
  const folder = await makeTestFolder(t)
  const from = credentialFiles(publicOne.dir, 'node', parseName('shop'))
  const web = { certificate: join(folder, 'shop.pem'), key: join(folder, 'shop-key.pem') }
  const copy = async (): Promise<void> => {
    await cp(from.keyFile, web.key)
    await cp(from.certificateFile, web.certificate)
  }
  await copy()
  const { port, log } = await servePages(t, web, own)
  const first = await askPage(port.url, publicOne)
  t.is(first.shown, new X509Certificate(await readFile(web.certificate, 'utf8')).fingerprint256)
  // What the node shows its clients is another matter.
  port.renew(await own.load('node', 'node-1'))
  t.is((await askPage(port.url, publicOne)).shown, first.shown)
  await publicOne.issue('node', 'shop')
  await copy()
  await log.find(({ text: said }) => said === 'new certificates are in force')
  t.not((await askPage(port.url, publicOne)).shown, first.shown)
  await writeFile(web.certificate, 'rubbish')
  t.is(await port.reload(), 'refused')
  t.is((await askPage(port.url, publicOne)).status, 503)
})

test('what cannot be shown to browsers is told at start', async t => {
  const certs = await makeTestCerts(t, { nodes: ['node-1', 'node-2'] })
  const other = credentialFiles(certs.dir, 'node', parseName('node-2'))
  const mine = credentialFiles(certs.dir, 'node', parseName('node-1'))
  const refused = async (certificate: string, key: string): Promise<FridgeError> =>
    t.throwsAsync(servePages(t, { certificate, key }, certs), { instanceOf: FridgeError })
  const mixed = await refused(other.certificateFile, mine.keyFile)
  t.is(mixed.code, 'ERR_CERTIFICATE')
  t.regex(mixed.message, /is not the key of this certificate/)
  t.is((await refused(join(certs.dir, 'none.pem'), mine.keyFile)).code, 'ERR_KEY_FILE')
  await certs.issue('node', 'node-1', { keyType: 'ed25519' })
  const { log } = await servePages(t, {}, certs)
  t.true(log.lines.some(({ level, text: said }) => level === 'warn' && /ed25519/.test(said)))
})
