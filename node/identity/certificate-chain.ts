import { X509Certificate } from 'node:crypto'
import { errorMessage, FridgeError } from '../lib/errors.ts'
import { foreignText } from '../lib/foreign-text.ts'

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

/**
 * Subject or issuer in one line, `CN=alpha, O=fridge`, fit for a terminal and a log.
 * @param distinguishedName as `X509Certificate` has it: of an empty name it is undefined, whatever
 *   its types say, and anybody can make a certificate of such an issuer
 */
export function oneLine(distinguishedName: string | undefined): string {
  return foreignText((distinguishedName ?? '').replaceAll('\n', ', '))
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

/**
 * Whether a chain, in its order, hangs below one of these authorities. It foretells what `pathOf`
 * says of what is signed below it, and judges nobody.
 */
export function hangsBelow(
  chain: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): boolean {
  for (const [index, certificate] of chain.entries()) {
    if (authorities.some(one => isSelfSigned(one) && isIssuedBy(certificate, one))) return true
    const above = chain[index + 1]
    if (above === undefined || !isIssuedBy(certificate, above)) return false
  }
  return false
}

/** Of an authority it is asked each time when a path is looked for. */
const selfSigned = new WeakMap<X509Certificate, boolean>()

/** Whether it is its own issuer: the end of every chain. */
export function isSelfSigned(certificate: X509Certificate): boolean {
  const known = selfSigned.get(certificate) ?? isIssuedBy(certificate, certificate)
  selfSigned.set(certificate, known)
  return known
}
