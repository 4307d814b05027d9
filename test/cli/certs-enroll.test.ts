import { createPrivateKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { succession, textOfStatements } from '../../node/authority/succession.ts'
import { issuingFiles } from '../../node/enrolment/desk.ts'
import { ENROLMENT_ALPN } from '../../node/enrolment/messages.ts'
import { formatToken, pinOf } from '../../node/enrolment/token.ts'
import { parseCertificates } from '../../node/identity/certificate-chain.ts'
import { authorityFiles } from '../../node/identity/credential-files.ts'
import { loadCredentials } from '../../node/identity/credentials.ts'
import { parseName } from '../../node/identity/names.ts'
import { formatAddress } from '../../node/lib/address.ts'
import { makeTestCerts, makeTestFolder, type TestCerts } from '../support/certs.ts'
import { runCommand, type CommandResult, type IoOptions } from '../support/cli.ts'
import {
  PEOPLE,
  startCluster,
  untilReachable,
  type Cluster,
  type ConfigText,
} from '../support/cluster.ts'
import { scrape } from '../support/scrape.ts'
import { SkipClock } from '../support/skip-clock.ts'
import { fails } from './failure.ts'

/** How a device gets its certificate from a node, with nothing but a token. */

interface Site {
  readonly cluster: Cluster
  readonly certs: TestCerts
  /** Where the node takes tokens, `HOST:PORT`. */
  readonly desk: string
  readonly clock: SkipClock
  /** A new token for `till-7`. */
  readonly token: (...args: string[]) => Promise<string>
}

async function startSite(
  t: ExecutionContext,
  config: ConfigText = {},
): Promise<Site & AsyncDisposable> {
  const certs = await makeTestCerts(t, PEOPLE)
  const issued = await runCommand(['certs', 'issuing-key', 'node-1', '--certs', certs.dir])
  t.is(issued.status, 0, issued.err)
  const clock = new SkipClock()
  const cluster = await startCluster(t, {
    certs,
    clock,
    config: { enrolment: { listen: '127.0.0.1:0' }, ...config },
  })
  const { enrolment } = cluster.node(1)
  if (enrolment === undefined) throw new Error('the node issues nothing')
  const env = { FRIDGE_CERTS: certs.dir, FRIDGE_NODE: cluster.address(1), FRIDGE_AS: 'admin' }
  return {
    cluster,
    certs,
    desk: formatAddress(enrolment),
    clock,
    token: async (...args) => {
      const { status, out, err } = await runCommand(
        ['certs', 'token', 'client', 'till-7', ...args],
        { env, clock },
      )
      t.is(status, 0, err)
      t.notRegex(err, new RegExp(out.slice(0, 60)))
      return out
    },
    [Symbol.asyncDispose]: async () => cluster[Symbol.asyncDispose](),
  }
}

async function fridge(
  cwd: string,
  args: readonly string[],
  options: IoOptions = {},
): Promise<CommandResult> {
  return runCommand(args, { cwd, ...options })
}

test('a device with a token makes its key, and is let in with what a node signs for it', async t => {
  await using site = await startSite(t)
  const cwd = await makeTestFolder(t)
  await writeFile(join(cwd, 'token'), await site.token('--expires-in', '1h'))
  const enroll = ['certs', 'enroll', '--node', site.desk]
  const { status, out, err } = await fridge(cwd, [...enroll, '--token-file', 'token'])
  t.is(status, 0, err)
  t.regex(out, /^Next: fridge client watch --as till-7$/m)
  const from = { dir: join(cwd, 'certs'), role: 'client', name: parseName('till-7') } as const
  t.is((await loadCredentials(from)).identity.trustDomain, undefined)
  await site.cluster.grant(1, 'till-7')
  const call = ['client', 'call', 'defrost', '--node', site.cluster.address(1)]
  t.is((await fridge(cwd, call)).status, 0)
  await fails(
    t,
    [...enroll, '--token', '-', '--certs', 'other'],
    { status: 4, says: /was used already, or has ended/, mends: /fridge certs token client/ },
    { cwd, input: await readFile(join(cwd, 'token'), 'utf8') },
  )
})

test('handshakes at the port for tokens are counted, as those of the other ports are', async t => {
  await using site = await startSite(t, { metrics: { listen: '127.0.0.1:0' } })
  const samples = async (): Promise<number> =>
    (await scrape(site.cluster.node(1))).of('fridge_enrolment_handshakes_total full')
  t.is(await samples(), 0)
  const cwd = await makeTestFolder(t)
  const input = await site.token()
  const enroll = ['certs', 'enroll', '--node', site.desk, '--token', '-']
  t.is((await fridge(cwd, enroll, { input })).status, 0)
  t.is(await samples(), 1)
})

test('a device renews its certificate by itself for the same key, until it is removed', async t => {
  await using site = await startSite(t)
  const cwd = await makeTestFolder(t)
  const input = await site.token()
  await fridge(cwd, ['certs', 'enroll', '--node', site.desk, '--token', '-'], { input })
  const load = async () =>
    loadCredentials({ dir: join(cwd, 'certs'), role: 'client', name: parseName('till-7') })
  const renew = ['certs', 'renew', 'client', 'till-7', '--node', site.desk]
  const before = await load()
  const mends = /fridge whitelist add till-7/
  const refused = { status: 4, says: /till-7 is not let in/, mends } as const
  await fails(t, renew, refused, { cwd })
  await site.cluster.grant(1, 'till-7')
  const { status, err } = await fridge(cwd, renew)
  t.is(status, 0, err)
  const after = await load()
  t.is(after.key, before.key)
  t.not(after.certificate, before.certificate)
  await site.cluster.revoke(1, 'till-7')
  await fails(t, renew, refused, { cwd })
})

test('a certificate that the authority itself has signed is renewed as well, and no operator is', async t => {
  await using site = await startSite(t)
  await site.cluster.grant(1, 'c1')
  const renew = async (role: string, name: string): Promise<CommandResult> =>
    runCommand(['certs', 'renew', role, name, '--node', site.desk, '--certs', site.certs.dir])
  t.is((await renew('client', 'c1')).status, 0)
  t.is(String((await site.certs.load('client', 'c1')).identity.name), 'c1')
  const refused = await renew('operator', 'admin')
  t.is(refused.status, 2)
  t.regex(refused.err, /a node renews one client/)
})

/** A device with a certificate of a node, that is let in, and the command by which it renews it. */
async function enrolledDevice(t: ExecutionContext, site: Site) {
  const cwd = await makeTestFolder(t)
  const input = await site.token()
  const enrolled = await fridge(
    cwd,
    ['certs', 'enroll', '--node', site.desk, '--token', '-', '--json'],
    { input },
  )
  t.is(enrolled.status, 0, enrolled.err)
  await site.cluster.grant(1, 'till-7')
  const caFile = join(cwd, 'certs/ca/certificate.pem')
  return {
    cwd,
    renew: ['certs', 'renew', 'client', 'till-7', '--node', site.desk],
    trusted: async (): Promise<string[]> =>
      parseCertificates(await readFile(caFile, 'utf8'), caFile).map(({ subject }) => subject),
  }
}

/** A step of a rotation where the authority is, which is where the node is. */
async function onAuthority(t: ExecutionContext, { certs, cluster }: Site, ...args: string[]) {
  const { status, err } = await runCommand(['certs', ...args, '--certs', certs.dir])
  t.is(status, 0, err)
  t.not(await cluster.node(1).reload(), 'refused')
}

test('a device follows its authority to the next one by itself, and lets go of the old one', async t => {
  await using site = await startSite(t)
  const { cwd, renew, trusted } = await enrolledDevice(t, site)
  await onAuthority(t, site, 'rotate-ca', 'begin')
  const begun = await fridge(cwd, renew)
  t.is(begun.status, 0, begun.err)
  t.is(begun.err, '')
  t.regex(begun.out, /^ {2}"CN=test\.fridge CA 2" is trusted now: the authority before names it$/m)
  t.deepEqual(await trusted(), ['CN=test.fridge CA 2', 'CN=test.fridge CA'])
  await onAuthority(t, site, 'renew', '--all')
  await onAuthority(t, site, 'issuing-key', 'node-1', '--force')
  t.is((await fridge(cwd, renew)).out.includes('trusted'), false)
  await onAuthority(t, site, 'rotate-ca', 'finish')
  const finished = await fridge(cwd, [...renew, '--json'])
  t.is(finished.status, 0, finished.err)
  t.like(JSON.parse(finished.out), {
    trust: ['"CN=test.fridge CA" is trusted no more: its successor ended it'],
  })
  t.deepEqual(await trusted(), ['CN=test.fridge CA 2'])
  t.is((await fridge(cwd, renew)).status, 0)
})

test('a device that slept through a whole rotation is told how it gets in again', async t => {
  await using site = await startSite(t)
  const { cwd, renew, trusted } = await enrolledDevice(t, site)
  await onAuthority(t, site, 'rotate-ca', 'begin')
  await onAuthority(t, site, 'renew', '--all')
  await onAuthority(t, site, 'issuing-key', 'node-1', '--force')
  await onAuthority(t, site, 'rotate-ca', 'finish')
  const mends = /fridge certs token client till-7.*fridge certs enroll --force/
  const replaced = {
    status: 1,
    says: /its authority "CN=test\.fridge CA" was replaced/,
    mends,
  } as const
  await fails(t, renew, replaced, { cwd })
  // Nor does it take a node that has no statements for anything but a stranger.
  await rm(authorityFiles(site.certs.dir).successionFile)
  await fails(t, renew, { status: 3, says: /is of another authority than those/, mends }, { cwd })
  t.deepEqual(await trusted(), ['CN=test.fridge CA'])
  const enroll = ['certs', 'enroll', '--node', site.desk, '--token', '-', '--force']
  const again = await fridge(cwd, enroll, { input: await site.token() })
  t.is(again.status, 0, again.err)
  t.deepEqual(await trusted(), ['CN=test.fridge CA 2'])
})

test('attack: a node that shows another authority, which none has named, makes nobody trust it', async t => {
  await using site = await startSite(t)
  const { cwd, renew, trusted } = await enrolledDevice(t, site)
  t.is((await fridge(cwd, renew)).err, '')
  await onAuthority(t, site, 'rotate-ca', 'begin')
  const { successionFile } = authorityFiles(site.certs.dir)
  const { keyFile } = issuingFiles(site.certs.dir, parseName('node-1'))
  const shown = parseCertificates(
    await readFile(authorityFiles(site.certs.dir).certificateFile, 'utf8'),
    'ca',
  )
  const [successor, authority] = shown
  if (authority === undefined) throw new Error('there is one authority')
  const privateKey = createPrivateKey(await readFile(keyFile))
  const forged = succession({ privateKey, certificate: authority }, successor, Date.now())
  for (const text of [textOfStatements([forged]), '[]', 'damaged', '{}', '[7, {"text": 7}]']) {
    await writeFile(successionFile, text)
    const { status, err } = await fridge(cwd, renew)
    t.is(status, 0, err)
    t.regex(err, /certificate\.pem does not have the new one\n.*take ca\/certificate\.pem/)
    t.deepEqual(await trusted(), ['CN=test.fridge CA'])
  }
})

test('a device that no node tells of the next authority is told what to bring', async t => {
  await using site = await startSite(t)
  const { cwd, renew } = await enrolledDevice(t, site)
  await onAuthority(t, site, 'rotate-ca', 'begin')
  await onAuthority(t, site, 'renew', '--all')
  await rm(authorityFiles(site.certs.dir).successionFile)
  const mends = /take ca\/certificate\.pem here, or ca\/succession\.json to that node/
  await fails(t, renew, { status: 3, says: /issued by "CN=test\.fridge CA 2"/, mends }, { cwd })
})

test('no token is used up for a certificate that would be of no use', async t => {
  await using site = await startSite(t)
  const cwd = await makeTestFolder(t)
  const enroll = async (input: string): Promise<CommandResult> =>
    fridge(cwd, ['certs', 'enroll', '--node', site.desk, '--token', '-'], { input })
  await onAuthority(t, site, 'rotate-ca', 'begin')
  await onAuthority(t, site, 'renew', '--all')
  const token = await site.token()
  const early = await enroll(token)
  t.is(early.status, 1)
  t.regex(
    early.err,
    /issuing key of an authority that is not trusted here; nothing was asked for\n/,
  )
  t.regex(early.err, /fridge certs issuing-key NODE --force/)
  const hasty = await runCommand(['certs', 'rotate-ca', 'finish', '--certs', site.certs.dir])
  t.is(hasty.status, 1)
  t.regex(hasty.err, /the issuing key of node-1\n.*fridge certs issuing-key node-1 --force/)
  await onAuthority(t, site, 'rotate-ca', 'finish', '--force')
  t.is((await enroll(token)).status, 1)
  await onAuthority(t, site, 'issuing-key', 'node-1', '--force')
  const { status, err } = await enroll(token)
  t.is(status, 0, err)
})

test('a token ends, and is for one cluster and one name', async t => {
  await using site = await startSite(t)
  await using foreign = await startSite(t)
  const cwd = await makeTestFolder(t)
  const enroll = async (desk: string, input: string): Promise<CommandResult> =>
    fridge(cwd, ['certs', 'enroll', '--node', desk, '--token', '-'], { input })
  const elsewhere = await enroll(foreign.desk, await site.token())
  t.is(elsewhere.status, 3)
  t.regex(elsewhere.err, /is of another authority than the one that was pinned/)
  const token = await site.token()
  const renamed = await enroll(site.desk, token.replace('till-7', 'till-8'))
  t.is(renamed.status, 1)
  t.regex(renamed.err, /what the node has issued cannot be used: it is for client\/till-7/)
  const late = await site.token('--expires-in', '15m')
  site.clock.skip(15 * 60_000)
  t.is((await enroll(site.desk, late)).status, 4)
  const mistyped = await enroll(site.desk, 'fridge1.abc')
  t.is(mistyped.status, 2)
  t.notRegex(mistyped.err, /abc/)
})

test('with a node goes its issuing key: whom it named is cut and let in no more, on every node', async t => {
  await using site = await startSite(t)
  const { cluster } = site
  await cluster.start(2, { enrolment: { listen: 'off' } })
  await untilReachable(cluster, 2, 2)
  const cwd = await makeTestFolder(t)
  const input = await site.token()
  await fridge(cwd, ['certs', 'enroll', '--node', site.desk, '--token', '-'], { input })
  const from = { dir: join(cwd, 'certs'), role: 'client', name: parseName('till-7') } as const
  const credentials = await loadCredentials(from)
  t.is(String(credentials.identity.issuedBy), 'node-1')
  await cluster.grant(2, 'till-7')
  await cluster.grant(2, 'c1')
  await using own = await cluster.client(2, 'c1')
  const client = await cluster.client(2, 'c1', { credentials })
  await cluster.revoke(2, 'node/node-1')
  t.is((await client.ended).code, 'ERR_NOT_TRUSTED')
  const again = cluster.client(2, 'c1', { credentials })
  await t.throwsAsync(again, { code: 'ERR_NOT_TRUSTED' })
  t.true(own.methods.has('defrost'))
})

test('an issuing key that has ended gives nothing, and says which command makes another', async t => {
  await using site = await startSite(t)
  const cwd = await makeTestFolder(t)
  site.clock.jump(31 * 86_400_000)
  const input = await site.token()
  const { status, err } = await fridge(
    cwd,
    ['certs', 'enroll', '--node', site.desk, '--token', '-'],
    { input, clock: site.clock },
  )
  t.is(status, 4)
  t.regex(err, /this node cannot issue now: see its log/)
  const { fields } = await site.cluster.log.find(({ text }) => text === 'nothing was issued')
  t.regex(String(fields['reason']), /the issuing key of node-1 ended on/)
  t.regex(String(fields['fix']), /fridge certs issuing-key node-1 --force/)
})

test('what is refused here uses no token up', async t => {
  await using site = await startSite(t)
  const cwd = await makeTestFolder(t)
  const input = await site.token()
  const enroll = async (...args: string[]): Promise<CommandResult> =>
    fridge(cwd, ['certs', 'enroll', '--node', site.desk, '--token', '-', ...args], { input })
  t.is((await enroll('--key-type', 'dsa')).status, 2)
  t.is((await enroll('--certs', (await makeTestCerts(t)).dir)).status, 1)
  t.is((await enroll()).status, 0)
})

test('a node without an issuing key gives no token, and does not start a port for them', async t => {
  const certs = await makeTestCerts(t, PEOPLE)
  await using cluster = await startCluster(t, { certs })
  const env = { FRIDGE_CERTS: certs.dir, FRIDGE_NODE: cluster.address(1) }
  const token = ['certs', 'token', 'client', 'till-7']
  const says = /node-1 issues no certificates/
  await fails(t, token, { status: 1, says, mends: /issuing-key node-1/ }, { env })
  const config = { enrolment: { listen: '127.0.0.1:0' } }
  const failure = await t.throwsAsync(startCluster(t, { certs, config }))
  t.regex(failure.message, /node-1 has no issuing key/)
})

test('attack: the secret is told to nobody who is no node of the pinned authority for that host', async t => {
  const certs = await makeTestCerts(t, PEOPLE)
  await certs.issue('node', 'elsewhere', { hosts: ['elsewhere.example'] })
  const foreign = await makeTestCerts(t, PEOPLE)
  const cwd = await makeTestFolder(t)
  const pin = pinOf(new X509Certificate(certs.ca))
  const secret = 'A'.repeat(22)
  const input = formatToken({ pin, secret, name: parseName('till-7') })
  const shown = [
    [await certs.load('client', 'c1'), /is no node of that cluster/],
    [await certs.load('operator', 'admin'), /is no node of that cluster/],
    [await foreign.load('node', 'node-1'), /is no node of that cluster/],
    [await certs.load('node', 'elsewhere'), /is not for the host 127\.0\.0\.1/],
  ] as const
  for (const [{ key, certificate }, says] of shown) {
    let heard = ''
    const server = createServer(
      { key, cert: certificate, ALPNProtocols: [ENROLMENT_ALPN] },
      socket => {
        socket.on('error', () => {}).on('data', chunk => (heard += String(chunk)))
        socket.write(`${JSON.stringify({ authorities: certs.ca })}\n`)
      },
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const enroll = ['certs', 'enroll', '--node', `127.0.0.1:${port}`, '--token', '-']
    await fails(t, enroll, { status: 3, says, mends: /./ }, { cwd, input })
    server.close()
    t.is(heard, '')
  }
})
