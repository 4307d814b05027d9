import { isRun, nodeOf, type Name, type Source } from '../identity/names.ts'
import type { Head, Place, UpTo } from './change.ts'
import { strayPlace, type Entry } from './entry.ts'
import { restore } from './restore.ts'
import type { LoggedChange } from './store.ts'

/**
 * How an entry fits what a node holds (PROTOCOL.md, "Updates"):
 * - `next`: it can be merged;
 * - `stale`: it is the head of its source;
 * - `earlier`: its place is taken, and only the log knows whether by itself;
 * - `forked`: its source has forked at or before its place: it counts as a stray;
 * - `fork`, `unlinked`: it and the head of its source cannot stand in one chain;
 * - `gap`, `unseen`: something before it is missing.
 */
export type Fit = 'next' | 'stale' | 'earlier' | 'forked' | 'fork' | 'unlinked' | 'gap' | 'unseen'

/** How far each source has been heard, and which of them have forked. */
export class HeardSources {
  readonly #heads = new Map<Source, Head>()
  /** For each source that equivocated the first sequence that is filed as a stray. */
  readonly #forks = new Map<Source, number>()
  readonly #strays = new Set<Source>()

  /** The greatest sequence by source. */
  clock(): Map<Source, number> {
    return new Map(Array.from(this.#heads, ([source, head]) => [source, head.sequence]))
  }

  /** The newest entry of each source; strays, whose place says what they are, left out. */
  *heads(): Iterable<[Source, Head]> {
    for (const [source, head] of this.#heads) if (!this.#strays.has(source)) yield [source, head]
  }

  /** The newest entry of each source, and each stray where it stands. */
  everything(): Map<Source, Head> {
    return new Map(this.#heads)
  }

  /** What is at or below heads was heard, though not all of it is in the log. */
  beginAt(heads: UpTo): void {
    for (const [source, head] of heads) if (isRun(source)) this.#heads.set(source, head)
  }

  /** The newest entry of one source. */
  head(source: Source): Head | undefined {
    return this.#heads.get(source)
  }

  /** How an entry fits by its place and its link, whatever its author has seen. */
  fit({ change, hash }: Entry): Exclude<Fit, 'unseen'> {
    const { sequence, source, previous } = change
    if (this.forkOf(source) <= sequence) return 'forked'
    const head = this.#heads.get(source)
    if (head !== undefined && sequence < head.sequence) return 'earlier'
    if (sequence === head?.sequence) return hash === head.hash ? 'stale' : 'fork'
    if (sequence !== (head?.sequence ?? 0) + 1) return 'gap'
    if (previous !== (head?.hash ?? '')) return 'unlinked'
    return 'next'
  }

  /** An entry is the head of its source now. @returns what takes it back */
  advance({ change, hash }: LoggedChange): () => void {
    const { source, sequence } = change
    const before = this.#heads.get(source)
    this.#heads.set(source, { sequence, hash })
    return () => restore(this.#heads, source, before)
  }

  /** File an entry as a stray. @returns what takes it back */
  fileStray(entry: Entry): () => void {
    const { source: forked } = entry.change
    const fork = this.#forks.get(forked)
    const { source, sequence } = strayPlace(entry)
    this.#heads.set(source, { sequence, hash: entry.hash })
    this.#strays.add(source)
    // By its own place alone, so that equal strays are equal forks on every node.
    this.noteFork(entry.change)
    return () => {
      restore(this.#forks, forked, fork)
      this.#heads.delete(source)
      this.#strays.delete(source)
    }
  }

  /** File as strays what comes from here on of a source. */
  noteFork({ source, sequence }: Place): void {
    this.#forks.set(source, Math.min(this.forkOf(source), sequence))
  }

  /** The first sequence of a source that was forked; `Infinity` for all others. */
  forkOf(source: Source): number {
    return this.#forks.get(source) ?? Infinity
  }

  /** Whether any source has forked. */
  get hasForks(): boolean {
    return this.#forks.size > 0
  }

  /** Whether a source of a node has forked. */
  hasForked(node: Name): boolean {
    return this.#forks.keys().some(source => nodeOf(source) === node)
  }
}
