import type { Source } from '../identity/names.ts'
import { keepNewest } from '../lib/keep-newest.ts'

/** How many sources ways are known to; those that brought something longest ago are forgotten. */
const MAX_SOURCES = 16_384

/**
 * Over which neighbours word goes back to each source: those that have brought its changes, the one
 * that brought the newest change first in front. The others stand in for it when it is gone.
 */
export class Ways<Neighbour> {
  readonly #ways = new Map<Source, Set<Neighbour>>()

  /** A neighbour was the first to bring a change. */
  lead(source: Source, neighbour: Neighbour): void {
    if (this.first(source) === neighbour) return
    const others = this.#ways.get(source) ?? []
    keepNewest(this.#ways, source, new Set([neighbour, ...others]), MAX_SOURCES)
  }

  /** A neighbour has brought a change too. */
  add(source: Source, neighbour: Neighbour): void {
    const ways = this.#ways.get(source)
    if (ways === undefined) this.lead(source, neighbour)
    else ways.add(neighbour)
  }

  /** Whether there is a way to a source, or there was one. */
  isKnown(source: Source): boolean {
    return this.#ways.has(source)
  }

  /** The neighbour to go by; undefined when there is none, or none any more. */
  first(source: Source): Neighbour | undefined {
    return this.#ways.get(source)?.values().next().value
  }

  /** The neighbours to go by, at most so many, the best first. */
  firstOf(source: Source, count: number): Neighbour[] {
    return [...(this.#ways.get(source)?.values().take(count) ?? [])]
  }

  /** A neighbour is no way to a source. @returns whether it was the one to go by */
  close(source: Source, neighbour: Neighbour): boolean {
    const wasFirst = this.first(source) === neighbour
    this.#ways.get(source)?.delete(neighbour)
    return wasFirst
  }

  /** A neighbour is gone. @returns the sources to which it was the one to go by */
  forget(neighbour: Neighbour): Source[] {
    return [...this.#ways.keys()].filter(source => this.close(source, neighbour))
  }

  /** The sources to which there was a way, and is none. */
  lost(): Source[] {
    return Array.from(this.#ways)
      .filter(([, ways]) => ways.size === 0)
      .map(([source]) => source)
  }
}
