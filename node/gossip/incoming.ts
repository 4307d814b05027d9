import type { Source } from '../identity/names.ts'
import { asDigest, asDigestPage, asUpdate, type Digest, type Update } from './document-frames.ts'
import type { Outgoing } from './outgoing.ts'

export interface IncomingOptions {
  /** What goes to the same peer: it is told what the peer holds. */
  readonly outgoing: Pick<Outgoing, 'hears'>
  /** Whether a digest may name this source. */
  readonly isExpected: (source: Source) => boolean
  /** Whether this node holds anything of a source. */
  readonly holds: (source: Source) => boolean
  /** An update has come, known or not. It is live when the peer has sent all that it held before. */
  readonly onUpdate: (update: Update, isLive: boolean) => void
  /** Whether an update is of no interest, whatever it carries. */
  readonly isKnown: (update: Update) => boolean
  /** Why the value, sequence or signature of an update has no valid shape; undefined if it has. */
  readonly problemOf: (update: Update) => string | undefined
  /** @returns undefined when a frame is a digest, or why it is refused, if it is */
  readonly takeFrame: (
    frame: object,
    isDigested: boolean,
  ) => { readonly refused?: string } | undefined
  /** The digest has come, and all its pages. A newcomer has heard nothing of any source. */
  readonly onDigest: (digest: Digest, isNewcomer: boolean) => void
  /** Hand the package what holds: an update, or the peer's `SYNC`. */
  readonly hand: (frame: unknown) => void
  /** The peer sent something that it must not: end the link. */
  readonly refuse: (reason: string) => void
}

/** What comes from one peer of one document: each frame checked, and in the order that is set. */
export class Incoming {
  readonly #options: IncomingOptions
  #hasPages = false
  #isDigested = false
  #isSynced = false

  constructor(options: IncomingOptions) {
    this.#options = options
  }

  /** A parsed frame from the peer. */
  receive(frame: unknown): void {
    const { hand, refuse } = this.#options
    if (Array.isArray(frame)) return this.#receiveUpdate(frame)
    if (typeof frame === 'object' && frame !== null) return this.#receiveObject(frame)
    if (frame !== 'SYNC') return this.#receiveDigest(frame)
    if (!this.#isDigested || this.#isSynced) return refuse('SYNC out of place')
    this.#isSynced = true
    return hand(frame)
  }

  #receiveUpdate(frame: unknown[]): void {
    const { outgoing, onUpdate, isKnown, problemOf, hand, refuse } = this.#options
    const update = asUpdate(frame)
    if (update === undefined) return refuse('an update is malformed')
    if (!this.#isDigested) return refuse('an update came before the digest')
    onUpdate(update, this.#isSynced)
    outgoing.hears(update[2], update[1])
    // Most of what many links bring is known: that costs no second look.
    if (isKnown(update)) return undefined
    const problem = problemOf(update)
    if (problem !== undefined) return refuse(problem)
    return hand(update)
  }

  #receiveObject(frame: object): void {
    if ('heard' in frame) return this.#receivePage(frame)
    const taken = this.#options.takeFrame(frame, this.#isDigested)
    if (taken === undefined) return this.#receiveDigest(frame)
    if (taken.refused !== undefined) this.#options.refuse(taken.refused)
    return undefined
  }

  #receivePage(frame: object): void {
    const { outgoing, holds, refuse } = this.#options
    if (this.#isDigested) return refuse('a page of a digest came behind its end')
    const page = asDigestPage(frame)
    if (typeof page === 'string') return refuse(page)
    this.#hasPages = true
    // What is not held here is not sent, so that what it says of that need not be kept.
    for (const [source, sequence] of page) if (holds(source)) outgoing.hears(source, sequence)
    return undefined
  }

  #receiveDigest(frame: unknown): void {
    const { outgoing, isExpected, onDigest, refuse } = this.#options
    const digest = asDigest(frame)
    if (typeof digest === 'string') return refuse(digest)
    if (this.#isDigested) return refuse('a second digest')
    if (!isExpected(digest.id)) return refuse('the digest names another node')
    this.#isDigested = true
    for (const [source, sequence] of digest.clock) outgoing.hears(source, sequence)
    const isNewcomer = !this.#hasPages && digest.clock.size === 0 && digest.same === undefined
    return onDigest(digest, isNewcomer)
  }
}
