import { once } from 'node:events'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect, createServer, TLSSocket, type ConnectionOptions } from 'node:tls'
import { randomBytes, X509Certificate } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { openAuthority, type Authority } from '../../../node/authority/authority.ts'
import { issueCertificate } from '../../../node/authority/issue.ts'
import { DAY_MS } from '../../../node/authority/validity.ts'
import { credentialFiles } from '../../../node/identity/credential-files.ts'
import { loadCredentialFiles, type Credentials } from '../../../node/identity/credentials.ts'
import { identityOf, type Identity } from '../../../node/identity/identity.ts'
import { parseName } from '../../../node/identity/names.ts'
import { systemClock } from '../../../node/lib/clock.ts'
import { Trust } from '../../../node/identity/trust.ts'
import { makeTestCerts, makeTestFolder } from '../../support/certs.ts'
import { openssl } from './openssl.ts'

const RSA = ['-newkey', 'rsa:2048', '-nodes']
/** Quick to make: for what does not depend on the kind of key. */
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** An authority made with nothing but the openssl command line. */
async function opensslAuthority(dir: string, { key = EC, days = '365' } = {}): Promise<void> {
  const lines = [
    '[req]',
    'distinguished_name=dn',
    'x509_extensions=v3',
    '[dn]',
    '[v3]',
    'basicConstraints=critical,CA:TRUE',
    'keyUsage=critical,keyCertSign,cRLSign',
    'subjectKeyIdentifier=hash',
  ]
  await writeFile(join(dir, 'ca.cnf'), lines.join('\n'))
  const subject = ['-utf8', '-subj', '/O=Kühlhaus/CN=My own CA', '-days', days]
  const files = ['-config', 'ca.cnf', '-keyout', 'ca.key', '-out', 'ca.pem']
  await openssl(dir, 'req', '-x509', ...key, ...subject, ...files)
}

/** A certificate that it signs. @param extensions lines of an openssl extension file; none: no file */
async function opensslLeaf(
  dir: string,
  name: string,
  { key = EC, days = '30', extensions = [] as readonly string[] } = {},
): Promise<void> {
  await writeFile(join(dir, 'req.cnf'), '[req]\ndistinguished_name=dn\n[dn]\n')
  const request = ['-config', 'req.cnf', '-keyout', `${name}.key`, '-out', `${name}.csr`]
  await openssl(dir, 'req', '-new', ...key, '-subj', `/CN=${name}`, ...request)
  await writeFile(join(dir, `${name}.ext`), `${extensions.join('\n')}\n`)
  const extension = extensions.length === 0 ? [] : ['-extfile', `${name}.ext`]
  const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', days]
  const files = ['-in', `${name}.csr`, '-out', `${name}.pem`]
  await openssl(dir, 'x509', '-req', ...signer, ...extension, ...files)
}

/** An authority below one that openssl made in `dir`. */
async function intermediateAuthority(dir: string): Promise<Authority> {
  await opensslAuthority(dir)
  const extensions = ['basicConstraints=critical,CA:TRUE', 'subjectKeyIdentifier=hash']
  await opensslLeaf(dir, 'middle', { extensions })
  const [key, certificate] = await Promise.all([
    readFile(join(dir, 'middle.key'), 'utf8'),
    readFile(join(dir, 'middle.pem'), 'utf8'),
  ])
  return openAuthority({ key, certificate }, 'middle.pem')
}

function filesIn(dir: string, name: string) {
  return {
    keyFile: join(dir, `${name}.key`),
    certificateFile: join(dir, `${name}.pem`),
    caFile: join(dir, 'ca.pem'),
  }
}

/** Shake hands for real, both sides asking for a certificate. @returns whom each side saw */
async function handshake(
  t: ExecutionContext,
  node: Credentials,
  client: Credentials,
  options: ConnectionOptions = {},
): Promise<{ seenByNode: Identity; seenByClient: Identity }> {
  const server = createServer({
    key: node.key,
    cert: node.certificate,
    ca: node.ca,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
  })
  t.teardown(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const accepted = once(server, 'secureConnection')
  const refused = once(server, 'tlsClientError').then(([error]) => Promise.reject(error as Error))
  refused.catch(() => undefined)
  const socket = connect({
    host: '127.0.0.1',
    port: address.port,
    key: client.key,
    cert: client.certificate,
    ca: client.ca,
    ...options,
  })
  t.teardown(() => socket.destroy())
  await once(socket, 'secureConnect')
  const [peer] = (await Promise.race([accepted, refused])) as unknown[]
  if (!(peer instanceof TLSSocket)) throw new Error('no connection')
  t.teardown(() => peer.destroy())
  return {
    seenByNode: identityOf(peer.getPeerCertificate().raw),
    seenByClient: identityOf(socket.getPeerCertificate().raw),
  }
}

test('an RSA client with nothing but a CN, made with the openssl command line, is a client', async t => {
  const dir = await makeTestFolder(t)
  await opensslAuthority(dir, { key: RSA })
  await opensslLeaf(dir, 'fridge-client-001', { key: RSA })
  const credentials = await loadCredentialFiles(filesIn(dir, 'fridge-client-001'), {
    role: 'client',
  })
  t.like(credentials.identity, {
    role: 'client',
    name: 'fridge-client-001',
    trustDomain: undefined,
  })
  const shown = await openssl(dir, 'x509', '-in', 'fridge-client-001.pem', '-noout', '-pubkey')
  await writeFile(join(dir, 'public.pem'), shown)
  await openssl(dir, 'pkey', '-pubin', '-in', 'public.pem', '-outform', 'DER', '-out', 'public.der')
  const digest = await openssl(dir, 'dgst', '-sha256', '-r', 'public.der')
  t.is<string, string>(credentials.identity.keyId, digest.split(' ')[0] ?? '')
})

test('a node that an openssl authority issued with our URI is a node, and shakes hands', async t => {
  const dir = await makeTestFolder(t)
  await opensslAuthority(dir, { key: RSA })
  await opensslLeaf(dir, 'alpha', {
    extensions: [
      'subjectAltName=URI:spiffe://fridge/node/alpha,DNS:alpha,IP:127.0.0.1',
      'extendedKeyUsage=serverAuth,clientAuth',
    ],
  })
  await opensslLeaf(dir, 'fridge-client-001', { key: RSA })
  const node = await loadCredentialFiles(filesIn(dir, 'alpha'), { role: 'node' })
  const client = await loadCredentialFiles(filesIn(dir, 'fridge-client-001'))
  const { seenByNode, seenByClient } = await handshake(t, node, client)
  t.is<string, string>(seenByNode.subject, 'client/fridge-client-001')
  t.is<string, string>(seenByClient.subject, 'node/alpha')
})

test('an openssl authority signs what we issue, and both kinds meet in one cluster', async t => {
  const dir = await makeTestFolder(t)
  await opensslAuthority(dir, { key: RSA })
  await opensslLeaf(dir, 'fridge-client-001', { key: RSA })
  const [key, certificate] = await Promise.all([
    readFile(join(dir, 'ca.key'), 'utf8'),
    readFile(join(dir, 'ca.pem'), 'utf8'),
  ])
  const authority = openAuthority({ key, certificate }, 'ca.pem')
  t.is(authority.trustDomain, undefined)
  const common = { authority, now: Date.now(), random: randomBytes }
  const issued = await issueCertificate({ ...common, role: 'node', name: parseName('alpha') })
  await writeFile(join(dir, 'alpha.key'), issued.key)
  await writeFile(join(dir, 'alpha.pem'), issued.certificate)
  t.is(
    await openssl(dir, 'verify', '-x509_strict', '-CAfile', 'ca.pem', 'alpha.pem'),
    'alpha.pem: OK\n',
  )
  const node = await loadCredentialFiles(filesIn(dir, 'alpha'), { role: 'node' })
  const client = await loadCredentialFiles(filesIn(dir, 'fridge-client-001'))
  const { seenByNode, seenByClient } = await handshake(t, node, client, { servername: 'alpha' })
  t.is<string, string>(seenByNode.subject, 'client/fridge-client-001')
  t.is<string, string>(seenByClient.subject, 'node/alpha')
})

test("our own certificates shake hands, and another authority's do not", async t => {
  const ours = await makeTestCerts(t, { nodes: ['alpha'], clients: ['c1'] })
  const theirs = await makeTestCerts(t, { clients: ['c1'] })
  const [node, client, stranger] = await Promise.all([
    ours.load('node', 'alpha'),
    ours.load('client', 'c1'),
    theirs.load('client', 'c1'),
  ])
  const { seenByNode, seenByClient } = await handshake(t, node, client)
  t.is<string, string>(seenByNode.subject, 'client/c1')
  t.deepEqual(seenByClient, node.identity)
  await t.throwsAsync(handshake(t, node, { ...stranger, ca: node.ca }))
  await t.throwsAsync(handshake(t, node, stranger))
})

test('openssl verifies what we issue, strictly, and reads in it what we mean', async t => {
  const certs = await makeTestCerts(t, { nodes: ['alpha'], clients: ['c1'], operators: ['admin'] })
  const ca = ['-CAfile', 'ca/certificate.pem']
  const strict = ['verify', '-x509_strict', '-check_ss_sig', ...ca]
  for (const [file, purpose] of [
    ['nodes/alpha/certificate.pem', 'sslserver'],
    ['nodes/alpha/certificate.pem', 'sslclient'],
    ['clients/c1/certificate.pem', 'sslclient'],
    ['operators/admin/certificate.pem', 'sslclient'],
  ] as const) {
    t.is(await openssl(certs.dir, ...strict, '-purpose', purpose, file), `${file}: OK\n`)
  }
  await t.throwsAsync(
    openssl(certs.dir, ...strict, '-purpose', 'sslserver', 'clients/c1/certificate.pem'),
  )
  const text = await openssl(
    certs.dir,
    'x509',
    '-noout',
    '-text',
    '-in',
    'nodes/alpha/certificate.pem',
  )
  for (const line of [
    'Subject: CN = alpha',
    'Issuer: CN = test.fridge CA',
    'URI:spiffe://test.fridge/node/alpha, DNS:alpha, DNS:localhost, IP Address:127.0.0.1',
    'TLS Web Server Authentication, TLS Web Client Authentication',
    'CA:FALSE',
  ]) {
    t.true(text.includes(line), line)
  }
  t.regex(text, /Key Usage: critical\s+Digital Signature\n/)
  const key = await openssl(certs.dir, 'pkey', '-noout', '-text', '-in', 'ca/private-key.pem')
  t.true(key.includes('NIST CURVE: P-256'))
  const authority = await openssl(certs.dir, 'x509', '-noout', '-text', '-in', 'ca/certificate.pem')
  t.true(authority.includes('CA:TRUE, pathlen:1'))
  t.regex(authority, /Key Usage: critical\s+Certificate Sign, CRL Sign\n/)
})

test('a chain through an intermediate authority is sent whole and followed to its root', async t => {
  const dir = await makeTestFolder(t)
  const authority = await intermediateAuthority(dir)
  const common = { authority, now: Date.now(), random: randomBytes }
  const issued = await issueCertificate({ ...common, role: 'node', name: parseName('alpha') })
  await writeFile(join(dir, 'alpha.key'), issued.key)
  await writeFile(join(dir, 'alpha.pem'), issued.certificate)
  const node = await loadCredentialFiles(filesIn(dir, 'alpha'))
  t.is(node.certificate.split('BEGIN CERTIFICATE').length - 1, 2)
  await opensslLeaf(dir, 'c1')
  const client = await loadCredentialFiles(filesIn(dir, 'c1'))
  const { seenByClient } = await handshake(t, node, client)
  t.is<string, string>(seenByClient.subject, 'node/alpha')
  const short = new X509Certificate(issued.certificate).toString()
  await writeFile(join(dir, 'alpha.pem'), short)
  await t.throwsAsync(loadCredentialFiles(filesIn(dir, 'alpha')), {
    code: 'ERR_CERTIFICATE',
    message: /it was issued by "CN=middle", and trusted is only "O=Kühlhaus, CN=My own CA"/,
  })
})

test('who came through an intermediate authority stays when it resumes its session and another authority goes', async t => {
  const dir = await makeTestFolder(t)
  const authority = await intermediateAuthority(dir)
  const common = { authority, now: Date.now(), random: randomBytes }
  const client = await issueCertificate({ ...common, role: 'client', name: parseName('c1') })
  const [other, root] = await Promise.all([
    makeTestCerts(t, { nodes: ['alpha'] }),
    readFile(join(dir, 'ca.pem'), 'utf8'),
  ])
  const own = await other.load('node', 'alpha')
  const both = { ...own, ca: `${other.ca}${root}` }
  const server = createServer({
    key: own.key,
    cert: own.certificate,
    ca: both.ca,
    requestCert: true,
    minVersion: 'TLSv1.3',
  })
  t.teardown(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const admit = async (session?: Buffer) => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      key: client.key,
      cert: client.certificate,
      ca: own.ca,
      ...(session && { session }),
    })
    t.teardown(() => socket.destroy())
    const ticket = once(socket, 'session') as Promise<[Buffer]>
    const [peer] = (await once(server, 'secureConnection')) as [TLSSocket]
    t.teardown(() => peer.destroy())
    return { peer, ticket }
  }
  const trust = new Trust(both, systemClock)
  const first = await admit()
  const identity = identityOf(first.peer.getPeerCertificate().raw)
  trust.hold(first.peer, identity, both)
  const [ticket] = await first.ticket
  first.peer.destroy()
  const again = await admit(ticket)
  t.true(again.peer.isSessionReused())
  trust.hold(again.peer, identity, both)
  t.is(trust.replace({ ...own, ca: root }).length, 1)
  t.true(trust.vouchesFor(identity))
})

test('a certificate that outlives its authority ends with it, and the authority is named', async t => {
  const dir = await makeTestFolder(t)
  await opensslAuthority(dir, { days: '10' })
  await opensslLeaf(dir, 'c1', { days: '30' })
  const now = Date.now() + 20 * DAY_MS
  await t.throwsAsync(loadCredentialFiles(filesIn(dir, 'c1'), { now }), {
    code: 'ERR_CERTIFICATE',
    message: /its authority "O=Kühlhaus, CN=My own CA": it expired on/,
  })
})

test('attack: what openssl can put into names gives nobody a role', async t => {
  const dir = await makeTestFolder(t)
  await opensslAuthority(dir)
  const odd = 'otherName.0=1.2.3.4;UTF8:spiffe://fridge/operator/mallory'
  const operator = 'URI.1=spiffe://fridge/operator/mallory'
  const cases: [subject: string | undefined, ...names: string[]][] = [
    ['client/mallory', 'DNS.0=a, URI:spiffe://fridge/operator/mallory'],
    ['client/mallory', 'email.0=spiffe://fridge/operator/mallory'],
    ['client/mallory', odd],
    ['operator/mallory', odd, operator],
    [undefined, 'URI.0=spiffe://fridge/Operator/mallory'],
    [undefined, 'URI.0=spiffe://fridge/operator/%6dallory'],
    [undefined, 'URI.0=spiffe://fridge/client/mallory', operator],
    [undefined, 'URI.0=spiffe://fridge/operator/admin'],
  ]
  for (const [subject, ...names] of cases) {
    const extensions = ['subjectAltName=@names', '[names]', ...names]
    await opensslLeaf(dir, 'mallory', { extensions })
    const { raw } = new X509Certificate(await readFile(join(dir, 'mallory.pem')))
    if (subject === undefined) t.throws(() => identityOf(raw), { code: 'ERR_CERTIFICATE' })
    else t.is<string, string>(identityOf(raw).subject, subject)
  }
})

test('attack: a client signs nobody, also when nothing in its certificate forbids it', async t => {
  const [dir, below] = [await makeTestFolder(t), await makeTestFolder(t)]
  await opensslAuthority(dir)
  await opensslLeaf(dir, 'client')
  await copyFile(join(dir, 'client.pem'), join(below, 'ca.pem'))
  await copyFile(join(dir, 'client.key'), join(below, 'ca.key'))
  const extensions = ['subjectAltName=URI:spiffe://fridge/operator/mallory']
  await opensslLeaf(below, 'mallory', { extensions })
  const files = filesIn(below, 'mallory')
  const chain = await Promise.all([readFile(files.certificateFile), readFile(files.caFile)])
  await writeFile(files.certificateFile, Buffer.concat(chain))
  const refusal = { code: 'ERR_CERTIFICATE', message: /no authority in .* vouches for it/ }
  await t.throwsAsync(loadCredentialFiles({ ...files, caFile: join(dir, 'ca.pem') }), refusal)
  // Nor when somebody takes the client itself for an authority.
  await t.throwsAsync(loadCredentialFiles(files), { ...refusal, message: /CA:TRUE is missing/ })
})

test('attack: an authority of the same name is not the same authority', async t => {
  const [ours, theirs] = [await makeTestFolder(t), await makeTestFolder(t)]
  await Promise.all([opensslAuthority(ours), opensslAuthority(theirs)])
  // Without key identifiers, only the signature tells them apart.
  await opensslLeaf(theirs, 'c1')
  const files = { ...filesIn(theirs, 'c1'), caFile: join(ours, 'ca.pem') }
  await t.throwsAsync(loadCredentialFiles(files), {
    code: 'ERR_CERTIFICATE',
    message: /it was signed by another authority of the same name/,
  })
})

test('keys that openssl makes in its older forms are read', async t => {
  const dir = await makeTestFolder(t)
  await opensslAuthority(dir)
  for (const [name, convert] of [
    ['rsa', ['rsa', '-traditional']],
    ['ec', ['ec']],
  ] as const) {
    await opensslLeaf(dir, name, { key: name === 'rsa' ? RSA : EC })
    await openssl(dir, ...convert, '-in', `${name}.key`, '-out', `${name}.key`)
    const credentials = await loadCredentialFiles(filesIn(dir, name))
    t.regex(credentials.key, /-----BEGIN (RSA|EC) PRIVATE KEY-----/)
    t.is<string, string>(credentials.identity.name, name)
  }
})

test('every file has the place that the documents name', async t => {
  const { dir } = await makeTestCerts(t)
  t.deepEqual(credentialFiles(dir, 'operator', parseName('maria')), {
    keyFile: join(dir, 'operators', 'maria', 'private-key.pem'),
    certificateFile: join(dir, 'operators', 'maria', 'certificate.pem'),
    caFile: join(dir, 'ca', 'certificate.pem'),
    formerFile: join(dir, 'ca', 'former.pem'),
  })
})
