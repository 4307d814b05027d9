import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import test from 'ava'
import type { Authority } from '../../../node/authority/authority.ts'
import { issueCertificate } from '../../../node/authority/issue.ts'
import { readAuthority } from '../../../node/authority/key-store.ts'
import type { KeyType } from '../../../node/authority/key-type.ts'
import { inspectCertificates } from '../../../node/authority/inspect.ts'
import { renewCertificate, type Renewed, type RenewOptions } from '../../../node/authority/renew.ts'
import { authorityFiles } from '../../../node/identity/credential-files.ts'
import { parseName, type Role } from '../../../node/identity/names.ts'
import { makeTestCerts } from '../../support/certs.ts'

const DAY_MS = 86_400_000
const NOW = Date.UTC(2026, 0, 1)
const alpha = parseName('alpha')

interface Issued {
  readonly role: Role
  readonly days?: number
  readonly hosts?: readonly string[]
  readonly keyType?: KeyType
}

async function issue(authority: Authority, options: Issued): Promise<string> {
  const { certificate } = await issueCertificate({
    authority,
    name: alpha,
    now: NOW,
    random: randomBytes,
    ...options,
  })
  return certificate
}

async function renew(
  authority: Authority,
  pem: string,
  options: Partial<RenewOptions> = {},
): Promise<Renewed> {
  return renewCertificate({
    pem,
    file: 'alpha.pem',
    authority,
    known: [authority.certificate],
    now: NOW,
    random: randomBytes,
    ...options,
  })
}

test('a renewed certificate is of the same role, name, hosts and key, and another certificate', async t => {
  const { dir } = await makeTestCerts(t, { now: NOW })
  const authority = await readAuthority(dir)
  for (const role of ['node', 'operator', 'client'] as const) {
    const hosts = role === 'node' ? { hosts: ['alpha.shop.example', '10.0.0.5'] } : {}
    const pem = await issue(authority, { role, days: 30, ...hosts })
    const now = NOW + 20 * DAY_MS
    const { certificate, key } = await renew(authority, pem, { now })
    t.is(key, undefined)
    const [before, after] = [pem, certificate].flatMap(one => inspectCertificates(one, '', now))
    for (const field of ['role', 'name', 'trustDomain', 'hosts', 'keyId', 'subject'] as const) {
      t.deepEqual(after?.[field], before?.[field])
    }
    t.not(after?.serialNumber, before?.serialNumber)
    t.is(after?.notAfter, new Date(now + 30 * DAY_MS).toISOString())
    t.deepEqual(after?.warnings, [])
  }
})

test('the days of a renewed certificate can be chosen', async t => {
  const { dir } = await makeTestCerts(t, { now: NOW })
  const authority = await readAuthority(dir)
  const { certificate } = await renew(authority, await issue(authority, { role: 'client' }), {
    days: 7,
  })
  t.is(new X509Certificate(certificate).validToDate.getTime(), NOW + 7 * DAY_MS)
})

test('a new key is of the kind of the old one, and fits the new certificate', async t => {
  const { dir } = await makeTestCerts(t, { now: NOW })
  const authority = await readAuthority(dir)
  for (const keyType of ['ecdsa', 'rsa', 'ed25519'] as const) {
    const pem = await issue(authority, { role: 'client', keyType })
    const { certificate, key = '' } = await renew(authority, pem, { newKey: true })
    const [before, after] = [pem, certificate].flatMap(one => inspectCertificates(one, '', NOW))
    t.is(after?.keyType, before?.keyType)
    t.not(after?.keyId, before?.keyId)
    t.true(new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)))
  }
})

test('a certificate that has expired is renewed all the same', async t => {
  const { dir } = await makeTestCerts(t, { now: NOW })
  const authority = await readAuthority(dir)
  const pem = await issue(authority, { role: 'node', days: 30 })
  const { certificate } = await renew(authority, pem, { now: NOW + 90 * DAY_MS })
  t.is(new X509Certificate(certificate).validToDate.getTime(), NOW + 120 * DAY_MS)
})

test('attack: a certificate that another authority signed is not renewed, whatever it says', async t => {
  const [ours, theirs] = await Promise.all([makeTestCerts(t), makeTestCerts(t)])
  const [authority, foreign] = await Promise.all([
    readAuthority(ours.dir),
    readAuthority(theirs.dir),
  ])
  const pem = await issue(foreign, { role: 'operator' })
  await t.throwsAsync(renew(authority, pem), {
    code: 'ERR_CERTIFICATE',
    message: /cannot be renewed: it was signed by another authority of the same name/,
  })
  // Whoever adds the certificate of ours behind it has not got further.
  const dressed = `${pem}${authority.certificate.toString()}`
  await t.throwsAsync(renew(authority, dressed), { code: 'ERR_CERTIFICATE' })
})

test('the certificate of an authority is not renewed but rotated', async t => {
  const { dir } = await makeTestCerts(t)
  const authority = await readAuthority(dir)
  const pem = await readFile(authorityFiles(dir).certificateFile, 'utf8')
  const error = await t.throwsAsync(renew(authority, pem), { code: 'ERR_CERTIFICATE' })
  t.like(error, { fix: 'replace an authority with fridge certs rotate-ca begin' })
})
