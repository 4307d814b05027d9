import type { X509Certificate } from 'node:crypto'
import {
  contentOf,
  readBoolean,
  readElements,
  readOid,
  readOnly,
  TAG,
  type DerElement,
} from './der.ts'

/** One extension of a certificate, not read yet. */
export interface ExtensionField {
  readonly critical: boolean
  readonly value: Uint8Array
}

/** What of an algorithm's identifier its use depends on. */
export interface AlgorithmField {
  readonly oid: string
  readonly parameters: DerElement | undefined
}

/** What the rules of paths ask of a certificate (RFC 5280, section 4.1), as it stands there. */
export interface CertificateFields {
  /** 1, 2 or 3. */
  readonly version: number
  readonly signature: AlgorithmField
  readonly keyAlgorithm: AlgorithmField
  /** Content of the Name of its issuer. */
  readonly issuer: Uint8Array
  /** Both of its dates, not read yet. */
  readonly validity: readonly DerElement[]
  /** Content of the Name, and the same in the form in which names are compared. */
  readonly subject: Uint8Array
  readonly subjectName: readonly string[]
  /** Whether subject and issuer are the same name. */
  readonly isSelfIssued: boolean
  readonly extensions: ReadonlyMap<string, ExtensionField>
}

/** The attribute of a name that a person reads. */
export const COMMON_NAME = '2.5.4.3'

/** The extension that holds other names. */
export const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17'

/** The extension that says whether a certificate is an authority's. */
export const BASIC_CONSTRAINTS = '2.5.29.19'

const VERSION = 0xa0
const EXTENSIONS = 0xa3

/** How the character strings of a name are encoded, by their tags (X.690, section 8.23). */
const ENCODINGS: ReadonlyMap<number, 'utf8' | 'latin1' | 'utf16be' | 'utf32be'> = new Map([
  [0x0c, 'utf8'],
  [0x13, 'latin1'],
  [0x14, 'latin1'],
  [0x16, 'latin1'],
  [0x1a, 'latin1'],
  [0x1c, 'utf32be'],
  [0x1e, 'utf16be'],
])

const read = new WeakMap<X509Certificate, CertificateFields>()

/**
 * Read a certificate for the rules of paths. By hand, as `@peculiar/x509` takes a millisecond for
 * one, and when an authority is withdrawn thousands are judged at once.
 * @throws RangeError when it is not DER, or has the same extension twice
 */
export function fieldsOf(certificate: X509Certificate): CertificateFields {
  const known = read.get(certificate)
  if (known !== undefined) return known
  const fields = readFields(certificate.raw)
  read.set(certificate, fields)
  return fields
}

function readFields(der: Uint8Array): CertificateFields {
  const [signed] = readElements(readOnly(der, TAG.sequence))
  const parts = readElements(contentOf(signed, TAG.sequence))
  const explicit = parts[0]?.tag === VERSION ? parts.shift() : undefined
  const [, signature, issuer, validity, subject, key, ...optional] = parts
  const [keyAlgorithm, keyBits] = readElements(contentOf(key, TAG.sequence))
  contentOf(keyBits, TAG.bitString)
  const subjectName = readName(contentOf(subject, TAG.sequence))
  const issuerName = readName(contentOf(issuer, TAG.sequence))
  const extensions = optional.find(({ tag }) => tag === EXTENSIONS)
  return {
    version: explicit === undefined ? 1 : (readOnly(explicit.content, TAG.integer)[0] ?? 0) + 1,
    signature: readAlgorithm(contentOf(signature, TAG.sequence)),
    keyAlgorithm: readAlgorithm(contentOf(keyAlgorithm, TAG.sequence)),
    issuer: contentOf(issuer, TAG.sequence),
    validity: readElements(contentOf(validity, TAG.sequence)),
    subject: contentOf(subject, TAG.sequence),
    subjectName,
    isSelfIssued:
      subjectName.length === issuerName.length &&
      subjectName.every((part, index) => part === issuerName[index]),
    extensions:
      extensions === undefined
        ? new Map()
        : readExtensions(readOnly(extensions.content, TAG.sequence)),
  }
}

function readAlgorithm(content: Uint8Array): AlgorithmField {
  const [oid, parameters] = readElements(content)
  return { oid: readOid(contentOf(oid, TAG.oid)), parameters }
}

function readExtensions(content: Uint8Array): Map<string, ExtensionField> {
  const extensions = new Map<string, ExtensionField>()
  for (const element of readElements(content)) {
    const [type, ...rest] = readElements(contentOf(element, TAG.sequence))
    const oid = readOid(contentOf(type, TAG.oid))
    const critical = rest.length > 1 && readBoolean(rest.shift())
    if (extensions.has(oid)) throw new RangeError(`it has the extension ${oid} twice`)
    const value = contentOf(rest[0], TAG.octetString)
    extensions.set(oid, { critical, value })
  }
  return extensions
}

/**
 * A distinguished name in the form in which names are compared, an item for each of its relative
 * names: without regard to case, to white space around and in rows, and to the kind of string
 * (RFC 5280, section 7.1, as OpenSSL does it).
 * @param content of the Name, a sequence
 */
export function readName(content: Uint8Array): string[] {
  return readElements(content).map(relative =>
    readElements(contentOf(relative, TAG.set))
      .map(attribute => {
        const [type, value] = readElements(contentOf(attribute, TAG.sequence))
        return `${readOid(contentOf(type, TAG.oid))}=${comparable(value)}`
      })
      .sort()
      .join('\0'),
  )
}

/** The values of one attribute in a name. @param oid of the attribute, in dots */
export function valuesIn(name: Uint8Array, oid: string): string[] {
  return readElements(name)
    .flatMap(relative => readElements(contentOf(relative, TAG.set)))
    .map(attribute => readElements(contentOf(attribute, TAG.sequence)))
    .filter(([type]) => readOid(contentOf(type, TAG.oid)) === oid)
    .map(([, value]) => (value === undefined ? '' : (textOf(value) ?? '')))
}

function comparable(value: DerElement | undefined): string {
  if (value === undefined) throw new RangeError('a part of a name is missing')
  const text = textOf(value)
  // What is no text is the same only when all its bytes are. No text begins so.
  if (text === undefined) return `\0${value.tag}\0${Buffer.from(value.content).toString('hex')}`
  return text
    .replaceAll(/[A-Z]/g, letter => letter.toLowerCase())
    .replaceAll(/[\t-\r ]+/g, ' ')
    .replaceAll(/^ | $/g, '')
}

function textOf({ tag, content }: DerElement): string | undefined {
  const encoding = ENCODINGS.get(tag)
  const bytes = Buffer.from(content)
  switch (encoding) {
    case undefined:
      return undefined
    case 'utf16be':
      return bytes.length % 2 === 0 ? bytes.swap16().toString('utf16le') : undefined
    case 'utf32be':
      return bytes.length % 4 === 0 ? fromCodePoints(bytes) : undefined
    case 'utf8':
    case 'latin1':
      return bytes.toString(encoding)
  }
}

function fromCodePoints(bytes: Buffer): string | undefined {
  let text = ''
  for (let offset = 0; offset < bytes.length; offset += 4) {
    const point = bytes.readUInt32BE(offset)
    if (point > 0x10_ff_ff) return undefined
    text += String.fromCodePoint(point)
  }
  return text
}
