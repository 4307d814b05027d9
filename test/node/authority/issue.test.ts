import { randomBytes, X509Certificate } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import {
  createAuthority,
  openAuthority,
  type Authority,
} from '../../../node/authority/authority.ts'
import { defaultHosts, issueCertificate, type IssueOptions } from '../../../node/authority/issue.ts'
import { KEY_TYPES } from '../../../node/authority/key-type.ts'
import { BACKDATED_MS, DAY_MS } from '../../../node/authority/validity.ts'
import { isIssuedBy } from '../../../node/identity/certificate-chain.ts'
import { identityOf } from '../../../node/identity/identity.ts'
import { parseName } from '../../../node/identity/names.ts'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate as Certificate,
} from '../../../node/identity/x509.ts'

const NOW = Date.parse('2026-03-01T12:00:00.750Z')
const SERVER = '1.3.6.1.5.5.7.3.1'
const CLIENT = '1.3.6.1.5.5.7.3.2'
const alpha = parseName('alpha')

async function authority(days?: number): Promise<Authority> {
  const options = { trustDomain: 'shop.example', now: NOW, random: randomBytes }
  const pair = await createAuthority({ ...options, ...(days === undefined ? {} : { days }) })
  return openAuthority(pair, 'ca.pem')
}

async function issued(options: Partial<IssueOptions> = {}): Promise<Certificate> {
  const { certificate } = await issueCertificate({
    authority: options.authority ?? (await authority()),
    role: 'node',
    name: alpha,
    now: NOW,
    random: randomBytes,
    ...options,
  })
  return new Certificate(certificate)
}

function hostsOf(certificate: Certificate): string[] {
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.items ?? []
  return names.map(({ type, value }) => `${type}:${value}`)
}

test('an authority allows one below it, says so critically, and holds ten years', async t => {
  const { certificate, trustDomain, intermediates } = await authority()
  const parsed = new Certificate(certificate.raw)
  t.like(parsed.getExtension(BasicConstraintsExtension), {
    ca: true,
    pathLength: 1,
    critical: true,
  })
  t.like(parsed.getExtension(KeyUsagesExtension), { usages: 32 | 64, critical: true })
  t.truthy(parsed.getExtension(SubjectKeyIdentifierExtension))
  t.is(parsed.notAfter.getTime(), Math.floor((NOW + 3650 * DAY_MS) / 1000) * 1000)
  t.is(trustDomain, 'shop.example')
  t.deepEqual(intermediates, [])
  t.is(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
})

test('a certificate says role, name, what its key may do and who signed it', async t => {
  const signer = await authority()
  const certificate = await issued({ authority: signer })
  t.like(identityOf(new Uint8Array(certificate.rawData)), {
    role: 'node',
    trustDomain: 'shop.example',
  })
  t.like(certificate.getExtension(BasicConstraintsExtension), { ca: false })
  t.like(certificate.getExtension(KeyUsagesExtension), { usages: 1, critical: true })
  t.is(
    certificate.getExtension(AuthorityKeyIdentifierExtension)?.keyId,
    new Certificate(signer.certificate.raw).getExtension(SubjectKeyIdentifierExtension)?.keyId,
  )
  t.truthy(certificate.getExtension(SubjectKeyIdentifierExtension))
  t.true(isIssuedBy(new X509Certificate(certificate.toString()), signer.certificate))
})

test('a node may serve and dial; clients and operators only dial', async t => {
  for (const [role, usages] of [
    ['node', [SERVER, CLIENT]],
    ['operator', [CLIENT]],
    ['client', [CLIENT]],
  ] as const) {
    const certificate = await issued({ role })
    t.deepEqual([...(certificate.getExtension(ExtendedKeyUsageExtension)?.usages ?? [])], usages)
  }
})

test('a node answers to its own name and this machine, or to just the hosts that are given', async t => {
  const uri = 'url:spiffe://shop.example/node/alpha'
  const standard = ['dns:alpha', 'dns:localhost', 'ip:127.0.0.1', 'ip:::1']
  t.deepEqual(hostsOf(await issued()), [uri, ...standard])
  const hosts = ['alpha.shop.example', '10.0.0.5', '2001:db8::5', '*.shop.example', '10.0.0.5']
  t.deepEqual(hostsOf(await issued({ hosts })), [
    uri,
    'dns:alpha.shop.example',
    'ip:10.0.0.5',
    'ip:2001:db8::5',
    'dns:*.shop.example',
  ])
  t.deepEqual(hostsOf(await issued({ role: 'client' })), ['url:spiffe://shop.example/client/alpha'])
  t.deepEqual(defaultHosts(parseName('a..b')), ['localhost', '127.0.0.1', '::1'])
  t.deepEqual(defaultHosts(parseName('localhost')), ['localhost', '127.0.0.1', '::1'])
})

test('what is no host, and any host of a client or operator, is refused', async t => {
  const usage = { code: 'ERR_USAGE' }
  const syntax = [
    '',
    'a b',
    'alpha:7000',
    '10.0.0.5:7000',
    '[::1]',
    'a,b',
    'http://a',
    '*',
    'a.*',
    '-a',
  ]
  const subtle = [
    '10.0.0.256',
    '1.2.3',
    'fe80::1%eth0',
    'a\u0000',
    'bücher',
    'x'.repeat(64),
    'a..b',
    'a.',
  ]
  for (const host of [...syntax, ...subtle]) {
    await t.throwsAsync(issued({ hosts: [host] }), { ...usage, message: /is neither a host/ }, host)
  }
  await t.throwsAsync(issued({ role: 'client', hosts: ['a'] }), usage)
  await t.throwsAsync(issued({ role: 'operator', hosts: ['a'] }), usage)
})

test('a certificate begins five minutes early and holds a year, in whole seconds', async t => {
  for (const role of ['node', 'operator', 'client'] as const) {
    const { notBefore, notAfter } = await issued({ role })
    t.is(notBefore.getTime(), NOW - BACKDATED_MS - 750)
    t.is(notAfter.getTime(), NOW + 365 * DAY_MS - 750)
  }
  t.is((await issued({ days: 30 })).notAfter.getTime(), NOW + 30 * DAY_MS - 750)
})

test('no certificate outlives its authority, and an expired authority signs nothing', async t => {
  const signer = await authority(10)
  const end = signer.certificate.validToDate.getTime()
  t.is((await issued({ authority: signer })).notAfter.getTime(), end)
  t.is((await issued({ authority: signer, now: end - 1000 })).notAfter.getTime(), end)
  await t.throwsAsync(issued({ authority: signer, now: end }), {
    code: 'ERR_CERTIFICATE',
    message: /the authority expired on 2026-03-11/,
  })
})

test('days out of range and a malformed trust domain are refused', async t => {
  for (const days of [0, -1, 36_501, Number.NaN, Infinity]) {
    await t.throwsAsync(issued({ days }), { code: 'ERR_USAGE' }, String(days))
    await t.throwsAsync(authority(days), { code: 'ERR_USAGE' }, String(days))
  }
  for (const trustDomain of ['', 'Shop', 'a/b', 'a b', 'a:1', 'ü']) {
    await t.throwsAsync(issued({ trustDomain }), { code: 'ERR_USAGE', message: /trust domain/ })
  }
})

test('dates beyond 2050 are written in the form that carries four digits of the year', async t => {
  const signer = await authority(36_500)
  const { notAfter } = await issued({ authority: signer, days: 10_000 })
  t.is(notAfter.toISOString(), '2053-07-17T12:00:00.000Z')
})

test('a serial number is nine octets and positive, whatever the source of randomness gives', async t => {
  for (const [fill, serial] of [
    [0x00, `40${'00'.repeat(8)}`],
    [0xff, `7f${'ff'.repeat(8)}`],
    [0x80, `40${'80'.repeat(8)}`],
  ] as const) {
    const certificate = await issued({ random: size => new Uint8Array(size).fill(fill) })
    t.is(certificate.serialNumber, serial)
  }
  t.not((await issued()).serialNumber, (await issued()).serialNumber)
})

test('any allowed kind of key can be an authority and a leaf', async t => {
  for (const keyType of KEY_TYPES) {
    const options = { trustDomain: 'fridge', now: NOW, random: randomBytes, keyType }
    const signer = openAuthority(await createAuthority(options), 'ca.pem')
    const leaf = await issued({ authority: signer, keyType })
    t.true(isIssuedBy(new X509Certificate(leaf.toString()), signer.certificate), keyType)
    accepts(t, leaf)
  }
})

function accepts(t: ExecutionContext, leaf: Certificate): void {
  t.notThrows(() => identityOf(new Uint8Array(leaf.rawData)))
}

test('an authority opens only with a whole key that fits a certificate which may sign', async t => {
  const options = { trustDomain: 'fridge', now: NOW, random: randomBytes }
  const [ours, theirs] = [await createAuthority(options), await createAuthority(options)]
  t.throws(() => openAuthority({ ...ours, key: theirs.key }, 'ca.pem'), {
    code: 'ERR_CERTIFICATE',
    message: /no certificate in ca.pem fits the authority's key/,
  })
  t.throws(() => openAuthority({ ...ours, key: 'x' }, 'ca.pem'), { code: 'ERR_KEY_FILE' })
  const both = { key: ours.key, certificate: theirs.certificate + ours.certificate }
  t.deepEqual(openAuthority(both, 'ca.pem').certificate.toString(), ours.certificate)
  const signer = openAuthority(ours, 'ca.pem')
  const common = { now: NOW, random: randomBytes, authority: signer }
  const leaf = await issueCertificate({ ...common, role: 'client', name: alpha })
  t.throws(() => openAuthority(leaf, 'leaf.pem'), {
    code: 'ERR_CERTIFICATE',
    message: /"CN=alpha" may not sign certificates/,
  })
})
