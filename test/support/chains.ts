import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'

/** Certificates that say anything at all, written byte by byte: what no issuing library would make. */

/** An element of DER. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content])
  const bytes = Buffer.from(length.toString(16).padStart(length > 0xff ? 4 : 2, '0'), 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 + bytes.length]), bytes, content])
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts)
export const integer = (value: number): Buffer => der(0x02, Buffer.from([value]))
export const TRUE = der(0x01, Buffer.from([0xff]))

export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const bytes = [first * 40 + second, ...rest].flatMap(arc => {
    const groups = [arc & 0x7f]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      groups.unshift((left & 0x7f) | 0x80)
    }
    return groups
  })
  return der(0x06, Buffer.from(bytes))
}

/** A distinguished name of attributes `[oid, text]`, each in a relative name of its own. */
export function name(...attributes: readonly (readonly [string, string, tag?: number])[]): Buffer {
  return sequence(
    ...attributes.map(([type, text, tag = 0x0c]) =>
      der(0x31, sequence(oid(type), der(tag, Buffer.from(text)))),
    ),
  )
}

export const CN = '2.5.4.3'
export const ORGANIZATION = '2.5.4.10'
export const EMAIL_ADDRESS = '1.2.840.113549.1.9.1'

/** GeneralNames, by their forms. */
export const general = {
  other: (type: string, text: string): Buffer =>
    der(0xa0, oid(type), der(0xa0, der(0x0c, Buffer.from(text)))),
  email: (text: string): Buffer => der(0x81, Buffer.from(text)),
  dns: (text: string): Buffer => der(0x82, Buffer.from(text)),
  directory: (of: Buffer): Buffer => der(0xa4, of),
  uri: (text: string): Buffer => der(0x86, Buffer.from(text)),
  ip: (...bytes: readonly number[]): Buffer => der(0x87, Buffer.from(bytes)),
  registered: (type: string): Buffer => der(0x88, oid(type).subarray(2)),
}

export function extension(type: string, value: Uint8Array, critical = false): Buffer {
  return sequence(oid(type), ...(critical ? [TRUE] : []), der(0x04, value))
}

/** Extensions of certificates (RFC 5280, section 4.2). */
export const basicConstraints = (isAuthority: boolean, pathLength?: number): Buffer =>
  extension(
    '2.5.29.19',
    sequence(
      ...(isAuthority ? [TRUE] : []),
      ...(pathLength === undefined ? [] : [integer(pathLength)]),
    ),
    true,
  )
export const keyUsage = (bits: number): Buffer =>
  extension('2.5.29.15', der(0x03, Buffer.from([0, bits])), true)
export const extendedKeyUsage = (...usages: readonly string[]): Buffer =>
  extension('2.5.29.37', sequence(...usages.map(oid)))
export const alternativeNames = (...names: readonly Buffer[]): Buffer =>
  extension('2.5.29.17', sequence(...names))

export interface Constraints {
  readonly permitted?: readonly Buffer[]
  readonly excluded?: readonly Buffer[]
  readonly critical?: boolean
}

export function nameConstraints({
  permitted = [],
  excluded = [],
  critical = true,
}: Constraints): Buffer {
  const list = (tag: number, bases: readonly Buffer[]): Buffer[] =>
    bases.length === 0 ? [] : [der(tag, ...bases.map(base => sequence(base)))]
  return extension(
    '2.5.29.30',
    sequence(...list(0xa0, permitted), ...list(0xa1, excluded)),
    critical,
  )
}

export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
export const CODE_SIGNING = '1.3.6.1.5.5.7.3.3'
export const ANY_USAGE = '2.5.29.37.0'

export const DIGITAL_SIGNATURE = 0x80
export const KEY_ENCIPHERMENT = 0x20
export const KEY_CERT_SIGN = 0x04
export const CRL_SIGN = 0x02

/** How a certificate is signed: the algorithm's identifier, and what makes the signature. */
export interface Scheme {
  readonly algorithm: Buffer
  readonly sign: (bytes: Buffer, key: KeyObject) => Buffer
}

const NULL = der(0x05)

export const SCHEMES = {
  ecdsaSha256: scheme('1.2.840.10045.4.3.2', 'sha256'),
  ecdsaSha384: scheme('1.2.840.10045.4.3.3', 'sha384'),
  ecdsaSha1: scheme('1.2.840.10045.4.1', 'sha1'),
  rsaSha256: scheme('1.2.840.113549.1.1.11', 'sha256', NULL),
  rsaSha1: scheme('1.2.840.113549.1.1.5', 'sha1', NULL),
  rsaMd5: scheme('1.2.840.113549.1.1.4', 'md5', NULL),
  ed25519: scheme('1.3.101.112', null),
} as const

function scheme(type: string, digest: string | null, ...parameters: readonly Buffer[]): Scheme {
  return {
    algorithm: sequence(oid(type), ...parameters),
    sign: (bytes, key) => sign(digest, bytes, key),
  }
}

export interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

export const ecKeys = (namedCurve = 'P-256'): KeyPair => generateKeyPairSync('ec', { namedCurve })
export const rsaKeys = (modulusLength: number): KeyPair =>
  generateKeyPairSync('rsa', { modulusLength })
export const ed25519Keys = (): KeyPair => generateKeyPairSync('ed25519')

export interface Made extends KeyPair {
  readonly subject: Buffer
  /** DER. */
  readonly certificate: Buffer
}

export interface Making {
  /** A common name, or a whole Name. */
  readonly subject: string | Buffer
  /** Left out, it signs itself. */
  readonly issuer?: Pick<Made, 'subject' | 'privateKey'> | undefined
  readonly extensions?: readonly Buffer[]
  readonly keys?: KeyPair
  readonly scheme?: Scheme
  /** Default 3. */
  readonly version?: number
  /** Milliseconds since 1970. Default an hour ago. */
  readonly from?: number
  /** Milliseconds since 1970. Default in a day. */
  readonly to?: number
}

export function makeCertificate({
  subject: subjectName,
  issuer,
  extensions = [],
  keys = ecKeys(),
  scheme: { algorithm, sign: signWith } = SCHEMES.ecdsaSha256,
  version = 3,
  from = Date.now() - 3_600_000,
  to = Date.now() + 86_400_000,
}: Making): Made {
  const subject = typeof subjectName === 'string' ? name([CN, subjectName]) : subjectName
  const signed = sequence(
    ...(version === 1 ? [] : [der(0xa0, integer(version - 1))]),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    issuer?.subject ?? subject,
    sequence(time(from), time(to)),
    subject,
    keys.publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [der(0xa3, sequence(...extensions))]),
  )
  const signature = signWith(signed, issuer?.privateKey ?? keys.privateKey)
  const certificate = sequence(signed, algorithm, der(0x03, Buffer.from([0]), signature))
  return { ...keys, subject, certificate }
}

/** An authority with all that one should have, and what else is asked for. */
export function makeAuthority(
  subject: Making['subject'],
  { extensions, ...rest }: Omit<Making, 'subject'> = {},
): Made {
  const usual = [basicConstraints(true), keyUsage(KEY_CERT_SIGN | CRL_SIGN)]
  return makeCertificate({ subject, extensions: extensions ?? usual, ...rest })
}

/** Certificates in PEM, one behind the other. */
export function pemOf(...certificates: readonly Pick<Made, 'certificate'>[]): string {
  return certificates
    .map(({ certificate }) => {
      const lines = certificate.toString('base64').replaceAll(/(.{64})/g, '$1\n')
      return `-----BEGIN CERTIFICATE-----\n${lines.trimEnd()}\n-----END CERTIFICATE-----\n`
    })
    .join('')
}

function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  return der(0x18, Buffer.from(text))
}
