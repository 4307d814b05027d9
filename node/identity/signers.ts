import { hash, X509Certificate, type KeyObject } from 'node:crypto'
import { pathOf } from './certificate-chain.ts'
import { errorMessage } from '../lib/errors.ts'
import type { EntrySignatures } from '../whitelist/change.ts'
import { identityOf, type Identity } from './identity.ts'
import type { Name, Role } from './names.ts'
import type { SignatureContext } from './signature.ts'
import { localVerifier, type Verifier } from './verifier.ts'

/** Somebody whose signatures stand under changes: an operator or a node. */
export interface Signer {
  readonly identity: Identity
  readonly key: KeyObject
  /** The certificate, then its intermediates, DER in base64. */
  readonly chain: readonly string[]
}

/** Where the certificates of signers are kept, by fingerprint. */
export interface CertificateStore {
  certificates(): Iterable<readonly string[]>
  keepCertificate(fingerprint: string, chain: readonly string[]): void
}

export interface SignersOptions {
  readonly store: CertificateStore
  /** The authorities that may vouch for a signer, those of old changes included. */
  readonly authorities: () => readonly X509Certificate[]
  /** Every signer must belong to it. */
  readonly trustDomain: string | undefined
  /** What checks their signatures. Default: the thread that asks, which waits for each. */
  readonly verifier?: Verifier
}

const MAX_CHAIN = 4
const MAX_CERTIFICATE = 8_192
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/** How far a signer's clock may be ahead of the start of its certificate, in milliseconds. */
const SKEW_MS = 10 * 60_000

/**
 * The certificates of all whose signatures this node has checked or must check. Each is traced
 * to an authority once, when a peer first sends it; what the own disk holds is trusted.
 */
export class Signers {
  readonly #byFingerprint = new Map<string, Signer>()
  readonly #kept = new Set<string>()
  readonly #options: SignersOptions
  readonly #verifier: Verifier

  constructor(options: SignersOptions) {
    this.#options = options
    this.#verifier = options.verifier ?? localVerifier
    for (const chain of options.store.certificates()) {
      const signer = readSigner(chain)
      if (typeof signer === 'string') continue
      this.#byFingerprint.set(signer.identity.fingerprint, signer)
      this.#kept.add(signer.identity.fingerprint)
    }
  }

  get(fingerprint: string): Signer | undefined {
    return this.#byFingerprint.get(fingerprint)
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
   * could not be passed on after a restart. Those of nodes that only say they live are not kept.
   * @throws FridgeError `ERR_DATABASE` when one cannot be written
   */
  keep(entries: Iterable<EntrySignatures>): void {
    for (const { operatorCertificate, nodeCertificate } of entries) {
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
    // Every link brings the same ones: what is known is not parsed again.
    const known = this.#byFingerprint.get(hash('sha256', Buffer.from(chain[0] ?? '', 'base64')))
    if (known !== undefined) return known
    const signer = readSigner(chain)
    if (typeof signer === 'string') return signer
    const { identity } = signer
    const { authorities, trustDomain } = this.#options
    if (identity.role === 'client') return `${identity.subject} can sign nothing`
    if (identity.trustDomain !== trustDomain)
      return `${identity.subject} is of another trust domain`
    const broken = brokenPathOf(chain, authorities())
    if (broken !== undefined) {
      return `the certificate of ${identity.subject} is not trusted: ${broken}`
    }
    this.#byFingerprint.set(identity.fingerprint, signer)
    return signer
  }
}

/** Why a signer could not have made a change: another role or name, or not valid at that time. */
export function objectionTo(
  { identity }: Signer,
  role: Role,
  name: Name,
  at: number,
): string | undefined {
  if (identity.role !== role || identity.name !== name) {
    return `${identity.subject} signs for ${role}/${name}`
  }
  if (at < identity.notBefore - SKEW_MS || at > identity.notAfter) {
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

function readSigner(chain: readonly string[]): Signer | string {
  const [leaf = ''] = chain
  try {
    // Parsed once and encoded again: bytes behind the certificate would give it another fingerprint.
    const certificate = parse(leaf)
    return { identity: identityOf(certificate.raw), key: certificate.publicKey, chain }
  } catch (error) {
    return `a certificate cannot be read: ${errorMessage(error)}`
  }
}

/** Why a chain does not lead to an authority; undefined if it does. */
function brokenPathOf(
  chain: readonly string[],
  authorities: readonly X509Certificate[],
): string | undefined {
  try {
    const [leaf, ...intermediates] = chain.map(parse)
    if (leaf === undefined) return 'its chain is empty'
    const path = pathOf(leaf, intermediates, authorities)
    return 'broken' in path ? path.broken : undefined
  } catch (error) {
    // An intermediate may be any bytes.
    return `its chain cannot be read: ${errorMessage(error)}`
  }
}
