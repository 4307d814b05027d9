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
  /** How far this node was where it has gone on since it said its buckets; undefined while it has not. */
  #gone: Map<Source, number> | undefined
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

  /** Until the digest is read: what the peer has said of. */
  said(): Iterable<Source> {
    return this.#apart.keys()
  }

  /** This node is about to say its buckets: the peer compares its own with what is held now. */
  watch(): void {
    this.#gone = new Map()
  }

  /**
   * The digest of the peer has been read: what it did not name it does not hold.
   * @param apart the sources of which that is so: of all others the peer holds what this node held
   *   when it said its buckets. Default: all
   */
  read(apart: Iterable<Source> = this.#here.sources()): void {
    const before = this.#gone ?? []
    const said = new Set(this.#apart.keys())
    this.#gone = undefined
    this.#isRead = true
    const unsaid = new Set<Source>()
    for (const source of apart) if (!said.has(source)) unsaid.add(source)
    for (const [source, sequence] of before) {
      if (!said.has(source) && !unsaid.has(source)) this.set(source, sequence)
    }
    for (const source of said) this.set(source, this.#apart.get(source) ?? 0)
    for (const source of unsaid) this.set(source, 0)
  }

  /** This node is about to come to another place with a source; the peer stays where it is. */
  stay(source: Source): void {
    if (!this.#isRead) {
      if (this.#gone?.has(source) === false) this.#gone.set(source, this.#here.held(source))
    } else if (!this.#apart.has(source)) this.#apart.set(source, this.#here.held(source))
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
