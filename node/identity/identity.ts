import { createHash, hash, X509Certificate, type KeyObject } from 'node:crypto'
import { errorMessage, FridgeError } from '../lib/errors.ts'
import { keepNewest } from '../lib/keep-newest.ts'
import {
  BASIC_CONSTRAINTS,
  COMMON_NAME,
  fieldsOf,
  SUBJECT_ALTERNATIVE_NAME,
  valuesIn,
  type CertificateFields,
} from './certificate-fields.ts'
import { readBoolean, readElements, readOnly, readTime, TAG } from './der.ts'
import {
  isName,
  isRole,
  subjectOf,
  type KeyId,
  type Name,
  type Role,
  type Subject,
} from './names.ts'
/** Who a certificate says its holder is. Says nothing about who signed it or whether it is still valid. */
export interface Identity {
  readonly role: Role
  readonly name: Name
  readonly subject: Subject
  readonly keyId: KeyId
  /** SHA-256 of the certificate's DER, 64 lower-case hex digits. For logs; a key is known by `keyId`. */
  readonly fingerprint: string
  /** First moment of validity, milliseconds since 1970. */
  readonly notBefore: number
  /** Last moment of validity, milliseconds since 1970. */
  readonly notAfter: number
  /** The authority part of the SPIFFE URI; undefined for a client that is named by its CN alone. */
  readonly trustDomain: string | undefined
  /** Of a client: the node whose issuing key has signed it. Absent where an authority itself has. */
  readonly issuedBy?: Name
}

/** How many certificates are remembered: a few hundred bytes each. */
const MAX_REMEMBERED = 4096

/** The least RSA modulus, in bits (NIST SP 800-131A). */
const MIN_RSA_BITS = 2048

const CURVES: ReadonlyMap<string, string> = new Map([
  ['prime256v1', 'P-256'],
  ['secp384r1', 'P-384'],
  ['secp521r1', 'P-521'],
])

// SPIFFE-ID, section 2: a trust domain is lower case, and a path is never percent-encoded.
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/
const SPIFFE = /^spiffe:\/\/([^/]*)\/([^/]*)\/([^/]*)$/

/** The tag of a URI among subject alternative names (RFC 5280, section 4.2.1.6). */
const URI_NAME = 0x86

/** The tags of all alternative names, as DER has them. */
const NAME_TAGS: ReadonlySet<number> = new Set([
  0xa0,
  0x81,
  0x82,
  0xa3,
  0xa4,
  0xa5,
  URI_NAME,
  0x87,
  0x88,
])

/** What stands before the name of a node in the CN of its issuing key. */
export const ISSUER = 'clients of '

// Pure of the certificate's bytes, so one memory for the process is safe.
const remembered = new Map<string, Identity>()

/** Whether `text` can be the authority part of `spiffe://<trust-domain>/<role>/<name>`. */
export function isTrustDomain(text: string): boolean {
  return TRUST_DOMAIN.test(text)
}

/** The URI that names an identity in its certificate. */
export function spiffeUri(trustDomain: string, role: Role, name: Name): string {
  return `spiffe://${trustDomain}/${role}/${name}`
}

/**
 * Read role, name and key of a certificate that is already known to be signed by our authority.
 *
 * The role stands in the one URI `spiffe://<trust-domain>/<role>/<name>` among the subject
 * alternative names, and CN repeats the name. A certificate without such a URI is a client,
 * named by its CN. Reads the encoded extension, never the text that `node:tls` makes of it,
 * in which a comma inside one name looks like the start of the next (CVE-2021-44532).
 *
 * @param der one certificate in DER, nothing behind it
 * @throws FridgeError `ERR_CERTIFICATE` when it names nobody, names more than one, or has a weak key
 */
export function identityOf(der: Uint8Array): Identity {
  const fingerprint = hash('sha256', der)
  const known = remembered.get(fingerprint)
  const identity = known ?? Object.freeze(readIdentity(der, fingerprint))
  keepNewest(remembered, fingerprint, identity, MAX_REMEMBERED)
  return identity
}

/** SHA-256 of a public key's SubjectPublicKeyInfo. */
export function keyIdOf(key: KeyObject): KeyId {
  const spki = key.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(spki).digest('hex') as KeyId
}

/** A key as a person names it: `ECDSA P-256`, `RSA 2048`, `Ed25519`, or the bare type. */
export function describeKey(key: KeyObject): string {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'ec':
      return `ECDSA ${CURVES.get(namedCurve ?? '') ?? namedCurve ?? 'of an unnamed curve'}`
    case 'rsa':
      return `RSA ${String(modulusLength)}`
    case 'ed25519':
      return 'Ed25519'
    default:
      return key.asymmetricKeyType ?? 'unknown'
  }
}

/**
 * Refuse every key but ECDSA on P-256, P-384 and P-521, RSA of at least 2048 bits, and Ed25519.
 * @throws FridgeError `ERR_CERTIFICATE`
 */
export function assertKeyAllowed(key: KeyObject): void {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'ec':
      if (CURVES.has(namedCurve ?? '')) return
      break
    case 'rsa':
      if ((modulusLength ?? 0) >= MIN_RSA_BITS) return
      break
    case 'ed25519':
      return
    default:
      break
  }
  throw refusal(`its key is ${describeKey(key)}`, {
    fix: `issue it anew with ECDSA P-256, RSA of ${MIN_RSA_BITS} bits or more, or Ed25519`,
  })
}

function readIdentity(der: Uint8Array, fingerprint: string): Identity {
  const { key, fields, uris, isAuthority, notBefore, notAfter } = parse(der)
  assertKeyAllowed(key)
  // Its holder could sign itself any role (X509-SVID, section 4.1).
  if (isAuthority) {
    throw refusal('it is the certificate of an authority, not of a node, operator or client', {
      fix: 'issue it anew with basicConstraints CA:FALSE',
    })
  }
  const commonName = onlyCommonName(fields)
  const uri = spiffeUriOf(uris)
  const claimed = uri === undefined ? clientNamed(commonName) : claimOf(uri, commonName)
  const issuedBy = uri === undefined ? issuingNodeOf(fields) : undefined
  return {
    ...claimed,
    ...(issuedBy !== undefined && { issuedBy }),
    subject: subjectOf(claimed.role, claimed.name),
    keyId: keyIdOf(key),
    fingerprint,
    notBefore,
    notAfter,
  }
}

/** What of a certificate says who its holder is. */
interface Parsed {
  readonly key: KeyObject
  readonly fields: CertificateFields
  /** Those among its subject alternative names. */
  readonly uris: readonly string[]
  readonly isAuthority: boolean
  readonly notBefore: number
  readonly notAfter: number
}

/** By our own reader: `@peculiar/x509` takes a millisecond for one, and a command some 70 to load it. */
function parse(der: Uint8Array): Parsed {
  try {
    const certificate = new X509Certificate(der)
    // OpenSSL admitted the connection. What it calls the certificate must be what is read here.
    if (!certificate.raw.equals(der))
      throw new Error('there are other bytes around the certificate')
    // It throws where one extension stands there twice (RFC 5280, section 4.2).
    const fields = fieldsOf(certificate)
    const constraints = fields.extensions.get(BASIC_CONSTRAINTS)
    return {
      // It is decoded at the first use: now, where a failure is expected.
      key: certificate.publicKey,
      fields,
      uris: urisIn(certificate, fields),
      notBefore: readTime(fields.validity[0]),
      notAfter: readTime(fields.validity[1]),
      isAuthority:
        certificate.ca || (constraints !== undefined && saysAuthority(constraints.value)),
    }
  } catch (cause) {
    throw refusal(`it cannot be read: ${errorMessage(cause)}`, { cause })
  }
}

/** @throws RangeError where OpenSSL may see other alternative names than are read here */
function urisIn(
  { subjectAltName }: X509Certificate,
  { extensions }: CertificateFields,
): readonly string[] {
  const extension = extensions.get(SUBJECT_ALTERNATIVE_NAME)
  if (extension === undefined) return []
  const names = readElements(readOnly(extension.value, TAG.sequence))
  // It takes a URI that stands there in pieces, as BER may have it: that would be no role here.
  const isKnown = names.every(({ tag }) => NAME_TAGS.has(tag))
  // And it sees no name at all where it cannot read one of them.
  if (!isKnown || subjectAltName === undefined) throw new RangeError('one of its names is none')
  return names
    .filter(({ tag }) => tag === URI_NAME)
    .map(({ content }) => Buffer.from(content).toString('latin1'))
}

/** @throws RangeError when basic constraints are none */
function saysAuthority(constraints: Uint8Array): boolean {
  const [ca, pathLength, ...others] = readElements(readOnly(constraints, TAG.sequence))
  if (ca === undefined) return false
  const isKnown = pathLength === undefined || pathLength.tag === TAG.integer
  if (!isKnown || others.length > 0) throw new RangeError('its basic constraints are none')
  return readBoolean(ca)
}

function onlyCommonName({ subject }: CertificateFields): string {
  const commonNames = valuesIn(subject, COMMON_NAME)
  const [commonName] = commonNames
  if (commonName === undefined) throw refusal('it has no CN')
  if (commonNames.length > 1)
    throw refusal(`it has ${commonNames.length} CNs: ${list(commonNames)}`)
  return commonName
}

/** The one of these URIs that claims a SPIFFE identity, if any does. */
function spiffeUriOf(uris: readonly string[]): string | undefined {
  // Wherever it stands and however it is spelt: a damaged role must not become a client.
  if (!uris.some(uri => /spiffe:/i.test(uri))) return undefined
  const [uri] = uris
  // X509-SVID, section 2: more than one URI of any kind is refused.
  if (uris.length > 1)
    throw refusal(`it has ${uris.length} URIs, and one is allowed: ${list(uris)}`)
  return uri
}

type Claim = Pick<Identity, 'role' | 'name' | 'trustDomain'>

function claimOf(uri: string, commonName: string): Claim {
  const [, trustDomain, role, name] = SPIFFE.exec(uri) ?? []
  const quoted = JSON.stringify(uri)
  if (trustDomain === undefined) {
    throw refusal(`its URI ${quoted} is not spiffe://<trust-domain>/<role>/<name>`)
  }
  if (!isTrustDomain(trustDomain)) throw refusal(`the trust domain in its URI ${quoted} is not one`)
  if (!isRole(role)) {
    throw refusal(`the role in its URI ${quoted} is unknown`, {
      fix: 'the roles are node, operator and client, in lower case',
    })
  }
  if (!isName(name)) throw refusal(`the name in its URI ${quoted} is not a name`)
  if (commonName !== name) {
    throw refusal(`its CN ${JSON.stringify(commonName)} differs from the name in its URI ${quoted}`)
  }
  return { role, name, trustDomain }
}

/** The one CN of an issuing key: what it signs names its node by that. */
export function issuerName(node: Name): string {
  return `${ISSUER}${node}`
}

function issuingNodeOf({ issuer }: CertificateFields): Name | undefined {
  const [commonName = '', ...more] = valuesIn(issuer, COMMON_NAME)
  const node = commonName.startsWith(ISSUER) ? commonName.slice(ISSUER.length) : ''
  return more.length === 0 && isName(node) ? node : undefined
}

function clientNamed(commonName: string): Claim {
  if (!isName(commonName)) {
    throw refusal(`its CN ${JSON.stringify(commonName)} is not a name`, {
      fix: 'issue it anew with a CN of 1 to 64 letters, digits, dots, underscores and hyphens',
    })
  }
  return { role: 'client', name: commonName, trustDomain: undefined }
}

function list(texts: readonly string[]): string {
  return texts.map(text => JSON.stringify(text)).join(', ')
}

function refusal(why: string, details: { cause?: unknown; fix?: string } = {}): FridgeError {
  return new FridgeError('ERR_CERTIFICATE', `this certificate is not accepted: ${why}`, details)
}
