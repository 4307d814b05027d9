import {
  createPrivateKey,
  createPublicKey,
  randomBytes,
  X509Certificate as ParsedCertificate,
} from 'node:crypto'
import test from 'ava'
import { openAuthority, type Authority } from '../../node/authority/authority.ts'
import { createIssuer } from '../../node/authority/issuer.ts'
import { authorityKeyIdentifier } from '../../node/authority/issue.ts'
import { readAuthority } from '../../node/authority/key-store.ts'
import { generateKeys, signingKeyOf } from '../../node/authority/key-type.ts'
import type { Credentials } from '../../node/identity/credentials.ts'
import { parseName } from '../../node/identity/names.ts'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  type JsonNameParams,
} from '../../node/identity/x509.ts'
import { makeSharedCerts, startCluster, untilReachable } from '../support/cluster.ts'

/** What a thief signs with the issuing key of a node, to be let in after that node was removed. */

const shared = await makeSharedCerts()
const { certs } = shared
const PERIOD = {
  notBefore: new Date(Date.now() - 1_000),
  notAfter: new Date(Date.now() + 3_600_000),
}

test.after.always(() => shared.remove())

async function stolenIssuer(): Promise<Authority> {
  const authority = await readAuthority(certs.dir)
  const how = { node: parseName('node-1'), now: Date.now(), random: randomBytes }
  return openAuthority(await createIssuer({ authority, ...how }), 'the issuing key')
}

/** The certificate of a client that names its issuer in its own way. */
async function signedAs(
  spelt: JsonNameParams[number],
  { privateKey, certificate }: Authority,
  holder: Credentials,
): Promise<Credentials> {
  const { key: signingKey, algorithm: signingAlgorithm } = signingKeyOf(privateKey)
  const key = createPublicKey(createPrivateKey(holder.key))
  const leaf = await X509CertificateGenerator.create({
    ...PERIOD,
    subject: [{ CN: ['c1'] }],
    issuer: new Name([spelt]),
    publicKey: key.export({ type: 'spki', format: 'der' }),
    signingKey,
    signingAlgorithm,
    extensions: [new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth])],
  })
  return { ...holder, certificate: `${leaf.toString('pem')}\n${String(certificate)}` }
}

/** An authority that an issuing key has made of itself under another spelling, which no `pathLenConstraint` counts. */
async function selfIssued(issuer: Authority): Promise<{ authority: Authority; chain: string }> {
  const { privateKey, publicKey } = await generateKeys('ecdsa')
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const { key: signingKey, algorithm: signingAlgorithm } = signingKeyOf(issuer.privateKey)
  const made = await X509CertificateGenerator.create({
    ...PERIOD,
    subject: [{ CN: ['Clients of node-1'] }],
    issuer: [{ CN: ['clients of node-1'] }],
    publicKey: spki,
    signingKey,
    signingAlgorithm,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      await SubjectKeyIdentifierExtension.create(spki),
      await authorityKeyIdentifier(new X509Certificate(issuer.certificate.raw)),
    ],
  })
  const pem = made.toString('pem')
  const authority = { ...issuer, privateKey, certificate: new ParsedCertificate(pem) }
  return { authority, chain: String(issuer.certificate) }
}

test('attack: with a node goes its issuing key, however a certificate spells its issuer', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.start(2)
  await untilReachable(cluster, 2, 2)
  await cluster.grant(2, 'c1')
  const holder = await certs.load('client', 'c1')
  const issuer = await stolenIssuer()
  const honest = await signedAs({ CN: ['clients of node-1'] }, issuer, holder)
  const live = await cluster.client(2, 'c1', { credentials: honest })
  await cluster.revoke(2, 'node/node-1')
  t.is((await live.ended).code, 'ERR_NOT_TRUSTED')
  for (const spelt of [
    { CN: ['clients of node-1'] },
    { CN: ['Clients of node-1'] },
    { CN: ['clients of NODE-1'] },
    { CN: ['clients  of node-1'] },
    { CN: [{ bmpString: 'clients of node-1' }] },
  ]) {
    const credentials = await signedAs(spelt, issuer, holder)
    const entering = cluster.client(2, 'c1', { credentials })
    await t.throwsAsync(entering, { code: 'ERR_NOT_TRUSTED' }, JSON.stringify(spelt))
  }
  const { authority, chain } = await selfIssued(issuer)
  const below = await signedAs({ CN: ['Clients of node-1'] }, authority, holder)
  const certificate = `${below.certificate}\n${chain}`
  const entering = cluster.client(2, 'c1', { credentials: { ...below, certificate } })
  await t.throwsAsync(entering, { code: 'ERR_NOT_TRUSTED' })
  await using genuine = await cluster.client(2, 'c1')
  t.true(genuine.methods.has('defrost'))
})
