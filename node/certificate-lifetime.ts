import { oneLine, parseCertificates, pathOf } from './certificate-chain.ts'
import type { Credentials } from './credentials.ts'
import type { Identity } from './identity.ts'

/** Something that will expire, and the command that puts it off. */
export interface LifetimeWarning {
  readonly text: string
  readonly fix: string
  /** The last moment of validity, milliseconds since 1970. */
  readonly endsAt: number
}

/**
 * From when on a certificate should be renewed: two thirds of its lifetime, in milliseconds since
 * 1970. The last third is for those who read no logs every day.
 */
export function renewFrom({
  notBefore,
  notAfter,
}: Pick<Identity, 'notBefore' | 'notAfter'>): number {
  return Math.round(notBefore + ((notAfter - notBefore) * 2) / 3)
}

/** What of a node's credentials is near its end: its certificate, and the authorities above it. */
export function lifetimeWarnings(
  { identity, certificate, ca, files }: Credentials,
  now: number,
): LifetimeWarning[] {
  const [leaf, ...intermediates] = parseCertificates(certificate, files.certificateFile)
  const path = pathOf(leaf, intermediates, parseCertificates(ca, files.caFile))
  const authorities = 'issuers' in path ? path.issuers : []
  return [
    {
      who: `the certificate of ${identity.subject}`,
      period: identity,
      fix: `fridge certs renew ${identity.role} ${identity.name}`,
    },
    ...authorities.map(({ subject, validFromDate, validToDate }) => ({
      who: `the authority "${oneLine(subject)}"`,
      period: { notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() },
      fix: 'fridge certs rotate-ca begin',
    })),
  ]
    .filter(({ period }) => now >= renewFrom(period))
    .map(({ who, period: { notAfter }, fix }) => ({
      text: `${who} ${now > notAfter ? 'has expired' : 'expires'} on ${new Date(notAfter).toISOString()}`,
      fix,
      endsAt: notAfter,
    }))
}
