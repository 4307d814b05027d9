import { X509Certificate } from 'node:crypto'
import { errorMessage, FridgeError } from '../lib/errors.ts'
import { foreignText } from '../lib/foreign-text.ts'
import { describeKey } from './identity.ts'

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g
const BEGIN = '-----BEGIN CERTIFICATE-----'
const ANY_LABEL = /-----BEGIN ([A-Z0-9 ]+)-----/

/**
 * Every certificate of a PEM text, in its order; text around them is skipped.
 * @param file what to call it in an error
 * @throws FridgeError `ERR_CERTIFICATE` when there is none, or one cannot be read
 */
export function parseCertificates(
  pem: string,
  file: string,
): [X509Certificate, ...X509Certificate[]] {
  const certificates = (pem.match(BLOCK) ?? []).map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch (cause) {
      throw new FridgeError(
        'ERR_CERTIFICATE',
        `certificate ${index + 1} in ${file} cannot be read: ${errorMessage(cause)}`,
        { cause, fix: 'copy it anew from where it was issued, or issue it again' },
      )
    }
  })
  const begun = pem.split(BEGIN).length - 1
  if (begun > certificates.length) {
    // A bundle that is being copied: without this, the authorities behind the cut would be dropped.
    throw new FridgeError(
      'ERR_CERTIFICATE',
      `${file} is not a certificate or a bundle of them: one is cut off`,
      {
        fix: 'copy it anew, whole',
      },
    )
  }
  const [first, ...rest] = certificates
  if (first !== undefined) return [first, ...rest]
  const label = ANY_LABEL.exec(pem)?.[1]
  const found = label === undefined ? 'it holds no PEM block' : `it holds a ${label}`
  throw new FridgeError('ERR_CERTIFICATE', `${file} is not a certificate: ${found}`, {
    fix: 'name a file that begins with -----BEGIN CERTIFICATE-----',
  })
}

/** Subject or issuer in one line, `CN=alpha, O=fridge`, fit for a terminal and a log. */
export function oneLine(distinguishedName: string): string {
  return foreignText(distinguishedName.replaceAll('\n', ', '))
}

/** Whether `issuer` signed `certificate` and is allowed to. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
  } catch {
    // A key of a kind that this OpenSSL does not know.
    return false
  }
}

/** Whether it is its own issuer: the end of every chain. */
export function isSelfSigned(certificate: X509Certificate): boolean {
  return isIssuedBy(certificate, certificate)
}

/** The certificates from the issuer of `leaf` up to one of `trusted`, or why there is no such way. */
export type Path = { readonly issuers: readonly X509Certificate[] } | { readonly broken: string }

/**
 * Follow the signatures from a certificate to an authority that is trusted. Explains a failure
 * to a person; the handshake itself is judged by OpenSSL.
 */
export function pathOf(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  trusted: readonly X509Certificate[],
): Path {
  const issuers: X509Certificate[] = []
  let at = leaf
  // No path is longer than the certificates there are to walk over.
  for (let step = 0; step <= intermediates.length; step++) {
    const from = at
    const authority = trusted.find(candidate => isIssuedBy(from, candidate))
    if (authority !== undefined) return { issuers: [...issuers, authority] }
    const next = intermediates.find(candidate => isIssuedBy(from, candidate))
    if (next === undefined) return { broken: whyNotIssued(from, trusted) }
    issuers.push(next)
    at = next
  }
  return { broken: 'its chain goes round in a circle' }
}

function whyNotIssued(certificate: X509Certificate, trusted: readonly X509Certificate[]): string {
  const issuer = oneLine(certificate.issuer)
  const namesake = trusted.find(({ subject }) => subject === certificate.issuer)
  if (namesake === undefined) {
    const known = trusted.map(({ subject }) => `"${oneLine(subject)}"`).join(', ')
    return `it was issued by "${issuer}", and trusted is only ${known}`
  }
  if (!namesake.ca) return `"${issuer}" is not the certificate of an authority (CA:TRUE is missing)`
  const kind = describeKey(namesake.publicKey)
  return `it was signed by another authority of the same name "${issuer}" than the trusted one (${kind})`
}
