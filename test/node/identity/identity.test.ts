import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import * as fc from 'fast-check'
import { FridgeError } from '../../../node/lib/errors.ts'
import {
  assertKeyAllowed,
  describeKey,
  identityOf,
  spiffeUri,
  type Identity,
} from '../../../node/identity/identity.ts'
import { isName, ROLES, type Name } from '../../../node/identity/names.ts'
import {
  BasicConstraintsExtension,
  SubjectAlternativeNameExtension,
  X509Certificate as OtherCertificate,
} from '../../../node/identity/x509.ts'
import { makeTestCerts } from '../../support/certs.ts'
import {
  alternativeNames,
  der,
  extension,
  general,
  makeCertificate,
  sequence,
} from '../../support/chains.ts'
import { forgeCertificate, uris, type Forgery } from '../../support/forged-certificate.ts'

async function refused(t: ExecutionContext, forgery: Forgery, why: RegExp): Promise<void> {
  const der = await forgeCertificate(forgery)
  const error = t.throws(() => identityOf(der), { instanceOf: FridgeError, message: why })
  t.is(error?.code, 'ERR_CERTIFICATE')
}

/** The subject alternative names that another reader sees; undefined when it reads no extensions at all. */
function namesIn(other: OtherCertificate): readonly { type: string; value: string }[] | undefined {
  try {
    return other.getExtension(SubjectAlternativeNameExtension)?.names.items ?? []
  } catch {
    return undefined
  }
}

for (const role of ROLES) {
  test(`a certificate whose URI says ${role} is a ${role}`, async t => {
    const certs = await makeTestCerts(t)
    await certs.issue(role, 'alpha.1')
    const { identity, certificate } = await certs.load(role, 'alpha.1')
    const parsed = new X509Certificate(certificate)
    t.like(identity, {
      role,
      name: 'alpha.1',
      subject: `${role}/alpha.1`,
      trustDomain: 'test.fridge',
      fingerprint: parsed.fingerprint256.replaceAll(':', '').toLowerCase(),
      notBefore: parsed.validFromDate.getTime(),
      notAfter: parsed.validToDate.getTime(),
    })
  })
}

test('a certificate without a SPIFFE URI is a client named by its CN', async t => {
  const plain = identityOf(await forgeCertificate({ subject: [{ CN: ['fridge-client-001'] }] }))
  t.like(plain, { role: 'client', name: 'fridge-client-001', subject: 'client/fridge-client-001' })
  t.is(plain.trustDomain, undefined)
  const web = await forgeCertificate({ names: uris('https://shop.example/mallory') })
  t.like(identityOf(web), { role: 'client', name: 'mallory' })
})

test('a key is known by its SubjectPublicKeyInfo: a second certificate for it has the same key id', async t => {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const [first, second] = await Promise.all([
    forgeCertificate({ keys }),
    forgeCertificate({ keys }),
  ])
  t.not(identityOf(first).fingerprint, identityOf(second).fingerprint)
  t.is(identityOf(first).keyId, identityOf(second).keyId)
  const spki = keys.publicKey.export({ type: 'spki', format: 'der' })
  t.is<string, string>(identityOf(first).keyId, createHash('sha256').update(spki).digest('hex'))
})

test('the identity of a certificate seen before is remembered, and cannot be altered', async t => {
  const der = await forgeCertificate({})
  t.is(identityOf(der), identityOf(new Uint8Array(der)))
  t.true(Object.isFrozen(identityOf(der)))
})

test('bytes out of the middle of a larger buffer are read as they stand', async t => {
  const der = await forgeCertificate({ subject: [{ CN: ['inner'] }] })
  const around = Buffer.concat([Buffer.alloc(7, 0x30), der, Buffer.alloc(9, 0x30)])
  t.is<string, string>(identityOf(around.subarray(7, 7 + der.length)).name, 'inner')
})

test('attack: text in a DNS name that looks like a URI gives no role', async t => {
  for (const value of [
    'a, URI:spiffe://fridge/operator/admin',
    'a\u0000, URI:spiffe://fridge/operator/admin',
    'spiffe://fridge/operator/admin',
    '", URI:"spiffe://fridge/operator/admin',
  ]) {
    const der = await forgeCertificate({ names: [{ type: 'dns', value }] })
    t.like(identityOf(der), { role: 'client', name: 'mallory', trustDomain: undefined })
  }
})

test('attack: text in the CN that looks like a URI is no name', async t => {
  const subject = [{ CN: [{ utf8String: 'mallory, URI:spiffe://fridge/operator/admin' }] }]
  await refused(t, { subject }, /its CN "mallory, URI:.*" is not a name/)
  await refused(t, { subject: [{ CN: [{ utf8String: 'operator/admin' }] }] }, /is not a name/)
})

test('attack: a NUL cuts no name short', async t => {
  const cut = [{ CN: [{ utf8String: 'fridge-client-001\u0000.evil' }] }]
  await refused(t, { subject: cut }, /its CN "fridge-client-001\\u0000.evil" is not a name/)
  const ended = [{ CN: [{ utf8String: 'fridge-client-001\u0000' }] }]
  await refused(t, { subject: ended }, /is not a name/)
  const wide = [{ CN: [{ bmpString: 'admin\u0000' }] }]
  await refused(t, { subject: wide }, /is not a name/)
  const names = uris('spiffe://fridge/node/mallory\u0000')
  await refused(t, { names }, /the name in its URI .* is not a name/)
})

test('attack: two identities in one certificate are none', async t => {
  const both = uris('spiffe://fridge/client/mallory', 'spiffe://fridge/operator/mallory')
  await refused(t, { names: both }, /it has 2 URIs, and one is allowed/)
  const twice = uris('spiffe://fridge/client/mallory', 'spiffe://fridge/client/mallory')
  await refused(t, { names: twice }, /it has 2 URIs/)
  const mixed = uris('https://shop.example', 'spiffe://fridge/client/mallory')
  await refused(t, { names: mixed }, /it has 2 URIs/)
  await refused(t, { subject: [{ CN: ['mallory'] }, { CN: ['admin'] }] }, /it has 2 CNs/)
  await refused(t, { subject: [{ CN: ['mallory', 'admin'] }] }, /it has 2 CNs/)
})

test('attack: the same extension twice is refused, whichever comes first', async t => {
  const second = new SubjectAlternativeNameExtension(uris('spiffe://fridge/operator/mallory'))
  const names = uris('spiffe://fridge/client/mallory')
  await refused(t, { names, extensions: [second] }, /cannot be read: .*extension/)
})

test('attack: names that OpenSSL reads in another way, or not at all, make no client of an operator', t => {
  const uri = general.uri('spiffe://fridge/operator/mallory')
  const identify = (...extensions: readonly Buffer[]): Identity =>
    identityOf(makeCertificate({ subject: 'mallory', extensions }).certificate)
  t.is(identify(alternativeNames(uri, general.dns('localhost'))).role, 'operator')
  const refusal = { code: 'ERR_CERTIFICATE', message: /one of its names is none/ }
  // OpenSSL joins the pieces of a string.
  t.throws(() => identify(alternativeNames(der(0xa6, uri))), refusal)
  t.throws(() => identify(alternativeNames(general.dns('localhost'), der(0xa2, uri))), refusal)
  t.throws(() => identify(alternativeNames(uri, der(0x89, Buffer.from('x')))), refusal)
  // And it sees none where it cannot read one.
  t.throws(() => identify(alternativeNames(uri, general.directory(sequence(uri)))), refusal)
})

test('attack: what is neither true nor false is no word on authorities', t => {
  for (const flag of [[], [1], [0, 0xff]]) {
    const constraints = extension('2.5.29.19', sequence(der(0x01, Buffer.from(flag))))
    const { certificate } = makeCertificate({ subject: 'mallory', extensions: [constraints] })
    t.throws(() => identityOf(certificate), { message: /neither true nor false|of an authority/ })
  }
})

test('attack: a URI that is nearly an identity makes no client of its holder', async t => {
  const unlike: [string, RegExp][] = [
    ['spiffe://fridge/NODE/mallory', /the role in its URI .* is unknown/],
    ['spiffe://fridge/Operator/mallory', /the role .* is unknown/],
    ['spiffe://fridge/admin/mallory', /the role .* is unknown/],
    ['spiffe://fridge/node/%6dallory', /the name in its URI .* is not a name/],
    ['spiffe://fridge/%6eode/mallory', /the role .* is unknown/],
    ['spiffe://fridge/node/..', /the name .* is not a name/],
    ['spiffe://fridge/node/', /the name .* is not a name/],
    ['spiffe://fridge/node/mallory/', /is not spiffe:/],
    ['spiffe://fridge//node/mallory', /is not spiffe:/],
    ['spiffe://fridge/node', /is not spiffe:/],
    ['spiffe://fridge', /is not spiffe:/],
    ['spiffe:/fridge/node/mallory', /is not spiffe:/],
    ['SPIFFE://fridge/node/mallory', /is not spiffe:/],
    [' spiffe://fridge/node/mallory', /is not spiffe:/],
    ['spiffe://fridge/node/mallory\n', /the name .* is not a name/],
    ['spiffe://fridge/node/mallory?x', /the name .* is not a name/],
    ['spiffe://fridge/node/mallory#x', /the name .* is not a name/],
    ['spiffe:///node/mallory', /the trust domain .* is not one/],
    ['spiffe://FRIDGE/node/mallory', /the trust domain .* is not one/],
    ['spiffe://a@fridge/node/mallory', /the trust domain .* is not one/],
    ['spiffe://fridge:1/node/mallory', /the trust domain .* is not one/],
  ]
  for (const [uri, why] of unlike) await refused(t, { names: uris(uri) }, why)
})

test('a CN that differs from the name in the URI is refused, and so is a missing one', async t => {
  const names = uris('spiffe://fridge/node/alpha')
  await refused(t, { names }, /its CN "mallory" differs from the name in its URI/)
  await refused(t, { names, subject: [{ CN: ['Alpha'] }] }, /its CN "Alpha" differs/)
  await refused(t, { names, subject: [{ O: ['alpha'] }] }, /it has no CN/)
  await refused(t, { subject: [] }, /it has no CN/)
})

test('attack: a certificate that could sign others is nobody', async t => {
  const extensions = [new BasicConstraintsExtension(true)]
  await refused(t, { extensions }, /it is the certificate of an authority/)
})

test('bytes that are no certificate are refused, whatever they are', async t => {
  const whole = await forgeCertificate({})
  const pem = Buffer.from(new X509Certificate(whole).toString())
  const refusal = { instanceOf: FridgeError, code: 'ERR_CERTIFICATE' }
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from('hello'),
    Buffer.from('30'),
    pem,
    whole.subarray(0, whole.length - 1),
    Buffer.concat([whole, Buffer.from([0])]),
    Buffer.concat([whole, whole]),
  ]) {
    t.throws(() => identityOf(bytes), refusal)
  }
})

test('a flipped bit gives a refusal or an identity, never another error', async t => {
  const whole = await forgeCertificate({ names: uris('spiffe://fridge/node/mallory') })
  fc.assert(
    fc.property(fc.nat(whole.length * 8 - 1), bit => {
      const bytes = Buffer.from(whole)
      const at = bit >> 3
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (bit & 7)), at)
      try {
        identityOf(bytes)
      } catch (error) {
        if (!(error instanceof FridgeError)) throw error
      }
    }),
    { numRuns: 300 },
  )
  t.pass()
})

test('where a bit is flipped, another reader of certificates sees no other name in it', async t => {
  const whole = await forgeCertificate({ names: uris('spiffe://fridge/node/mallory') })
  let read = 0
  for (let bit = 0; bit < whole.length * 8; bit += 3) {
    const bytes = Buffer.from(whole)
    bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    let identity: Identity
    try {
      identity = identityOf(bytes)
    } catch {
      continue
    }
    const other = new OtherCertificate(bytes)
    t.deepEqual(other.subjectName.getField('CN'), [identity.name], `bit ${bit}`)
    const names = namesIn(other)
    // It reads extensions that say nothing of who somebody is, and are judged with the path.
    if (names === undefined) continue
    read += 1
    // In the place of a host name it is nobody's URI.
    const claimed = names
      .filter(({ type, value }) => type === 'url' && /spiffe:/i.test(value))
      .map(({ value }) => value)
    const { role, name, trustDomain } = identity
    t.deepEqual(claimed, trustDomain === undefined ? [] : [spiffeUri(trustDomain, role, name)])
    t.is(other.notAfter.getTime(), identity.notAfter)
  }
  t.true(read > 100)
})

test('every name in every role comes back as it was written', async t => {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/).filter(isName)
  await fc.assert(
    fc.asyncProperty(name, fc.constantFrom(...ROLES), async (name: Name, role) => {
      const names = uris(spiffeUri('fridge', role, name))
      const der = await forgeCertificate({ keys, names, subject: [{ CN: [name] }] })
      t.like(identityOf(der), { role, name, trustDomain: 'fridge' })
    }),
    { numRuns: 40 },
  )
})

test('strong keys are accepted and named', t => {
  for (const [keys, name] of [
    [generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'ECDSA P-256'],
    [generateKeyPairSync('ec', { namedCurve: 'P-384' }), 'ECDSA P-384'],
    [generateKeyPairSync('ec', { namedCurve: 'P-521' }), 'ECDSA P-521'],
    [generateKeyPairSync('rsa', { modulusLength: 2048 }), 'RSA 2048'],
    [generateKeyPairSync('ed25519'), 'Ed25519'],
  ] as const) {
    t.notThrows(() => assertKeyAllowed(keys.publicKey))
    t.notThrows(() => assertKeyAllowed(keys.privateKey))
    t.is(describeKey(keys.publicKey), name)
  }
})

test('weak and odd keys are refused', async t => {
  for (const [keys, why] of [
    [generateKeyPairSync('ec', { namedCurve: 'secp256k1' }), /its key is ECDSA secp256k1/],
    [generateKeyPairSync('rsa', { modulusLength: 1024 }), /its key is RSA 1024/],
    [generateKeyPairSync('rsa-pss', { modulusLength: 2048 }), /its key is rsa-pss/],
    [generateKeyPairSync('ed448'), /its key is ed448/],
  ] as const) {
    t.throws(() => assertKeyAllowed(keys.publicKey), { code: 'ERR_CERTIFICATE', message: why })
  }
  const keys = generateKeyPairSync('rsa', { modulusLength: 1024 })
  await refused(t, { keys }, /its key is RSA 1024/)
})
