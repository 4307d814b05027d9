import type { X509Certificate } from 'node:crypto'
import { isIssuedBy, isSelfSigned, oneLine } from './certificate-chain.ts'
import { describeKey } from './identity.ts'
import { objectionToChain, type ExtendedUsage } from './path-rules.ts'

/** The certificates from the issuer of a leaf up to an authority that is trusted. */
export interface FoundPath {
  /** The last one is the authority that is trusted. */
  readonly issuers: readonly X509Certificate[]
  /** From when on all of them hold, the leaf too, milliseconds since 1970. */
  readonly notBefore: number
  /** Until when all of them hold, milliseconds since 1970; before `notBefore` where they never do. */
  readonly notAfter: number
}

/** Why there is no such path, in words that follow the name of the leaf's holder. */
export interface BrokenPath {
  readonly broken: string
}

export type Path = FoundPath | BrokenPath

export interface PathOptions {
  /** What stands between, in any order, and perhaps more. Nothing of it is trusted. */
  readonly intermediates: readonly X509Certificate[]
  /** The bundle of authorities: a path ends at one that is its own issuer, as in OpenSSL. */
  readonly trusted: readonly X509Certificate[]
  /** What the leaf is used for: `usagesOf` its role. */
  readonly usages: readonly ExtendedUsage[]
  /** When it has to hold, milliseconds since 1970. Left out, time is not looked at. */
  readonly at?: number
}

/** The longest chain that is followed, the authority that is trusted not counted. */
export const MAX_CHAIN = 4

/** How many signatures are checked for one path: an intermediate could sign itself a maze. */
const MAX_CHECKS = 64

/**
 * Find the way from a certificate to an authority that is trusted, by the rules of RFC 5280. The
 * one judge of whoever signs changes, and of TLS peers whom OpenSSL has let in under a bundle of
 * before: it takes nobody whom OpenSSL would refuse.
 *
 * @returns of several ways the one that holds longest
 */
export function pathOf(leaf: X509Certificate, options: PathOptions): Path {
  return new Search(leaf, options).run()
}

class Search {
  readonly #leaf: X509Certificate
  readonly #options: PathOptions
  readonly #anchors: readonly X509Certificate[]
  readonly #between: readonly X509Certificate[]
  #checks = 0
  #best: FoundPath | undefined
  #objection: string | undefined
  #farthest: X509Certificate

  constructor(leaf: X509Certificate, options: PathOptions) {
    this.#leaf = leaf
    this.#farthest = leaf
    this.#options = options
    const { trusted, intermediates } = options
    this.#anchors = trusted.filter(isSelfSigned)
    // One of the bundle that is not its own issuer is only known, and needs one above it.
    this.#between = [
      ...intermediates,
      ...trusted.filter(authority => !this.#anchors.includes(authority)),
    ]
  }

  run(): Path {
    this.#follow([this.#leaf])
    if (this.#best !== undefined) return this.#best
    return { broken: this.#objection ?? whyNotIssued(this.#farthest, this.#options.trusted) }
  }

  /** Look for issuers of the last one. @returns whether nothing better can be found */
  #follow(chain: readonly X509Certificate[]): boolean {
    const from = chain.at(-1) ?? this.#leaf
    for (const anchor of this.#anchors) {
      if (this.#isIssuedBy(from, anchor) && this.#judge([...chain, anchor])) return true
    }
    const next = this.#between.filter(one => !chain.some(({ raw }) => raw.equals(one.raw)))
    for (const issuer of next) {
      if (!this.#isIssuedBy(from, issuer)) continue
      if (chain.length >= MAX_CHAIN) {
        this.#objection ??= `its chain has more than ${MAX_CHAIN} certificates below the authority`
        return false
      }
      if (chain.length === 1) this.#farthest = issuer
      if (this.#follow([...chain, issuer])) return true
    }
    return false
  }

  #isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
    // Names first: they cost nothing.
    if (!certificate.checkIssued(issuer)) return false
    if (this.#checks >= MAX_CHECKS) {
      this.#objection = `its chain does not lead to an authority within ${MAX_CHECKS} signatures`
      return false
    }
    this.#checks += 1
    return isIssuedBy(certificate, issuer)
  }

  /** @returns whether no other path can be better than this one */
  #judge(chain: readonly X509Certificate[]): boolean {
    const { usages, at } = this.#options
    const objection = objectionToChain(chain, usages)
    if (objection !== undefined) {
      this.#objection ??= objection
      return false
    }
    const notBefore = Math.max(...chain.map(({ validFromDate }) => validFromDate.getTime()))
    const notAfter = Math.min(...chain.map(({ validToDate }) => validToDate.getTime()))
    // The last second of validity counts as over, as OpenSSL counts it.
    if (at !== undefined && (at < notBefore || at >= notAfter)) {
      const when = new Date(at).toISOString()
      this.#objection ??= `not all certificates of its chain are valid on ${when}`
      return false
    }
    if (this.#best === undefined || notAfter > this.#best.notAfter) {
      this.#best = { issuers: chain.slice(1), notBefore, notAfter }
    }
    return notAfter >= this.#leaf.validToDate.getTime()
  }
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
