import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { appendFile } from 'node:fs/promises'
import test from 'ava'
import { readAuthority } from '../../../node/authority/key-store.ts'
import { signingKeyOf } from '../../../node/authority/key-type.ts'
import { serialNumber } from '../../../node/authority/validity.ts'
import { errorCode } from '../../../node/lib/errors.ts'
import { parseName } from '../../../node/identity/names.ts'
import {
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '../../../node/identity/x509.ts'
import { authorityFiles } from '../../../node/identity/credential-files.ts'
import { makeTestCerts } from '../../support/certs.ts'
import {
  CLIENT_AUTH,
  DIGITAL_SIGNATURE,
  extendedKeyUsage,
  keyUsage,
  makeAuthority,
  makeCertificate,
  pemOf,
} from '../../support/chains.ts'
import { makeSharedCerts, startCluster } from '../../support/cluster.ts'
import { calling, connectRaw, opening } from '../../support/raw-peer.ts'
import { SkipClock } from '../../support/skip-clock.ts'

const shared = await makeSharedCerts()
const { certs } = shared
/** Everything of `c1` that a raw connection presents. */
const c1 = await certs.load('client', 'c1')
test.after.always(() => shared.remove())

/** A certificate of our authority that says anything in its URI. */
async function signedWithUri(uri: string) {
  const authority = await readAuthority(certs.dir)
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signer = signingKeyOf(authority.privateKey)
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: ['mallory'] }],
    issuer: authority.certificate.subject.split('\n').join(', '),
    serialNumber: serialNumber(randomBytes),
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 3_600_000),
    publicKey: publicKey.export({ type: 'spki', format: 'der' }),
    signingKey: signer.key,
    signingAlgorithm: signer.algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'url', value: uri }])],
  })
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: certificate.toString('pem'),
    ca: certs.ca,
  }
}

test('a client that is not on the list is told so, or without ALPN just closed', async t => {
  await using cluster = await startCluster(t, { certs })
  const error = await t.throwsAsync(cluster.client(1, 'c1'))
  t.is(errorCode(error), 'ERR_NOT_LISTED')
  const plain = await connectRaw(t, cluster.node(1).address, c1)
  await plain.closed
  t.deepEqual(plain.lines.all, [])
  t.is(plain.failure(), undefined)
})

test('a revoked client is told so, or without ALPN just closed', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  await cluster.revoke(1, 'c1')
  t.is(errorCode(await t.throwsAsync(cluster.client(1, 'c1'))), 'ERR_REVOKED')
  const plain = await connectRaw(t, cluster.node(1).address, c1)
  await plain.closed
  t.deepEqual(plain.lines.all, [])
  t.is(plain.failure(), undefined)
})

test('a client is admitted again by a grant made in sight of its revocation', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  await cluster.revoke(1, 'c1')
  await cluster.grant(1, 'c1')
  await using connection = await cluster.client(1, 'c1')
  t.is(connection.node, parseName('node-1'))
})

test('a connected client that is revoked is told why', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  await cluster.grant(1, 'c1')
  await using connection = await cluster.client(1, 'c1')
  await cluster.revoke(2, 'c1')
  const { code, message } = await connection.ended
  t.is(code, 'ERR_REVOKED')
  t.is(message, 'client/c1 has been removed from the whitelist')
})

test('an operator and a node are refused without ALPN', async t => {
  await using cluster = await startCluster(t, { certs })
  for (const [role, name] of [
    ['operator', 'admin'],
    ['node', 'node-2'],
  ] as const) {
    const peer = await connectRaw(t, cluster.node(1).address, await certs.load(role, name))
    await peer.closed
    t.deepEqual(peer.lines.all, [], role)
  }
})

test('a certificate of our authority that names no known role is refused', async t => {
  await using cluster = await startCluster(t, { certs })
  for (const uri of ['spiffe://test.fridge/admin/mallory', 'spiffe://test.fridge/client/a/b']) {
    const forged = await signedWithUri(uri)
    for (const alpn of [true, false]) {
      const peer = await connectRaw(t, cluster.node(1).address, forged, { alpn })
      await peer.closed
      t.deepEqual(peer.lines.all, [])
    }
  }
  const told = cluster.log.lines.filter(({ text }) => text === 'a certificate that names nobody')
  t.is(told.length, 4)
})

test('a client, an operator and a node of another trust domain are refused', async t => {
  const elsewhere = { trustDomain: 'elsewhere.example' }
  const mixed = await makeTestCerts(t, { nodes: ['node-1'], operators: ['admin'] })
  await mixed.issue('client', 'c1', elsewhere)
  await mixed.issue('operator', 'maria', elsewhere)
  await mixed.issue('node', 'node-9', elsewhere)
  await using cluster = await startCluster(t, { certs: mixed })
  await cluster.grant(1, 'c1')
  for (const [role, name] of [
    ['client', 'c1'],
    ['operator', 'maria'],
    ['node', 'node-9'],
  ] as const) {
    const credentials = await mixed.load(role, name)
    for (const alpn of [true, false]) {
      const peer = await connectRaw(t, cluster.node(1).address, credentials, { alpn })
      await peer.closed
      t.deepEqual(peer.lines.all, [], `${role}, ${alpn ? 'fridge/1' : 'plain'}`)
    }
  }
})

for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
  test(`a session of ${version} got before a revocation does not help after it`, async t => {
    await using cluster = await startCluster(t, { certs, config: tlsFrom('TLSv1.2') })
    await cluster.grant(1, 'c1')
    const { address } = cluster.node(1)
    const versions = { minVersion: version, maxVersion: version }
    const first = await connectRaw(t, address, c1, versions)
    await first.stream('door')
    // With TLS 1.3 tickets come behind the handshake, so before the first stream.
    const session = first.socket.getSession()
    t.truthy(session)
    if (session === undefined) return
    const resumed = await connectRaw(t, address, c1, { ...versions, session })
    await resumed.stream('door')
    t.true(resumed.socket.isSessionReused())

    await cluster.revoke(1, 'c1')
    await Promise.all([first.closed, resumed.closed])
    const late = await connectRaw(t, address, c1, { ...versions, session })
    t.true(late.socket.isSessionReused())
    await late.closed
    t.deepEqual(late.lines.all, [])
  })
}

function tlsFrom(minVersion: string) {
  return { tls: { minVersion } }
}

test('a live connection ends when its certificate expires', async t => {
  const clock = new SkipClock()
  const short = await makeTestCerts(t, { nodes: ['node-1'], operators: ['admin'] })
  await short.issue('client', 'c1', { days: 1 })
  await using cluster = await startCluster(t, { certs: short, clock })
  await cluster.grant(1, 'c1')
  const credentials = await short.load('client', 'c1')
  const plain = await connectRaw(t, cluster.node(1).address, credentials)
  const ours = await connectRaw(t, cluster.node(1).address, credentials, { alpn: true })
  await Promise.all([plain.stream('door'), ours.stream('door')])
  clock.skip(credentials.identity.notAfter - clock.now() - 60_000)
  cluster.node(1).fridge?.openDoor()
  await plain.lines.find(/open/)
  // By then they have said something: as its clock skips, the node looks whether they are silent.
  for (const peer of [plain, ours]) {
    peer.frames(opening('cafe', 'rpc'), calling('cafe', 1))
    await peer.lines.find(/^\["cafe","data",/)
  }
  clock.skip(60_000)
  await Promise.all([plain.closed, ours.closed])
  t.regex(ours.lines.text, /certificate expired/)
})

test('a live connection ends when an intermediate above its certificate expires', async t => {
  const clock = new SkipClock()
  const own = await makeTestCerts(t, { nodes: ['node-1'], operators: ['admin'] })
  const root = makeAuthority('root')
  const end = Math.floor(clock.now() / 1_000 + 3_600) * 1_000
  const site = makeAuthority('site', { issuer: root, to: end })
  const extensions = [keyUsage(DIGITAL_SIGNATURE), extendedKeyUsage(CLIENT_AUTH)]
  const leaf = makeCertificate({ subject: 'c1', issuer: site, extensions })
  await appendFile(authorityFiles(own.dir).certificateFile, pemOf(root))
  await using cluster = await startCluster(t, { certs: own, clock })
  await cluster.grant(1, 'c1')
  const key = leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const credentials = { key, certificate: pemOf(leaf, site), ca: own.ca }
  const { address } = cluster.node(1)
  const plain = await connectRaw(t, address, credentials)
  const ours = await connectRaw(t, address, credentials, { alpn: true })
  await Promise.all([plain.stream('door'), ours.stream('door')])
  clock.skip(end - clock.now())
  await Promise.all([plain.closed, ours.closed])
  t.regex(ours.lines.text, /certificate expired/)
})

test('a refused peer that keeps its end open does not keep the node from stopping', async t => {
  const clock = new SkipClock()
  const config = { limits: { drainMs: 86_400_000 } }
  await using cluster = await startCluster(t, { certs, config, clock })
  for (const credentials of [c1, await certs.load('operator', 'admin')]) {
    const peer = await connectRaw(t, cluster.node(1).address, credentials, { allowHalfOpen: true })
    await once(peer.socket, 'end')
  }
  clock.skip(1_000)
  await cluster.stop(1)
  t.pass()
})
