import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import test from 'ava'
import { inspectCertificates, reportLines } from '../../../node/authority/inspect.ts'
import { DAY_MS } from '../../../node/authority/validity.ts'
import { authorityFiles, credentialFiles } from '../../../node/identity/credential-files.ts'
import { parseName, type Role } from '../../../node/identity/names.ts'
import { makeTestCerts, type TestCerts } from '../../support/certs.ts'
import { forgeCertificate, uris, type Forgery } from '../../support/forged-certificate.ts'

const NOW = Date.now()

async function report(certs: TestCerts, role: Role, name: string, now = NOW) {
  const file = credentialFiles(certs.dir, role, parseName(name)).certificateFile
  const [found] = inspectCertificates(await readFile(file, 'utf8'), file, now)
  if (found === undefined) throw new Error('no report')
  return found
}

test('a report says who, where, with which key, how long and signed by whom', async t => {
  const certs = await makeTestCerts(t, { nodes: ['alpha'], now: NOW })
  const { identity } = await certs.load('node', 'alpha')
  const found = await report(certs, 'node', 'alpha')
  t.like(found, {
    role: 'node',
    name: 'alpha',
    trustDomain: 'test.fridge',
    hosts: ['alpha', 'localhost', '127.0.0.1', '::1'],
    keyType: 'ECDSA P-256',
    keyId: identity.keyId,
    fingerprint: identity.fingerprint,
    notAfter: new Date(identity.notAfter).toISOString(),
    daysLeft: 365,
    subject: 'CN=alpha',
    issuer: 'CN=test.fridge CA',
    selfSigned: false,
    warnings: [],
  })
  t.deepEqual(JSON.parse(JSON.stringify(found)), found)
  const lines = reportLines(found)
  t.is(lines[0], 'node alpha')
  t.true(lines.some(line => line.includes('(365 days left)')))
  t.false(lines.some(line => line.includes('warning')))
})

test('an authority is reported as one', async t => {
  const { dir } = await makeTestCerts(t)
  const file = authorityFiles(dir).certificateFile
  const [found] = inspectCertificates(await readFile(file, 'utf8'), file, NOW)
  t.like(found, { role: 'authority', name: null, trustDomain: 'test.fridge', selfSigned: true })
  t.deepEqual(found?.warnings, [])
})

test('expired, not yet valid and soon to expire are warnings', async t => {
  const certs = await makeTestCerts(t, { now: NOW })
  await certs.issue('client', 'c1', { days: 60 })
  const at = async (days: number) =>
    (await report(certs, 'client', 'c1', NOW + days * DAY_MS)).warnings
  t.deepEqual(await at(0), [])
  t.deepEqual(await at(29), [])
  t.deepEqual(await at(40), ['it expires in 20 days'])
  t.deepEqual(await at(61), ['it has expired'])
  t.deepEqual(await at(-1), ['it is not valid yet'])
  const expired = await report(certs, 'client', 'c1', NOW + 61 * DAY_MS)
  t.true(expired.daysLeft < 0)
  t.true(reportLines(expired).some(line => line.includes('(expired)')))
})

test('what fridge would refuse is reported with the reason, not refused', async t => {
  const keys = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const unlike: [Forgery, RegExp][] = [
    [{ names: uris('spiffe://fridge/admin/mallory') }, /the role in its URI .* is unknown/],
    [{ keys }, /its key is RSA 1024/],
    [{ subject: [{ CN: ['a b'] }] }, /its CN "a b" is not a name/],
  ]
  for (const [forgery, why] of unlike) {
    const pem = new X509Certificate(await forgeCertificate(forgery)).toString()
    const [found] = inspectCertificates(pem, 'x.pem', NOW)
    t.is(found?.role, 'unknown')
    t.regex(found?.warnings[0] ?? '', why)
  }
})

test('a node without hosts is warned of', async t => {
  const names = uris('spiffe://fridge/node/mallory')
  const pem = new X509Certificate(await forgeCertificate({ names })).toString()
  const [found] = inspectCertificates(pem, 'x.pem', NOW)
  t.deepEqual(found?.warnings, ['it names no host, so no client can check whom it reached'])
})

test('attack: a name cannot write to the terminal', async t => {
  const subject = [
    { CN: [{ utf8String: 'a\u001B[2J\u0007\rb' }], O: [{ utf8String: '\u009B31m' }] },
  ]
  const names = [{ type: 'dns', value: 'x\u001B[2Jy' } as const]
  const pem = new X509Certificate(await forgeCertificate({ subject, names })).toString()
  for (const found of inspectCertificates(pem, 'x.pem', NOW)) {
    const text = reportLines(found).join('')
    t.notRegex(text, /\p{Cc}/u)
  }
})

test('every certificate of a file is reported, in its order', async t => {
  const certs = await makeTestCerts(t, { clients: ['c1'] })
  const { certificate } = await certs.load('client', 'c1')
  const roles = inspectCertificates(`${certificate}${certs.ca}`, 'x.pem', NOW).map(
    ({ role }) => role,
  )
  t.deepEqual(roles, ['client', 'authority'])
})
