import { issuerName } from '../identity/identity.ts'
import type { Name } from '../identity/names.ts'
import { FridgeError } from '../lib/errors.ts'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '../identity/x509.ts'
import { pkcs8 } from '../identity/private-key.ts'
import type { Authority, KeyPair } from './authority.ts'
import { authorityKeyIdentifier } from './issue.ts'
import { generateKeys, signingKeyOf } from './key-type.ts'
import { DAY_MS, serialNumber, validity, type RandomBytes } from './validity.ts'

export interface IssuerOptions {
  readonly authority: Authority
  /** The node that is to hold it: it stands in the name of the issuer. */
  readonly node: Name
  /** Days of validity, never past the authority's own. Default 30: so long a thief of it can be any client. */
  readonly days?: number | undefined
  /** Milliseconds since 1970. */
  readonly now: number
  readonly random: RandomBytes
}

const ISSUER_DAYS = 30

const NAME_CONSTRAINTS = '2.5.29.30'

/** No host: reserved for names that never resolve (RFC 6761, section 6.4). */
const NOWHERE = 'none.invalid'

/**
 * Make an issuing key: an authority below another one that can name clients, and nobody else. It may
 * vouch for no URI, in which alone a role can stand, and for nobody who serves.
 * @throws FridgeError `ERR_CERTIFICATE` when the authority allows none below it, or has expired
 */
export async function createIssuer(options: IssuerOptions): Promise<KeyPair> {
  const { authority, node, now, random, days = ISSUER_DAYS } = options
  const issuer = new X509Certificate(authority.certificate.raw)
  if (issuer.getExtension(BasicConstraintsExtension)?.pathLength === 0) {
    throw new FridgeError(
      'ERR_CERTIFICATE',
      'the authority was made so that none can stand below it: it can give no issuing key',
      { fix: 'replace it while everything runs: fridge certs rotate-ca begin' },
    )
  }
  const { privateKey, publicKey } = await generateKeys('ecdsa')
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const signer = signingKeyOf(authority.privateKey)
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: [issuerName(node)] }],
    issuer: issuer.subjectName,
    serialNumber: serialNumber(random),
    ...validity({
      now,
      durationMs: days * DAY_MS,
      within: authority.certificate.validToDate.getTime(),
    }),
    publicKey: spki,
    signingKey: signer.key,
    signingAlgorithm: signer.algorithm,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth]),
      new Extension(NAME_CONSTRAINTS, true, new Uint8Array(noUri())),
      await SubjectKeyIdentifierExtension.create(spki),
      await authorityKeyIdentifier(issuer),
    ],
  })
  const chain = [certificate.toString('pem'), ...authority.intermediates.map(String)]
  return { key: pkcs8(privateKey), certificate: chain.map(pem => `${pem.trim()}\n`).join('') }
}

/**
 * NameConstraints that permit URIs of one host alone and exclude those as well, so that no URI is
 * left (RFC 5280, section 4.2.1.10): there is no form that excludes all of them at once.
 */
function noUri(): Buffer {
  const tagged = (tag: number, content: Buffer): Buffer =>
    Buffer.concat([Buffer.from([tag, content.length]), content])
  const subtree = tagged(0x30, tagged(0x86, Buffer.from(NOWHERE, 'ascii')))
  return tagged(0x30, Buffer.concat([tagged(0xa0, subtree), tagged(0xa1, subtree)]))
}
