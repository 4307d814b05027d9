import { oneLine, parseCertificates } from './certificate-chain.ts'
import { pathOf } from './certificate-path.ts'
import type { Credentials } from './credentials.ts'
import type { Identity } from './identity.ts'
import { usagesOf } from './path-rules.ts'

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

/** How long one of the certificates stands that a node depends on. */
export interface Lifetime {
  readonly certificate: 'node' | 'authority'
  /** Whose it is, in words. */
  readonly who: string
  /** From when on it should be renewed, milliseconds since 1970. */
  readonly renewFrom: number
  /** The last moment of validity, milliseconds since 1970. */
  readonly endsAt: number
  /** The command that puts it off. */
  readonly fix: string
}

/** The certificate of a node, then the authorities above it. */
export function lifetimes({ identity, certificate, ca, files }: Credentials): Lifetime[] {
  const [leaf, ...intermediates] = parseCertificates(certificate, files.certificateFile)
  const trusted = parseCertificates(ca, files.caFile)
  const path = pathOf(leaf, { intermediates, trusted, usages: usagesOf(identity.role) })
  const authorities = 'issuers' in path ? path.issuers : []
  return [
    {
      certificate: 'node',
      who: `the certificate of ${identity.subject}`,
      renewFrom: renewFrom(identity),
      endsAt: identity.notAfter,
      fix: `fridge certs renew ${identity.role} ${identity.name}`,
    },
    ...authorities.map(({ subject, validFromDate, validToDate }): Lifetime => {
      const period = { notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() }
      return {
        certificate: 'authority',
        who: `the authority "${oneLine(subject)}"`,
        renewFrom: renewFrom(period),
        endsAt: period.notAfter,
        fix: 'fridge certs rotate-ca begin',
      }
    }),
  ]
}

/** What of a node's credentials is near its end: its certificate, and the authorities above it. */
export function lifetimeWarnings(credentials: Credentials, now: number): LifetimeWarning[] {
  return lifetimes(credentials)
    .filter(lifetime => now >= lifetime.renewFrom)
    .map(({ who, endsAt, fix }) => ({
      text: `${who} ${now > endsAt ? 'has expired' : 'expires'} on ${new Date(endsAt).toISOString()}`,
      fix,
      endsAt,
    }))
}
