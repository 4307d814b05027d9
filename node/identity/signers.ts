import { hash, X509Certificate, type KeyObject } from 'node:crypto'
import { pathOf, MAX_CHAIN } from './certificate-path.ts'
import { isSelfSigned } from './certificate-chain.ts'
import { errorMessage } from '../lib/errors.ts'
import type { EntrySignatures } from './signature.ts'
import { identityOf, type Identity } from './identity.ts'
import type { KeyId, Name, Role } from './names.ts'
import { usagesOf } from './path-rules.ts'
import type { SignatureContext } from './signature.ts'
import { localVerifier, type Verifier } from './verifier.ts'

/** An operator or a node whose signatures stand under changes. */
export interface Signer {
  readonly identity: Identity
  readonly key: KeyObject
  /** The certificate, then its intermediates, DER in base64. */
  readonly chain: readonly string[]
  /** The key of the authority that vouches for it; undefined where that is known no longer. */
  readonly authority: KeyId | undefined
  /** When it may sign: while its certificate holds and those of all its issuers. */
  readonly period: Period
}

/** Milliseconds since 1970, first and last. */
type Period = Pick<Identity, 'notBefore' | 'notAfter'>

/** Where the certificates of signers are kept, by fingerprint. */
export interface CertificateStore {
  certificates(): Iterable<readonly string[]>
  keepCertificate(fingerprint: string, chain: readonly string[]): void
}

export interface SignersOptions {
  readonly store: CertificateStore
  /** The authorities that may vouch for a signer, those of old changes included. */
  readonly authorities: () => readonly X509Certificate[]
  /** Those of them that are trusted now, for connections as well. Default: all. */
  readonly trusted?: () => readonly X509Certificate[]
  /** Every signer must belong to it. */
  readonly trustDomain: string | undefined
  /** What checks their signatures. Default: the thread that asks, which waits for each. */
  readonly verifier?: Verifier
}

const MAX_CERTIFICATE = 8_192
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/** How far a signer's clock may be ahead of the start of its certificate, in milliseconds. */
const SKEW_MS = 10 * 60_000

/**
 * The certificates of all operators and nodes whose signatures this node has checked or must
 * check. Each is traced to an authority once, when a peer first sends it; what the own disk holds
 * is trusted.
 */
export class Signers {
  readonly #byFingerprint = new Map<string, Signer>()
  readonly #kept = new Set<string>()
  readonly #options: SignersOptions
  readonly #verifier: Verifier

  constructor(options: SignersOptions) {
    this.#options = options
    this.#verifier = options.verifier ?? localVerifier
    const anchors = options.authorities().filter(isSelfSigned)
    for (const chain of options.store.certificates()) {
      const signer = readStored(chain, anchors)
      if (typeof signer === 'string') continue
      this.#byFingerprint.set(signer.identity.fingerprint, signer)
      this.#kept.add(signer.identity.fingerprint)
    }
  }

  get(fingerprint: string): Signer | undefined {
    return this.#byFingerprint.get(fingerprint)
  }

  /** What vouches for a certificate that is known. */
  voucherOf(fingerprint: string): { authority: KeyId | undefined; endsAt: number } | undefined {
    const signer = this.get(fingerprint)
    return signer && { authority: signer.authority, endsAt: signer.period.notAfter }
  }

  /** Whether an authority is trusted now, for connections as well. */
  isTrusted(authority: KeyId): boolean {
    const { trusted, authorities } = this.#options
    return (trusted ?? authorities)().some(one => keyOf(one) === authority)
  }

  /** The keys of the authorities that may vouch for signatures of the past alone, sorted. */
  formerAuthorities(): KeyId[] {
    const all = new Set(this.#options.authorities().map(keyOf))
    return [...all].filter(authority => !this.isTrusted(authority)).sort()
  }

  /** All that are known, those first that have been known the longest. */
  all(): Iterable<Signer> {
    return this.#byFingerprint.values()
  }

  /** Those whose certificates are kept, because they stand under entries. */
  *underEntries(): Iterable<Signer> {
    for (const fingerprint of this.#kept) {
      const signer = this.get(fingerprint)
      if (signer !== undefined) yield signer
    }
  }

  /** Whether a signature under a text is the signer's. Never throws. */
  async verify(
    { key }: Signer,
    context: SignatureContext,
    text: string,
    signature: string,
  ): Promise<boolean> {
    return this.#verifier.verify(key, context, text, signature)
  }

  /**
   * Keep the certificates under entries that are about to be stored: without them the entries
   * could not be passed on after a restart. Certificates that only a *members* entry needs are not
   * kept.
   * @throws FridgeError `ERR_DATABASE` when one cannot be written
   */
  keep(signatures: Iterable<EntrySignatures>): void {
    for (const { operatorCertificate, nodeCertificate } of signatures) {
      for (const fingerprint of [operatorCertificate, nodeCertificate]) {
        const signer = this.#byFingerprint.get(fingerprint)
        if (signer === undefined || this.#kept.has(fingerprint)) continue
        this.#options.store.keepCertificate(fingerprint, signer.chain)
        this.#kept.add(fingerprint)
      }
    }
  }

  /** Take a certificate with its intermediates from outside. @returns the signer, or why it is none */
  learn(chain: unknown): Signer | string {
    if (!isChain(chain)) return 'a certificate chain is malformed'
    // Every link brings the same certificates: what is known is not parsed again.
    const known = this.#byFingerprint.get(hash('sha256', Buffer.from(chain[0] ?? '', 'base64')))
    if (known === undefined) return this.#take(chain)
    const isWhole = known.period.notAfter >= known.identity.notAfter
    if (isWhole || chain.join() === known.chain.join()) return known
    // Its intermediate may have been renewed: the chain that holds longer is the one to pass on.
    const other = this.#trace(chain)
    if (typeof other === 'string' || other.period.notAfter <= known.period.notAfter) return known
    this.#kept.delete(other.identity.fingerprint)
    return this.#add(other)
  }

  #take(chain: readonly string[]): Signer | string {
    const signer = this.#trace(chain)
    return typeof signer === 'string' ? signer : this.#add(signer)
  }

  #add(signer: Signer): Signer {
    this.#byFingerprint.set(signer.identity.fingerprint, signer)
    return signer
  }

  /** Follow a chain to an authority. @returns the signer, or why it is none */
  #trace(chain: readonly string[]): Signer | string {
    const read = readChain(chain)
    if (typeof read === 'string') return read
    const { leaf, intermediates, identity } = read
    const { authorities, trustDomain } = this.#options
    if (identity.role === 'client') return `${identity.subject} can sign nothing`
    if (identity.trustDomain !== trustDomain)
      return `${identity.subject} is of another trust domain`
    const usages = usagesOf(identity.role)
    const path = pathOf(leaf, { intermediates, trusted: authorities(), usages })
    if ('broken' in path) {
      return `the certificate of ${identity.subject} is not trusted: ${path.broken}`
    }
    const { issuers, notBefore, notAfter } = path
    // What else was sent along is passed on to nobody.
    const shown = chainOf([leaf, ...issuers.slice(0, -1)])
    const top = issuers.at(-1)
    const period = { notBefore, notAfter }
    // The key that the path was checked by keeps what was asked of it, half a kilobyte.
    const { publicKey: key } = new X509Certificate(leaf.raw)
    return { identity, key, chain: shown, authority: top && keyOf(top), period }
  }
}

/** Why a signer could not have made a change: another role or name, or not valid at that time. */
export function objectionTo(
  { identity, period }: Signer,
  role: Role,
  name: Name,
  at: number,
): string | undefined {
  if (identity.role !== role || identity.name !== name) {
    return `${identity.subject} signs for ${role}/${name}`
  }
  if (at < period.notBefore - SKEW_MS || at > period.notAfter) {
    return `the certificate of ${identity.subject} is not of that time`
  }
  return undefined
}

/** A PEM chain in the form in which chains are sent and stored. */
export function chainOf(certificates: readonly X509Certificate[]): string[] {
  return certificates.map(({ raw }) => raw.toString('base64'))
}

function isChain(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= MAX_CHAIN &&
    value.every(
      (one: unknown) =>
        typeof one === 'string' && one.length <= MAX_CERTIFICATE && BASE64.test(one),
    )
  )
}

function parse(base64: string): X509Certificate {
  return new X509Certificate(Buffer.from(base64, 'base64'))
}

interface Chain {
  readonly leaf: X509Certificate
  readonly intermediates: readonly X509Certificate[]
  readonly identity: Identity
}

function readChain(chain: readonly string[]): Chain | string {
  try {
    const [leaf, ...intermediates] = chain.map(parse)
    if (leaf === undefined) return 'a certificate chain is empty'
    // Parsed once and encoded again: bytes behind the certificate would give it another fingerprint.
    return { leaf, intermediates, identity: identityOf(leaf.raw) }
  } catch (error) {
    return `a certificate cannot be read: ${errorMessage(error)}`
  }
}

/** A signer that was traced to its authority before it was stored: only its time is looked at. */
function readStored(
  chain: readonly string[],
  anchors: readonly X509Certificate[],
): Signer | string {
  const read = readChain(chain)
  if (typeof read === 'string') return read
  const { leaf, intermediates, identity } = read
  const period = periodOf([leaf, ...intermediates])
  const last = intermediates.at(-1) ?? leaf
  // Of the authorities that fit, the one that holds longest, as when the path was found.
  const ends = anchors
    .filter(authority => last.checkIssued(authority))
    .map(authority => ({ authority: keyOf(authority), ...periodOf([authority]) }))
    .sort((one, other) => other.notAfter - one.notAfter)
  const [{ authority, notBefore, notAfter } = { authority: undefined, ...period }] = ends
  return {
    identity,
    key: leaf.publicKey,
    chain,
    authority,
    period: {
      notBefore: Math.max(period.notBefore, notBefore),
      notAfter: Math.min(period.notAfter, notAfter),
    },
  }
}

/** To export and hash a key costs more than all else that is asked of an authority at each change. */
const keysOfCertificates = new WeakMap<X509Certificate, KeyId>()

/** What an authority is known by, whatever certificate it has. */
export function keyOf(certificate: X509Certificate): KeyId {
  const known = keysOfCertificates.get(certificate)
  if (known !== undefined) return known
  const key = hash('sha256', certificate.publicKey.export({ type: 'spki', format: 'der' })) as KeyId
  keysOfCertificates.set(certificate, key)
  return key
}

/** When all of these certificates hold. */
function periodOf(certificates: readonly X509Certificate[]): Period {
  return {
    notBefore: Math.max(...certificates.map(({ validFromDate }) => validFromDate.getTime())),
    notAfter: Math.min(...certificates.map(({ validToDate }) => validToDate.getTime())),
  }
}
