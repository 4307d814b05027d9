import type { X509Certificate } from 'node:crypto'
import { oneLine, parseCertificates } from '../identity/certificate-chain.ts'
import { pathOf } from '../identity/certificate-path.ts'
import { FridgeError } from '../lib/errors.ts'
import { identityOf } from '../identity/identity.ts'
import { usagesOf } from '../identity/path-rules.ts'
import { pkcs8 } from '../identity/private-key.ts'
import type { Authority } from './authority.ts'
import { inspectCertificates } from './inspect.ts'
import { keyLock, signCertificate } from './issue.ts'
import { generateKeysLike } from './key-type.ts'
import { DAY_MS, type RandomBytes } from './validity.ts'

export interface RenewOptions {
  /** The certificate to renew, then its intermediates, PEM. It may have expired. */
  readonly pem: string
  /** What to call it in an error. */
  readonly file: string
  readonly authority: Authority
  /** All who may have signed it: the authorities of now and the former ones. */
  readonly known: readonly X509Certificate[]
  /** Days of validity. Default: as many as before. */
  readonly days?: number | undefined
  /** Make a new key of the same kind. Default: keep the key. */
  readonly newKey?: boolean | undefined
  /** Milliseconds since 1970. */
  readonly now: number
  readonly random: RandomBytes
}

export interface Renewed {
  /** The new chain, PEM. */
  readonly certificate: string
  /** The new private key, PEM, where one was asked for. Never log it. */
  readonly key: string | undefined
}

/**
 * Sign a new certificate for whom an older one names: the same role, name and hosts, and the same
 * key unless a new one is asked for. Nothing is signed for a certificate of strangers: whoever
 * slipped one in would get an identity that this authority never gave.
 * @throws FridgeError `ERR_CERTIFICATE` when it is none of this authority's, or the authority has
 *   expired; `ERR_USAGE` when the days are out of range
 */
export async function renewCertificate(options: RenewOptions): Promise<Renewed> {
  const { pem, file, authority, known, now, random, newKey = false } = options
  const [leaf, ...intermediates] = parseCertificates(pem, file)
  if (leaf.ca) {
    throw new FridgeError('ERR_CERTIFICATE', `${file} is the certificate of an authority`, {
      fix: 'replace an authority with fridge certs rotate-ca begin',
    })
  }
  const { role, name, trustDomain, notBefore, notAfter } = identityOf(leaf.raw)
  const path = pathOf(leaf, { intermediates, trusted: known, usages: usagesOf(role) })
  if ('broken' in path) {
    throw new FridgeError('ERR_CERTIFICATE', `${file} cannot be renewed: ${path.broken}`, {
      fix: 'name the folder of the authority that signed it with --certs DIR',
    })
  }
  const [report] = inspectCertificates(pem, file, now)
  const made = newKey ? await generateKeysLike(leaf.publicKey) : undefined
  const certificate = await signCertificate({
    authority,
    role,
    name,
    publicKey: made?.publicKey ?? leaf.publicKey,
    days: options.days ?? Math.max(Math.round((notAfter - notBefore) / DAY_MS), 1),
    now,
    random,
    ...(trustDomain === undefined ? {} : { trustDomain }),
    // A host stands in a node's certificate only.
    ...(role === 'node' && report !== undefined ? { hosts: report.hosts } : {}),
  })
  return {
    certificate,
    key: made === undefined ? undefined : pkcs8(made.privateKey, keyLock({ authority, role })),
  }
}

/** What a renewal has changed, as lines for a person. */
export function changeLines(before: X509Certificate, after: X509Certificate): string[] {
  const day = (date: Date): string => date.toISOString().slice(0, 10)
  const issuers = [before.issuer, after.issuer].map(oneLine)
  const keeps = before.publicKey.equals(after.publicKey)
  return [
    `valid until ${day(after.validToDate)}, before ${day(before.validToDate)}`,
    keeps ? 'the same key' : 'a new key: grants that pin the key before do not cover it',
    issuers[0] === issuers[1]
      ? `signed by "${issuers[1]}"`
      : `signed by "${issuers[1]}", before by "${issuers[0]}"`,
  ]
}
