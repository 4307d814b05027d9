import type { Source, Subject } from '../names.ts'
import type { Change, ChangeRequest, Entry, Place } from './change.ts'
import { mergeChange, seenOf, UNKNOWN_SUBJECT, type SubjectState } from './merge.ts'

/** What a node must already hold before it can take an entry (PROTOCOL.md, "Updates"). */
export type Fit = 'next' | 'stale' | 'gap' | 'fork' | 'unlinked' | 'unseen'

interface Head {
  readonly sequence: number
  readonly hash: string
}

/**
 * One replica of the whitelist, in memory: the state of each subject and how far each source
 * has been heard. It holds no log and touches no disk.
 */
export class Whitelist {
  readonly #subjects = new Map<Subject, SubjectState>()
  readonly #heads = new Map<Source, Head>()
  #changes = 0

  /** How many changes it has merged. */
  get changes(): number {
    return this.#changes
  }

  /** How many subjects it knows, admitted or not. */
  get size(): number {
    return this.#subjects.size
  }

  state(subject: Subject): SubjectState {
    return this.#subjects.get(subject) ?? UNKNOWN_SUBJECT
  }

  subjects(): IterableIterator<[Subject, SubjectState]> {
    return this.#subjects.entries()
  }

  /** The greatest sequence merged, by source. */
  clock(): Map<Source, number> {
    return new Map(Array.from(this.#heads, ([source, head]) => [source, head.sequence]))
  }

  /** The greatest sequence merged of one source, 0 where none. */
  heard(source: Source): number {
    return this.#heads.get(source)?.sequence ?? 0
  }

  /** The hash that the next entry of a source must name as the one before it. */
  headHash(source: Source): string {
    return this.#heads.get(source)?.hash ?? ''
  }

  /** Whether a place has been merged. */
  holds(place: Place): boolean {
    return this.heard(place.source) >= place.sequence
  }

  /**
   * Whether an entry is the next of its source. A digest cannot represent a hole, so there are
   * none: sequences are contiguous, each entry links to the one before, and a grant may have
   * seen only what its receiver holds as well (links deliver in causal order).
   */
  fit(entry: Entry): Fit {
    const head = this.#heads.get(entry.change.source)
    const { sequence, source } = entry.change
    if (head !== undefined && sequence <= head.sequence) {
      return sequence === head.sequence && entry.hash !== head.hash ? 'fork' : 'stale'
    }
    if (sequence !== (head?.sequence ?? 0) + 1) return 'gap'
    if (entry.previous !== this.headHash(source)) return 'unlinked'
    if (entry.change.kind === 'grant') {
      for (const [seenSource, seen] of entry.change.seen) {
        if (this.heard(seenSource) < seen) return 'unseen'
      }
    }
    return 'next'
  }

  /** Merge an entry whose `fit` is `next`. What it returns takes it back, if it is the last. */
  merge(entry: Entry): () => void {
    const { change } = entry
    const head = this.#heads.get(change.source)
    const state = this.#subjects.get(change.subject)
    this.#heads.set(change.source, { sequence: change.sequence, hash: entry.hash })
    this.#subjects.set(change.subject, mergeChange(this.state(change.subject), change))
    this.#changes += 1
    return () => {
      restore(this.#heads, change.source, head)
      restore(this.#subjects, change.subject, state)
      this.#changes -= 1
    }
  }

  /** The change that a request becomes at the next place of `source`, at the time `at`. */
  draft(request: ChangeRequest, source: Source, at: number): Change {
    const place = { source, sequence: this.heard(source) + 1 }
    if (request.kind === 'revocation') return { ...request, ...place, at }
    return { ...request, ...place, at, seen: seenOf(this.state(request.subject)) }
  }
}

function restore<Key, Value>(map: Map<Key, Value>, key: Key, value: Value | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}
