import { subscribeTo } from '../lib/listeners.ts'
import type { Extent } from '../whitelist/extent.ts'
import type { DocumentStream } from './document-stream.ts'
import type { ReplicaLinks } from './replica-links.ts'
import type { StorageHealth } from './storage-health.ts'

/** Remembers across starts how much of the list the log is. */
export interface WholenessRecord {
  extent(): Extent
  /** @throws FridgeError `ERR_DATABASE` */
  noteExtent(extent: Extent): void
}

export interface WholenessOptions {
  /** What remembers it. Default: only this run does. */
  readonly record?: WholenessRecord | undefined
  readonly links: ReplicaLinks
  /** Whether the log holds nothing. */
  readonly isEmpty: () => boolean
  /** Whether a list that begins at a checkpoint may be taken for the whole one. Default: always. */
  readonly isWitnessed?: () => boolean
  /** Hears of a record that fails, and says when it can be written again. */
  readonly storage: Pick<StorageHealth, 'failed' | 'subscribe'>
}

/**
 * Whether the log is one that was complete at some time, with what came singly behind it: the
 * beginning of a longer log lets in whom its end removes. Newcomers that take in the same list at
 * the same time are no proof to each other that all of it has come.
 */
export class Wholeness implements Disposable {
  readonly #options: WholenessOptions
  readonly #listeners = new Set<(hasExchanged: boolean) => void>()
  readonly #subscription: Disposable
  #extent: Extent
  /** That it is whole could not be remembered. */
  #isOwed = false
  #hasExchanged = false
  #isDisposed = false

  constructor(options: WholenessOptions) {
    this.#options = options
    this.#extent = options.record?.extent() ?? 'new'
    this.#subscription = options.storage.subscribe(failing => {
      if (failing === undefined && this.#isOwed) this.#noteWhole()
    })
  }

  get isWhole(): boolean {
    return this.#extent === 'whole'
  }

  /** Whether the log is the beginning of a longer one. */
  get isBeginning(): boolean {
    return this.#extent === 'beginning'
  }

  /**
   * Whether the log was complete at some time, as this node says in its hello; undefined where
   * nothing is there but what newcomers accepted themselves.
   */
  get wasWhole(): boolean | undefined {
    if (this.isBeginning) return false
    return this.#extent === 'new' || this.#options.isEmpty() ? undefined : true
  }

  /** Whether all is there that anybody in reach holds, as far as this run has been told. */
  get hasExchanged(): boolean {
    return this.#hasExchanged
  }

  /** Hear when all is there that anybody in reach holds, and when that turns out to be a beginning. */
  subscribe(listener: (hasExchanged: boolean) => void): Disposable {
    return subscribeTo(this.#listeners, listener)
  }

  /** There is nobody who could hold more. */
  noteAlone(): void {
    this.#noteWhole()
    this.#tell(true)
  }

  /** A link has begun. */
  met(link: DocumentStream): void {
    if (link.wasWhole === undefined || link.wasWhole.here === this.wasWhole) return
    link.leave('since its hello this node has come to hold another part of the list')
  }

  /** A link brings something before all has come that its peer held. */
  brought(link: DocumentStream): void {
    const { links } = this.#options
    links.noteBringing(link)
    const { wasWhole } = this
    if (wasWhole === true) return this.#note('behind')
    if (wasWhole === false) return undefined
    const isOfNewcomer = link.wasWhole?.there === undefined
    this.#note(isOfNewcomer ? 'new' : 'beginning')
    this.#tell(false)
    if (!isOfNewcomer) links.leaveNewcomers('this node holds the beginning of a list', link)
  }

  /** All has come that the peer of a link held. */
  exchanged(link: DocumentStream): void {
    this.#prove(link.wasWhole?.there === true)
  }

  /** More nodes than before say what the list is. */
  witnessed(): void {
    this.lost()
  }

  /** A link has ended: what it has begun to bring, another one may have brought meanwhile. */
  lost(): void {
    if (this.isBeginning && this.#options.links.hasWhole) this.#prove(true)
  }

  /** Note nothing any more. */
  [Symbol.dispose](): void {
    this.#isDisposed = true
    this.#subscription[Symbol.dispose]()
  }

  #prove(wasPeerWhole: boolean): void {
    const { wasWhole } = this
    const { links } = this.#options
    // A peer cannot say to be all what another one has begun to bring.
    if (wasWhole !== true && links.isBringing) return
    const isProof = wasPeerWhole && this.#options.isWitnessed?.() !== false
    if (this.isBeginning && !isProof) return
    this.noteAlone()
  }

  /** Who was told that this node holds a beginning takes what it brings for no proof: it links anew. */
  #noteWhole(): void {
    const { wasWhole } = this
    this.#note('whole')
    if (wasWhole === true || this.wasWhole !== true) return
    this.#options.links.leaveBeginners('this node holds the whole list by now')
  }

  /** What cannot be remembered leaves it as it was. */
  #note(extent: Extent): void {
    this.#isOwed = false
    if (this.#extent === extent || this.#isDisposed) return
    try {
      this.#options.record?.noteExtent(extent)
      this.#extent = extent
    } catch (error) {
      // A link says once that all has come: not tried again, the next start would wait for another.
      this.#isOwed = extent === 'whole'
      this.#options.storage.failed(error)
    }
  }

  #tell(hasExchanged: boolean): void {
    if (this.#hasExchanged === hasExchanged) return
    this.#hasExchanged = hasExchanged
    for (const listener of this.#listeners) listener(hasExchanged)
  }
}
