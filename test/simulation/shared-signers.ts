import type { KeyObject, X509Certificate } from 'node:crypto'
import type { KeyId } from '../../node/identity/names.ts'
import { signatureHolds, type EntrySignatures } from '../../node/identity/signature.ts'
import { Signers, type CertificateStore, type Signer } from '../../node/identity/signers.ts'
import type { Verifier } from '../../node/identity/verifier.ts'
import { MemoryStore } from '../support/memory-store.ts'
import type { People } from '../support/replica-people.ts'

/** Takes every signature as genuine: for simulations in which nobody forges. */
export const trustingVerifier: Verifier = {
  verify: async () => true,
  [Symbol.asyncDispose]: async () => {},
}

/** Checks each signature once for all nodes of a simulation. */
export function rememberingVerifier(): Verifier {
  const known = new Map<KeyObject, Map<string, boolean>>()
  return {
    verify: async (key, context, text, signature) => {
      const ofKey = known.get(key) ?? new Map<string, boolean>()
      known.set(key, ofKey)
      const signed = `${context}\n${signature}\n${text}`
      const holds = ofKey.get(signed) ?? signatureHolds(key, context, text, signature)
      ofKey.set(signed, holds)
      return holds
    },
    [Symbol.asyncDispose]: async () => {},
  }
}

/** The same people, of whom nodes trace each chain once for all, and check each signature once. */
export function withSharedSigners(people: People): People {
  const all = people.signers(new MemoryStore())
  const verifier = rememberingVerifier()
  return { ...people, signers: store => new SharedSigners(all, verifier, store) }
}

/**
 * What one of many simulated nodes knows of signers. It knows those that peers have sent it and no
 * other; but a chain is read and traced once for all nodes, which otherwise costs as many times as
 * there are pairs of them.
 */
export class SharedSigners extends Signers {
  readonly #all: Signers
  readonly #known = new Map<string, Signer>()
  readonly #kept = new Set<Signer>()
  readonly #trusted = new Map<KeyId, boolean>()
  readonly #store: CertificateStore | undefined

  /**
   * @param all of all nodes
   * @param store keeps the certificates under entries for the next start. Default: nothing does
   */
  constructor(all: Signers, verifier: Verifier, store?: CertificateStore) {
    const authorities = (): readonly X509Certificate[] => []
    super({ store: new MemoryStore(), authorities, trustDomain: undefined, verifier })
    this.#all = all
    this.#store = store
    for (const chain of store?.certificates() ?? []) {
      const signer = this.learn(chain)
      if (typeof signer !== 'string') this.#kept.add(signer)
    }
  }

  override get(fingerprint: string): Signer | undefined {
    return this.#known.get(fingerprint)
  }

  override isTrusted(authority: KeyId): boolean {
    // Asked with each merge, and the authorities of a simulation stay.
    const isTrusted = this.#trusted.get(authority) ?? this.#all.isTrusted(authority)
    this.#trusted.set(authority, isTrusted)
    return isTrusted
  }

  override formerAuthorities(): KeyId[] {
    return this.#all.formerAuthorities()
  }

  override all(): Iterable<Signer> {
    return this.#known.values()
  }

  override learn(chain: unknown): Signer | string {
    const signer = this.#all.learn(chain)
    if (typeof signer !== 'string') this.#known.set(signer.identity.fingerprint, signer)
    return signer
  }

  override *underEntries(): Iterable<Signer> {
    yield* this.#kept
  }

  override keep(signatures: Iterable<EntrySignatures>): void {
    for (const { operatorCertificate, nodeCertificate } of signatures) {
      for (const fingerprint of [operatorCertificate, nodeCertificate]) {
        const signer = this.get(fingerprint)
        if (signer === undefined || this.#kept.has(signer)) continue
        this.#store?.keepCertificate(fingerprint, signer.chain)
        this.#kept.add(signer)
      }
    }
  }
}
