import { parseStatements, type Statement } from '../authority/succession.ts'

/** What the two ends of an enrolment say, each in a line of JSON (PROTOCOL.md, "Enrolment"). */

/** The ALPN name of an enrolment (RFC 7301). */
export const ENROLMENT_ALPN = 'fridge-enrolment/1'

/** The longest line, in bytes: a bundle of authorities fits. */
export const MAX_LINE_BYTES = 65_536

/** What a node says first: whom it asks to be trusted, which the other end must not believe. */
export interface Greeting {
  /** Certificates in PEM. */
  readonly authorities: string
  /** The certificate of its issuing key, PEM, where it has one that can be read. */
  readonly issuer?: string
  /** What authorities have signed of those that take their place: this, the other end may believe. */
  readonly succession: readonly Statement[]
}

/** What is asked for: a first certificate with the secret of a token, or the next one. */
export type Question =
  | { readonly secret: string; readonly request: string }
  /** `chain` is the certificate that holds still, PEM. */
  | { readonly chain: string; readonly request: string }

/** What a node answers. */
export type Answer =
  /** The new certificate and its intermediates, PEM. */
  { readonly certificate: string } | { readonly error: string; readonly fix?: string }

/** @returns undefined where it is no greeting */
export function parseGreeting(line: string): Greeting | undefined {
  const { authorities, issuer, succession } = fieldsOf(line)
  if (typeof authorities !== 'string') return undefined
  return {
    authorities,
    ...(typeof issuer === 'string' && { issuer }),
    succession: parseStatements(succession),
  }
}

/** @returns undefined where it is no question */
export function parseQuestion(line: string): Question | undefined {
  const { secret, chain, request } = fieldsOf(line)
  if (typeof request !== 'string') return undefined
  if (typeof secret === 'string' && chain === undefined) return { secret, request }
  if (typeof chain === 'string' && secret === undefined) return { chain, request }
  return undefined
}

/** @returns undefined where it is no answer */
export function parseAnswer(line: string): Answer | undefined {
  const { certificate, error, fix } = fieldsOf(line)
  if (typeof certificate === 'string') return { certificate }
  if (typeof error !== 'string') return undefined
  return { error, ...(typeof fix === 'string' && { fix }) }
}

function fieldsOf(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
