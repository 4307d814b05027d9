import type { X509Certificate as ParsedCertificate } from 'node:crypto'
import { foreignText } from '../lib/foreign-text.ts'
import { isSelfSigned, oneLine, parseCertificates } from '../identity/certificate-chain.ts'
import { renewFrom } from '../identity/certificate-lifetime.ts'
import { errorMessage } from '../lib/errors.ts'
import {
  assertKeyAllowed,
  describeKey,
  identityOf,
  keyIdOf,
  type Identity,
} from '../identity/identity.ts'
import type { Role } from '../identity/names.ts'
import {
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  X509Certificate,
} from '../identity/x509.ts'
import { trustDomainOf } from './authority.ts'
import { DAY_MS } from './validity.ts'

/** What a person wants to know of one certificate. Plain data, fit for JSON. */
export interface CertificateReport {
  /** `unknown` where fridge would not accept it; a warning says why. */
  readonly role: Role | 'authority' | 'unknown'
  readonly name: string | null
  readonly trustDomain: string | null
  /** DNS names and addresses it answers to. */
  readonly hosts: readonly string[]
  /** `ECDSA P-256`, `RSA 2048`, `Ed25519`… */
  readonly keyType: string
  /** SHA-256 of the public key: what `whitelist add --key` takes. */
  readonly keyId: string
  /** SHA-256 of the certificate. */
  readonly fingerprint: string
  readonly serialNumber: string
  /** ISO 8601, UTC. */
  readonly notBefore: string
  readonly notAfter: string
  /** Days, rounded up, so that it is at first as many as were asked for; negative once expired. */
  readonly daysLeft: number
  readonly subject: string
  readonly issuer: string
  readonly selfSigned: boolean
  readonly warnings: readonly string[]
}

/**
 * A report on each certificate of a PEM text, in its order.
 * @throws FridgeError `ERR_CERTIFICATE` when there is none, or one cannot be read
 */
export function inspectCertificates(pem: string, file: string, now: number): CertificateReport[] {
  return parseCertificates(pem, file).map(certificate => reportOn(certificate, now))
}

function reportOn(certificate: ParsedCertificate, now: number): CertificateReport {
  const warnings = validityWarnings(certificate, now)
  const identity = certificate.ca ? undefined : identityOrWarning(certificate, warnings)
  if (certificate.ca) attempt(() => assertKeyAllowed(certificate.publicKey), warnings)
  const { hosts, usages } = attempt(() => extensionsOf(certificate), warnings) ?? {
    hosts: [],
    usages: [],
  }
  if (identity?.role === 'node') warnings.push(...nodeWarnings(hosts, usages))
  const authority = certificate.ca ? 'authority' : undefined
  const domain =
    authority === undefined ? identity?.trustDomain : attempt(() => trustDomainOf(certificate), [])
  return {
    role: authority ?? identity?.role ?? 'unknown',
    name: identity?.name ?? null,
    trustDomain: domain ?? null,
    hosts,
    keyType: describeKey(certificate.publicKey),
    keyId: keyIdOf(certificate.publicKey),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    serialNumber: certificate.serialNumber.toLowerCase(),
    notBefore: certificate.validFromDate.toISOString(),
    notAfter: certificate.validToDate.toISOString(),
    daysLeft: daysLeft(certificate, now),
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    selfSigned: isSelfSigned(certificate),
    warnings,
  }
}

/** The report as lines for a person. */
export function reportLines(report: CertificateReport): string[] {
  const who = report.name === null ? report.role : `${report.role} ${report.name}`
  const left = report.daysLeft < 0 ? 'expired' : `${daysText(report.daysLeft)} left`
  const rows: [string, string | null][] = [
    ['Trust domain', report.trustDomain],
    ['Hosts', report.hosts.length === 0 ? null : report.hosts.join(', ')],
    ['Key', report.keyType],
    ['Key id', report.keyId],
    ['Valid', `${report.notBefore} to ${report.notAfter} (${left})`],
    ['Subject', report.subject],
    ['Issuer', report.selfSigned ? 'itself' : report.issuer],
    ['Serial', report.serialNumber],
  ]
  return [
    who,
    ...rows.flatMap(([label, value]) => (value === null ? [] : [`  ${label.padEnd(13)}${value}`])),
    ...report.warnings.map(warning => `  warning: ${warning}`),
  ]
}

function validityWarnings(certificate: ParsedCertificate, now: number): string[] {
  if (now > certificate.validToDate.getTime()) return ['it has expired']
  if (now < certificate.validFromDate.getTime()) return ['it is not valid yet']
  const [notBefore, notAfter] = [certificate.validFromDate, certificate.validToDate]
  const isDue = now >= renewFrom({ notBefore: notBefore.getTime(), notAfter: notAfter.getTime() })
  return isDue ? [`it expires in ${daysText(daysLeft(certificate, now))}`] : []
}

function nodeWarnings(hosts: readonly string[], usages: readonly string[] | undefined): string[] {
  const warnings: string[] = []
  if (hosts.length === 0) warnings.push('it names no host, so no client can check whom it reached')
  if (usages !== undefined) {
    if (!usages.includes(ExtendedKeyUsage.serverAuth)) {
      warnings.push('it may not serve: extended key usage serverAuth is missing')
    }
    if (!usages.includes(ExtendedKeyUsage.clientAuth)) {
      warnings.push('it may not dial other nodes: extended key usage clientAuth is missing')
    }
  }
  return warnings
}

/** Without an extended key usage, a certificate may be used for anything. */
function extensionsOf(certificate: ParsedCertificate): { hosts: string[]; usages?: string[] } {
  const parsed = new X509Certificate(certificate.raw)
  const names = parsed.getExtension(SubjectAlternativeNameExtension)?.names.items ?? []
  const hosts = names
    .filter(({ type }) => type === 'dns' || type === 'ip')
    .map(({ value }) => oneLine(value))
  const usages = parsed.getExtension(ExtendedKeyUsageExtension)?.usages.map(String)
  return usages === undefined ? { hosts } : { hosts, usages }
}

function identityOrWarning(
  certificate: ParsedCertificate,
  warnings: string[],
): Identity | undefined {
  return attempt(() => identityOf(certificate.raw), warnings)
}

function attempt<T>(read: () => T, warnings: string[]): T | undefined {
  try {
    return read()
  } catch (error) {
    warnings.push(foreignText(errorMessage(error)))
    return undefined
  }
}

function daysText(days: number): string {
  return days === 1 ? '1 day' : `${days} days`
}

function daysLeft(certificate: ParsedCertificate, now: number): number {
  const days = (certificate.validToDate.getTime() - now) / DAY_MS
  return days < 0 ? Math.floor(days) : Math.ceil(days)
}
