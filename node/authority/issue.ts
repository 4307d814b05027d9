import type { KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { FridgeError } from '../lib/errors.ts'
import { spiffeUri } from '../identity/identity.ts'
import type { Name, Role } from '../identity/names.ts'
import { usagesOf } from '../identity/path-rules.ts'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  type JsonGeneralName,
} from '../identity/x509.ts'
import { pkcs8 } from '../identity/private-key.ts'
import { assertTrustDomain, type Authority, type KeyPair } from './authority.ts'
import { generateKeys, signingKeyOf, type KeyType } from './key-type.ts'
import { DAY_MS, serialNumber, validity, type RandomBytes } from './validity.ts'

export interface IssueOptions {
  readonly authority: Authority
  readonly role: Role
  readonly name: Name
  /** DNS names and addresses that a node is reached at. Default for a node: its name and this machine. */
  readonly hosts?: readonly string[]
  /** Days of validity, never past the authority's own. Default 365. */
  readonly days?: number
  /** Default: what the authority states. */
  readonly trustDomain?: string
  /** Default `ecdsa`. */
  readonly keyType?: KeyType
  /** Milliseconds since 1970. */
  readonly now: number
  readonly random: RandomBytes
}

/** Where the trust domain of an authority is not known. */
export const DEFAULT_TRUST_DOMAIN = 'fridge'

const LEAF_DAYS = 365
const LABEL = '[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?'
const DNS_NAME = new RegExp(String.raw`^(?=.{1,253}$)(?:\*\.)?${LABEL}(?:\.${LABEL})*$`)
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '::1']

/**
 * Make a key and sign a certificate for it: role and name in a URI, the name again as CN.
 * @throws FridgeError `ERR_USAGE` for options that do not fit, `ERR_CERTIFICATE` when the authority
 *   has expired
 */
export async function issueCertificate({
  keyType = 'ecdsa',
  ...options
}: IssueOptions): Promise<KeyPair> {
  const { privateKey, publicKey } = await generateKeys(keyType)
  return {
    key: pkcs8(privateKey, keyLock(options)),
    certificate: await signCertificate({ ...options, publicKey }),
  }
}

/** What the key of somebody is locked with who gets a certificate of an authority: a node has nobody to ask. */
export function keyLock({
  authority,
  role,
}: Pick<IssueOptions, 'authority' | 'role'>): string | undefined {
  return role === 'operator' ? authority.passphrase : undefined
}

/** What is signed for a key that is there already. */
export interface SignOptions extends Omit<IssueOptions, 'keyType'> {
  readonly publicKey: KeyObject
  /** False names a client by its CN alone, as an issuing key has to. Default true. */
  readonly hasUri?: boolean
}

/**
 * Sign a certificate for a key, whose holder is known to be who is named.
 * @returns the certificate, then the authority's intermediates, PEM
 * @throws FridgeError as `issueCertificate`
 */
export async function signCertificate(options: SignOptions): Promise<string> {
  const { authority, role, name, publicKey, now, random, days = LEAF_DAYS, hasUri = true } = options
  const trustDomain = options.trustDomain ?? authority.trustDomain ?? DEFAULT_TRUST_DOMAIN
  assertTrustDomain(trustDomain)
  const hosts = hostNames(role, name, options.hosts ?? [])
  const period = validity({
    now,
    durationMs: days * DAY_MS,
    within: authority.certificate.validToDate.getTime(),
  })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const signer = signingKeyOf(authority.privateKey)
  const issuer = new X509Certificate(authority.certificate.raw)
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: [name] }],
    issuer: issuer.subjectName,
    serialNumber: serialNumber(random),
    ...period,
    publicKey: spki,
    signingKey: signer.key,
    signingAlgorithm: signer.algorithm,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([...usagesOf(role)]),
      ...(hasUri
        ? [
            new SubjectAlternativeNameExtension([
              { type: 'url', value: spiffeUri(trustDomain, role, name) },
              ...hosts,
            ]),
          ]
        : []),
      await SubjectKeyIdentifierExtension.create(spki),
      await authorityKeyIdentifier(issuer),
    ],
  })
  const chain = [certificate.toString('pem'), ...authority.intermediates.map(String)]
  return chain.map(pem => `${pem.trim()}\n`).join('')
}

/** What a node's certificate answers to when nobody says: its name, and this machine. */
export function defaultHosts(name: Name): string[] {
  return [...(DNS_NAME.test(name) ? [name] : []), ...LOCAL_HOSTS.filter(host => host !== name)]
}

/** What a certificate answers to, as X.509 writes it. @throws FridgeError `ERR_USAGE` */
export function hostNames(role: Role, name: Name, given: readonly string[]): JsonGeneralName[] {
  if (role !== 'node') {
    if (given.length === 0) return []
    throw new FridgeError('ERR_USAGE', `a host stands in a node's certificate, not in ${role}'s`, {
      fix: 'leave --host out',
    })
  }
  const hosts = given.length === 0 ? defaultHosts(name) : [...new Set(given)]
  return hosts.map(host => {
    if (isIP(host) !== 0 && !host.includes('%')) return { type: 'ip', value: host }
    if (DNS_NAME.test(host) && !/^[\d.]+$/.test(host)) return { type: 'dns', value: host }
    throw new FridgeError(
      'ERR_USAGE',
      `${JSON.stringify(host)} is neither a host name nor an address`,
      {
        fix: 'use --host NAME or --host ADDRESS, without a port',
      },
    )
  })
}

/** The identifier that the issuer states of itself, which need not be the hash of its key. */
export async function authorityKeyIdentifier(
  issuer: X509Certificate,
): Promise<AuthorityKeyIdentifierExtension> {
  const stated = issuer.getExtension(SubjectKeyIdentifierExtension)
  if (stated !== null) return new AuthorityKeyIdentifierExtension(stated.keyId)
  return AuthorityKeyIdentifierExtension.create(issuer.publicKey)
}
