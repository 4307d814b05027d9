import type { Source } from '../identity/names.ts'

/** How far an end of a link has come with each source. */
export type SourceClock = Pick<ReadonlyMap<Source, number>, 'get'>

/** How far this node has come with each source that it holds. */
export interface HeldClock {
  held(source: Source): number
  sources(): Iterable<Source>
}

/**
 * How far the peer at the other end of a link has come with each source: once its digest is read,
 * only where that is not how far this node has come. So a link costs no memory for each source,
 * which in *members* would be a few for each node of the cluster.
 */
export class PeerClock implements SourceClock {
  readonly #here: HeldClock
  /** What is not as here; until the digest is read, what the peer has said. */
  readonly #apart = new Map<Source, number>()
  #isRead = false

  constructor(here: HeldClock) {
    this.#here = here
  }

  get(source: Source): number {
    return this.#apart.get(source) ?? (this.#isRead ? this.#here.held(source) : 0)
  }

  set(source: Source, sequence: number): void {
    if (this.#isRead && sequence === this.#here.held(source)) this.#apart.delete(source)
    else this.#apart.set(source, sequence)
  }

  /** The digest of the peer has been read: what it did not name it does not hold. */
  read(): void {
    for (const source of this.#here.sources()) {
      const sequence = this.#apart.get(source) ?? 0
      if (sequence === this.#here.held(source)) this.#apart.delete(source)
      else this.#apart.set(source, sequence)
    }
    this.#isRead = true
  }

  /** This node is about to come to another place with a source; the peer stays where it is. */
  stay(source: Source): void {
    if (this.#isRead && !this.#apart.has(source)) this.#apart.set(source, this.#here.held(source))
  }

  /** A source is not known any more. */
  forget(source: Source): void {
    this.#apart.delete(source)
  }

  /** All of it. */
  toMap(): Map<Source, number> {
    const all = new Map(this.#apart)
    if (!this.#isRead) return all
    for (const source of this.#here.sources()) {
      if (!all.has(source)) all.set(source, this.#here.held(source))
    }
    return all
  }
}
