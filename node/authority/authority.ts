import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto'
import { isSelfSigned, oneLine, parseCertificates } from '../identity/certificate-chain.ts'
import { FridgeError } from '../lib/errors.ts'
import { assertKeyAllowed, isTrustDomain } from '../identity/identity.ts'
import { pkcs8 } from '../identity/private-key.ts'
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  X509Certificate as Certificate,
} from '../identity/x509.ts'
import { generateKeys, signingKeyOf, type KeyType } from './key-type.ts'
import { DAY_MS, serialNumber, validity, type RandomBytes } from './validity.ts'

/** A private key and its certificate chain as they stand in files: PKCS#8 and X.509, PEM. */
export interface KeyPair {
  /** Never log it. */
  readonly key: string
  readonly certificate: string
}

/** What signs certificates. */
export interface Authority {
  readonly privateKey: KeyObject
  readonly certificate: X509Certificate
  /** Sent along with each certificate it signs: itself and those above it, but for the root. */
  readonly intermediates: readonly X509Certificate[]
  /** From its URI `spiffe://<trust-domain>`; undefined where it was made without one. */
  readonly trustDomain: string | undefined
  /**
   * What its key is locked with on disk; those of operators that it issues for, and of the authority
   * that follows it, are too. Undefined where it lies in clear. Never log it.
   */
  readonly passphrase?: string | undefined
}

export interface AuthorityOptions {
  /** Stands in every URI that it will sign: lower-case letters, digits, dots, hyphens, underscores. */
  readonly trustDomain: string
  /** Milliseconds since 1970. */
  readonly now: number
  readonly random: RandomBytes
  /** Days of validity. Default 3650; when they are over, every certificate must be made anew. */
  readonly days?: number
  /** Default `ecdsa`. */
  readonly keyType?: KeyType
  /** Locks its key on disk. Default: it lies in clear. */
  readonly passphrase?: string | undefined
  /** Its CN. Default `<trust domain> CA`; two that are trusted at once are better told apart. */
  readonly commonName?: string
}

const AUTHORITY_DAYS = 3650

/**
 * Make a root authority. Below it there may be one more, as an issuing key is, that signs leaves only.
 * @throws FridgeError `ERR_USAGE` when the trust domain or the days are out of range
 */
export async function createAuthority(options: AuthorityOptions): Promise<KeyPair> {
  const { trustDomain, now, random, days = AUTHORITY_DAYS, keyType = 'ecdsa' } = options
  const { commonName = `${trustDomain} CA` } = options
  assertTrustDomain(trustDomain)
  const period = validity({ now, durationMs: days * DAY_MS })
  const { privateKey, publicKey } = await generateKeys(keyType)
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const signer = signingKeyOf(privateKey)
  const name = [{ CN: [commonName] }]
  const certificate = await X509CertificateGenerator.create({
    subject: name,
    issuer: name,
    serialNumber: serialNumber(random),
    ...period,
    publicKey: spki,
    signingKey: signer.key,
    signingAlgorithm: signer.algorithm,
    extensions: [
      new BasicConstraintsExtension(true, 1, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(spki),
      // X509-SVID, section 2: the URI of a signing certificate has no path.
      new SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
    ],
  })
  return {
    key: pkcs8(privateKey, options.passphrase),
    certificate: `${certificate.toString('pem')}\n`,
  }
}

/**
 * Read an authority from its files. It may be one that openssl made.
 * @param bundle the authorities' certificates in PEM; the one that fits the key signs
 * @throws FridgeError `ERR_KEY_FILE` or `ERR_CERTIFICATE`
 */
export function openAuthority(pair: KeyPair, file: string, passphrase?: string): Authority {
  let privateKey: KeyObject
  try {
    privateKey = createPrivateKey({
      key: pair.key,
      ...(passphrase !== undefined && { passphrase }),
    })
  } catch {
    // No cause: nothing that was near the key reaches a log.
    throw new FridgeError(
      'ERR_KEY_FILE',
      passphrase === undefined
        ? `the private key of the authority in ${file} is not usable`
        : `the passphrase does not open the private key of the authority in ${file}`,
      {
        fix:
          passphrase === undefined
            ? 'restore it from a copy'
            : 'type the passphrase again, or look into FRIDGE_PASSPHRASE_FILE',
      },
    )
  }
  assertKeyAllowed(privateKey)
  const bundle = parseCertificates(pair.certificate, file)
  const certificate = bundle.find(candidate => candidate.checkPrivateKey(privateKey))
  if (certificate === undefined) {
    throw new FridgeError('ERR_CERTIFICATE', `no certificate in ${file} fits the authority's key`, {
      fix: 'restore both files from one copy',
    })
  }
  if (!certificate.ca) {
    throw new FridgeError(
      'ERR_CERTIFICATE',
      `${file}: "${oneLine(certificate.subject)}" may not sign certificates (CA:TRUE is missing)`,
      { fix: 'make an authority: fridge certs init' },
    )
  }
  return {
    privateKey,
    certificate,
    intermediates: isSelfSigned(certificate)
      ? []
      : [certificate, ...bundle.filter(other => other !== certificate && !isSelfSigned(other))],
    trustDomain: trustDomainOf(certificate),
    passphrase,
  }
}

/** The trust domain that an authority's certificate states, if it does. */
export function trustDomainOf(certificate: X509Certificate): string | undefined {
  const names = new Certificate(certificate.raw).getExtension(SubjectAlternativeNameExtension)
  for (const { type, value } of names?.names.items ?? []) {
    if (type !== 'url' || !value.startsWith('spiffe://')) continue
    const trustDomain = value.slice('spiffe://'.length)
    if (isTrustDomain(trustDomain)) return trustDomain
  }
  return undefined
}

/** @throws FridgeError `ERR_USAGE` */
export function assertTrustDomain(text: string): void {
  if (isTrustDomain(text)) return
  throw new FridgeError('ERR_USAGE', `${JSON.stringify(text)} is not a trust domain`, {
    fix: 'use lower-case letters, digits, dots, hyphens and underscores, for example shop.example',
  })
}
