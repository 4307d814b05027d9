import { isDeepStrictEqual } from 'node:util'
import type { Source } from '../identity/names.ts'
import type { Signers } from '../identity/signers.ts'
import type { Clock } from '../lib/clock.ts'
import type { Spreading } from './spreading.ts'
import type { DocumentStream } from './document-stream.ts'
import { GossipDocument, type Update } from './document.ts'

/**
 * A document whose updates are signed. The certificates of the signers travel in band, those
 * that the peer does not hold, each before the first update that needs it.
 */
export abstract class SignedDocument extends GossipDocument {
  protected readonly signers: Signers
  readonly #checking = new Map<string, Update>()
  /** What each peer has sent on the stream of this document, by fingerprint. */
  readonly #shown = new WeakMap<DocumentStream, Set<string>>()

  constructor(id: Source, clock: Clock, spreading: Spreading, signers: Signers) {
    super(id, clock, spreading)
    this.signers = signers
  }

  /** How many updates wait to be taken in. */
  abstract get backlog(): number

  /** Resolves when all that has come in is taken in or refused. */
  abstract settled(): Promise<void>

  /**
   * Check an update once, however many links bring it while it is being checked.
   * @returns false when the very same update is being checked already
   */
  protected startCheck(update: Update): boolean {
    const key = placeKey(update)
    const other = this.#checking.get(key)
    // Only the very same: a forgery that comes first must not keep the genuine update out.
    if (other !== undefined && isDeepStrictEqual(other, update)) return false
    if (other === undefined) this.#checking.set(key, update)
    return true
  }

  protected endCheck(update: Update): void {
    const key = placeKey(update)
    if (this.#checking.get(key) === update) this.#checking.delete(key)
  }

  /** The fingerprints of the certificates that the signatures of an update are checked with. */
  protected abstract signersOf(update: Update): readonly string[]

  protected override preamble({ certificates }: DocumentStream): Iterable<object> {
    // Of the others, which only *members* needs, what the peer holds of their words tells it.
    return certificates?.tell(this.signers.underEntries()) ?? []
  }

  protected override *attachmentsOf(
    update: Update,
    { certificates }: DocumentStream,
  ): Iterable<object> {
    for (const fingerprint of this.signersOf(update)) {
      const signer = this.signers.get(fingerprint)
      if (signer !== undefined && certificates?.lacks(signer) === true) {
        yield { certificate: signer.chain }
      }
    }
  }

  protected override takeFrame(
    frame: object,
    from: DocumentStream,
  ): { readonly refused?: string } | undefined {
    const { certificates } = from
    if ('holds' in frame) {
      const refused = certificates?.hear(frame)
      return refused === undefined ? {} : { refused }
    }
    if (!('certificate' in frame)) return undefined
    if (Object.keys(frame).length > 1) return { refused: 'a certificate comes with something else' }
    const signer = this.signers.learn(frame.certificate)
    if (typeof signer === 'string') return { refused: signer }
    // Each costs a check, and there are only so many genuine ones.
    const shown = this.#shown.get(from) ?? new Set()
    const { fingerprint } = signer.identity
    if (shown.has(fingerprint)) return { refused: 'a certificate was sent twice' }
    this.#shown.set(from, shown.add(fingerprint))
    certificates?.came(signer)
    return {}
  }
}

function placeKey([, sequence, source]: Update): string {
  return `${source} ${sequence}`
}
