import type { X509Certificate } from 'node:crypto'
import { errorMessage } from '../lib/errors.ts'
import { oneLine } from './certificate-chain.ts'
import {
  BASIC_CONSTRAINTS,
  fieldsOf,
  type AlgorithmField,
  type CertificateFields,
} from './certificate-fields.ts'
import { contentOf, readBoolean, readElements, readOid, readOnly, TAG } from './der.ts'
import { assertKeyAllowed, ISSUER } from './identity.ts'
import { namesIn, objectionToNames, readConstraints } from './name-constraints.ts'
import type { Role } from './names.ts'

/** What a certificate can be for, as object identifiers (RFC 5280, section 4.2.1.12). */
export const USAGE = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' } as const

export type ExtendedUsage = (typeof USAGE)[keyof typeof USAGE]

/** What holders of a role do with their certificates: nodes dial each other, so they are clients too. */
export function usagesOf(role: Role): readonly ExtendedUsage[] {
  return role === 'node' ? [USAGE.serverAuth, USAGE.clientAuth] : [USAGE.clientAuth]
}

const KEY_USAGE = '2.5.29.15'
const EXTENDED_KEY_USAGE = '2.5.29.37'
const NAME_CONSTRAINTS = '2.5.29.30'
const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17'
const SUBJECT_KEY = '2.5.29.14'
const AUTHORITY_KEY = '2.5.29.35'
const NETSCAPE_TYPE = '2.16.840.1.113730.1.1'
const PROXY = '1.3.6.1.5.5.7.1.14'

/** Those that are applied here; any other one that is critical is refused (RFC 5280, section 4.2). */
const APPLIED: ReadonlySet<string> = new Set([
  BASIC_CONSTRAINTS,
  KEY_USAGE,
  EXTENDED_KEY_USAGE,
  NAME_CONSTRAINTS,
  SUBJECT_ALTERNATIVE_NAME,
])

/** Bits of the first byte of a key usage (RFC 5280, section 4.2.1.3). */
const DIGITAL_SIGNATURE = 0x80
const KEY_CERT_SIGN = 0x04

/** Bits of the Netscape certificate type, from before there was the extended key usage. */
const NETSCAPE_BITS: ReadonlyMap<string, number> = new Map([
  [USAGE.clientAuth, 0x80],
  [USAGE.serverAuth, 0x40],
])

/** RSA and ECDSA with SHA-256, SHA-384 and SHA-512, and Ed25519. */
const SIGNATURES: ReadonlySet<string> = new Set([
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.3.101.112',
])
const RSA_PSS = '1.2.840.113549.1.1.10'
const PSS_DIGESTS: ReadonlySet<string> = new Set([
  '2.16.840.1.101.3.4.2.1',
  '2.16.840.1.101.3.4.2.2',
  '2.16.840.1.101.3.4.2.3',
])
const EC_KEY = '1.2.840.10045.2.1'
const COMMON_NAME = '2.5.4.3'

/**
 * Why a chain is refused whose signatures hold: the rules of RFC 5280, section 6, for the uses
 * that OpenSSL asks of a TLS peer, and never less than OpenSSL refuses. Time is not looked at.
 *
 * @param chain a certificate, its issuers, and last an authority that is trusted
 * @param usages what the first one is used for
 */
export function objectionToChain(
  chain: readonly X509Certificate[],
  usages: readonly ExtendedUsage[],
): string | undefined {
  // How many stand below that are not issued by themselves (RFC 5280, section 4.2.1.9).
  let below = 0
  for (const [index, certificate] of chain.entries()) {
    const objection = tryReading(certificate, () => {
      const fields = fieldsOf(certificate)
      const isAnchor = index === chain.length - 1
      const isLeaf = index === 0
      return (
        objectionToForm(fields, isAnchor) ??
        objectionToKey(certificate, fields) ??
        objectionToUsages(fields, usages) ??
        objectionToIssuingKey(fields, chain[index + 1], isLeaf) ??
        (isLeaf ? objectionToLeaf(fields, usages) : objectionToIssuer(fields, below)) ??
        objectionToNamesBelow(fields, chain.slice(0, index))
      )
    })
    if (objection !== undefined) return objection
    if (index > 0 && !fieldsOf(certificate).isSelfIssued) below += 1
  }
  return undefined
}

function tryReading(
  certificate: X509Certificate,
  judge: () => string | undefined,
): string | undefined {
  const name = oneLine(certificate.subject)
  try {
    const objection = judge()
    return objection === undefined ? undefined : `the certificate of "${name}" ${objection}`
  } catch (error) {
    return `the certificate of "${name}" cannot be read: ${errorMessage(error)}`
  }
}

function objectionToForm(
  { version, extensions, signature, isSelfIssued }: CertificateFields,
  isAnchor: boolean,
): string | undefined {
  if (version < 1 || version > 3) return 'is of an unknown version'
  if (version < 3 && extensions.size > 0) return `has extensions in version ${version}`
  for (const [oid, { critical }] of extensions) {
    if (critical && !APPLIED.has(oid)) return `has a critical extension ${oid} that is not applied`
  }
  // Whoever holds an ordinary certificate could sign others in its name (RFC 3820).
  if (extensions.has(PROXY)) return 'is that of a proxy'
  // OpenSSL takes it for the end of its chain, whoever has signed it.
  if (!isAnchor && isSelfIssued && !namesAnotherKey(extensions)) return 'names itself as its issuer'
  // Nobody relies on the signature of an authority under its own certificate.
  if (!isAnchor && !isStrong(signature)) return `has a weak signature (${signature.oid})`
  return undefined
}

/** Whether the key identifier of the issuer is there, and is not the own one. */
function namesAnotherKey(extensions: CertificateFields['extensions']): boolean {
  const [own, issuers] = [SUBJECT_KEY, AUTHORITY_KEY].map(oid => extensions.get(oid)?.value)
  if (own === undefined || issuers === undefined) return false
  const [key] = readElements(readOnly(issuers, TAG.sequence))
  return key?.tag === 0x80 && !Buffer.from(readOnly(own, TAG.octetString)).equals(key.content)
}

function isStrong({ oid, parameters }: AlgorithmField): boolean {
  if (oid !== RSA_PSS) return SIGNATURES.has(oid)
  if (parameters === undefined) return false
  const [digest] = readElements(contentOf(parameters, TAG.sequence))
  // Left out, it would be SHA-1 (RFC 4055, section 3.1).
  if (digest?.tag !== 0xa0) return false
  const [algorithm] = readElements(readOnly(digest.content, TAG.sequence))
  return PSS_DIGESTS.has(readOid(contentOf(algorithm, TAG.oid)))
}

function objectionToKey(
  { publicKey }: X509Certificate,
  { keyAlgorithm: { oid, parameters } }: CertificateFields,
): string | undefined {
  assertKeyAllowed(publicKey)
  // A curve that is spelt out may be none of those that it looks like (CVE-2020-0601).
  if (oid === EC_KEY && parameters?.tag !== TAG.oid) return 'has a key on a curve without a name'
  return undefined
}

/** An extended key usage restricts its holder, and all whom it vouches for, as in OpenSSL. */
function objectionToUsages(
  { extensions }: CertificateFields,
  usages: readonly ExtendedUsage[],
): string | undefined {
  const extension = extensions.get(EXTENDED_KEY_USAGE)
  if (extension === undefined) return undefined
  const stated = readElements(readOnly(extension.value, TAG.sequence)).map(usage =>
    readOid(contentOf(usage, TAG.oid)),
  )
  const missing = usages.find(usage => !stated.includes(usage))
  return missing === undefined
    ? undefined
    : `is not for ${missing === USAGE.serverAuth ? 'serverAuth' : 'clientAuth'}`
}

/**
 * Names are the same to OpenSSL whatever their case, spaces and encoding, and what is issued under
 * its own name counts for no `pathLenConstraint`. With either a thief of an issuing key could have a
 * certificate that does not say with which node it has to go.
 */
function objectionToIssuingKey(
  { issuer }: CertificateFields,
  above: X509Certificate | undefined,
  isLeaf: boolean,
): string | undefined {
  const fields = above && fieldsOf(above)
  if (fields?.subjectName.some(isIssuingName) !== true) return undefined
  if (!isLeaf) return 'is that of an authority below an issuing key'
  return Buffer.from(issuer).equals(fields.subject)
    ? undefined
    : 'spells the name of its issuing key in another way'
}

function isIssuingName(relative: string): boolean {
  return relative.startsWith(`${COMMON_NAME}=${ISSUER}`)
}

function objectionToLeaf(
  { extensions }: CertificateFields,
  usages: readonly ExtendedUsage[],
): string | undefined {
  const keyUsage = bitsOf(extensions.get(KEY_USAGE)?.value)
  if (keyUsage !== undefined && (keyUsage & DIGITAL_SIGNATURE) === 0) {
    return 'is not for signatures (keyUsage)'
  }
  const type = bitsOf(extensions.get(NETSCAPE_TYPE)?.value)
  if (type !== undefined && usages.some(usage => (type & (NETSCAPE_BITS.get(usage) ?? 0)) === 0)) {
    return 'is of another Netscape type'
  }
  return undefined
}

function objectionToIssuer(
  { version, extensions }: CertificateFields,
  below: number,
): string | undefined {
  const constraints = extensions.get(BASIC_CONSTRAINTS)
  if (version < 3 || constraints === undefined) return 'is not that of an authority'
  const [flag, length, ...more] = readElements(readOnly(constraints.value, TAG.sequence))
  if (more.length > 0) throw new RangeError('its basicConstraints hold too much')
  if (flag === undefined || !readBoolean(flag)) {
    return 'is not that of an authority'
  }
  const keyUsage = bitsOf(extensions.get(KEY_USAGE)?.value)
  if (keyUsage !== undefined && (keyUsage & KEY_CERT_SIGN) === 0) {
    return 'is not for signing certificates (keyUsage)'
  }
  if (length === undefined) return undefined
  const [most = 0, ...rest] = contentOf(length, TAG.integer)
  if (most >= 0x80) throw new RangeError('its pathLenConstraint is negative')
  // Of more than a byte it allows more than there ever are.
  if (rest.length === 0 && below > most) {
    return `allows ${most} authorities below it, and there are ${below} (pathLenConstraint)`
  }
  return undefined
}

function objectionToNamesBelow(
  { extensions }: CertificateFields,
  below: readonly X509Certificate[],
): string | undefined {
  const extension = extensions.get(NAME_CONSTRAINTS)
  if (extension === undefined || below.length === 0) return undefined
  const constraints = readConstraints(extension.value)
  for (const [index, certificate] of below.entries()) {
    const fields = fieldsOf(certificate)
    if (index > 0 && fields.isSelfIssued) continue
    const objection = objectionToNames(namesIn(fields, index === 0), constraints)
    if (objection !== undefined) return `${objection} (nameConstraints)`
  }
  return undefined
}

/** The first byte of a BIT STRING; undefined where there is none. */
function bitsOf(value: Uint8Array | undefined): number | undefined {
  return value === undefined ? undefined : (readOnly(value, TAG.bitString)[1] ?? 0)
}
