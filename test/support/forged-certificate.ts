import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { signingKeyOf } from '../../node/authority/key-type.ts'
import {
  Name,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  type Extension,
  type JsonGeneralName,
  type JsonNameParams,
} from '../../node/identity/x509.ts'

export interface Forgery {
  readonly subject?: JsonNameParams
  /** No extension at all when left out. */
  readonly names?: JsonGeneralName[]
  readonly extensions?: Extension[]
  readonly keys?: { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
}

/** A certificate that says anything at all, signed by its own key, in DER. */
export async function forgeCertificate({
  subject = [{ CN: ['mallory'] }],
  names,
  extensions = [],
  keys = generateKeyPairSync('ec', { namedCurve: 'P-256' }),
}: Forgery): Promise<Buffer> {
  const { key, algorithm } = signingKeyOf(keys.privateKey)
  const certificate = await X509CertificateGenerator.create({
    subject: new Name(subject),
    issuer: [{ CN: ['Forger'] }],
    publicKey: keys.publicKey.export({ type: 'spki', format: 'der' }),
    notBefore: new Date(Date.now() - 3_600_000),
    signingKey: key,
    signingAlgorithm: algorithm,
    extensions: [
      ...(names === undefined ? [] : [new SubjectAlternativeNameExtension(names)]),
      ...extensions,
    ],
  })
  return Buffer.from(certificate.rawData)
}

/** The names of a certificate with these URIs. */
export function uris(...values: string[]): JsonGeneralName[] {
  return values.map(value => ({ type: 'url', value }))
}
