import {
  nameOf,
  nodeOf,
  roleOf,
  subjectOf,
  type Name,
  type Source,
  type Subject,
} from '../identity/names.ts'
import type { Change, ChangeRequest, Place, Seen } from './change.ts'
import { conflicts, strayPlace, type Entry, type Stray } from './entry.ts'
import type { LoggedChange } from './store.ts'
import { mergeChange, seenOf, UNKNOWN_SUBJECT, type SubjectState } from './merge.ts'

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

/** The newest entry of a source. */
export interface Head {
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
  /** For each operator and node that was revoked: up to where it still counts. */
  readonly #withdrawn = new Map<Subject, ReadonlyMap<string, Seen>>()
  /** For each operator the last place that it signed, by source. */
  readonly #signed = new Map<Name, Map<Source, number>>()
  /** For each source that equivocated the first sequence that does not count in its place. */
  readonly #forks = new Map<Source, number>()
  readonly #strays = new Set<Source>()
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

  /** The newest entry of each source; strays, whose place says what they are, left out. */
  *heads(): Iterable<[Source, Head]> {
    for (const [source, head] of this.#heads) if (!this.#strays.has(source)) yield [source, head]
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
    const { sequence, source } = entry.change
    if (this.forkOf(source) <= sequence) return 'forked'
    const head = this.#heads.get(source)
    if (head !== undefined && sequence < head.sequence) return 'earlier'
    if (sequence === head?.sequence) return entry.hash === head.hash ? 'stale' : 'fork'
    if (sequence !== (head?.sequence ?? 0) + 1) return 'gap'
    if (entry.previous !== this.headHash(source)) return 'unlinked'
    return this.holdsSeen(entry.change) ? 'next' : 'unseen'
  }

  /**
   * Whether all that an author says to have seen is here. Of a source that forked only what stands
   * before the fork can be: the rest may have been taken as strays before it came in its place.
   */
  holdsSeen(change: Change): boolean {
    for (const [other, seen] of (change.kind === 'grant' ? change.seen : change.upTo) ?? []) {
      if (other === change.source) continue
      if (this.heard(other) < Math.min(seen, this.forkOf(other) - 1)) return false
    }
    return true
  }

  /** Merge an entry whose `fit` is `next`. What it returns takes it back, if it is the last. */
  merge(entry: LoggedChange): () => void {
    const { change } = entry
    const { source, sequence, subject, operator } = change
    const head = this.#heads.get(source)
    const state = this.#subjects.get(subject)
    const withdrawn = this.#withdrawn.get(subject)
    const signed = this.#signed.get(operator) ?? new Map<Source, number>()
    const signedBefore = signed.get(source)
    this.#heads.set(source, { sequence, hash: entry.hash })
    this.#signed.set(operator, signed.set(source, sequence))
    this.withdraw(change)
    if (!this.#isVoid(change)) this.#subjects.set(subject, mergeChange(this.state(subject), change))
    const counts = this.forkOf(source) > sequence ? 1 : 0
    this.#changes += counts
    return () => {
      restore(this.#heads, source, head)
      restore(this.#subjects, subject, state)
      restore(this.#withdrawn, subject, withdrawn)
      restore(signed, source, signedBefore)
      this.#changes -= counts
    }
  }

  /** The first sequence of a source that was forked; `Infinity` for all others. */
  forkOf(source: Source): number {
    return this.#forks.get(source) ?? Infinity
  }

  /** Whether a node has signed what cannot stand in one chain, in any of its runs. */
  hasEquivocated(node: Name): boolean {
    return this.#forks.keys().some(source => nodeOf(source) === node)
  }

  /** Whether a node was removed from the cluster: for good, whatever came after. */
  hasRemoved(node: Name): boolean {
    return this.state(subjectOf('node', node)).marks.size > 0
  }

  /** Whether it is beyond doubt that a stray cannot stand in its place. */
  isProven({ entry, against }: Stray): boolean {
    if (this.forkOf(entry.change.source) <= entry.change.sequence) return true
    return against !== undefined && conflicts(entry, against)
  }

  /**
   * Merge a stray that is proven and not held yet. From its place on nothing of its source counts
   * where it stood: the list must be built anew if something of that was merged, or if it revokes
   * an author.
   */
  mergeStray({ entry }: Stray): void {
    const { change, hash } = entry
    const place = strayPlace(entry)
    this.#heads.set(place.source, { sequence: place.sequence, hash })
    this.#strays.add(place.source)
    const signed = this.#signed.get(change.operator) ?? new Map<Source, number>()
    this.#signed.set(change.operator, signed.set(place.source, place.sequence))
    // By its own place alone, so that equal strays are equal forks on every node.
    this.noteFork(change)
    const moved: Change = { ...change, ...place }
    if (!this.isWithdrawn(change, moved)) {
      this.#subjects.set(moved.subject, mergeChange(this.state(moved.subject), moved))
    }
    if (moved.kind === 'revocation') this.withdraw(moved)
    this.#changes += 1
  }

  /** Let nothing count in its place from here on of a source. */
  noteFork({ source, sequence }: Place): void {
    this.#forks.set(source, Math.min(this.forkOf(source), sequence))
  }

  /** Take note of a revocation of an operator or node before its turn. Others are passed over. */
  withdraw(change: Change): void {
    if (change.kind === 'grant' || change.upTo === undefined) return
    const { subject, source, sequence, upTo } = change
    const known = this.#withdrawn.get(subject) ?? []
    this.#withdrawn.set(subject, new Map([...known, [`${source} ${sequence}`, upTo]]))
  }

  /**
   * Whether a merged revocation of an operator or node voids changes that were merged before it:
   * then the list must be built anew from the log.
   */
  voidsEarlier(change: Change): boolean {
    if (change.kind === 'grant' || change.upTo === undefined) return false
    const { subject, upTo } = change
    const name = nameOf(subject)
    if (roleOf(subject) === 'node') {
      return [...this.#heads].some(
        ([source, head]) => nodeOf(source) === name && head.sequence > (upTo.get(source) ?? 0),
      )
    }
    const signed = this.#signed.get(name) ?? []
    return [...signed].some(([source, sequence]) => sequence > (upTo.get(source) ?? 0))
  }

  /**
   * Whether a change stands in the forked part of its source, where its stray counts instead, or
   * was made by a revoked operator or accepted by a revoked node, out of sight of the revocation.
   * It stays in the log and has no effect. Revocations of operators and nodes
   * themselves are never void: of two that revoke each other, both are out.
   */
  #isVoid(change: Change): boolean {
    return this.forkOf(change.source) <= change.sequence || this.isWithdrawn(change)
  }

  /**
   * Whether a change was made by a revoked operator or accepted by a revoked node, out of sight of that.
   * @param moved where it counts, if it is a stray: to have seen it at either place is to have seen it
   */
  isWithdrawn(change: Change, moved: Place = change): boolean {
    if (this.#withdrawn.size === 0 || roleOf(change.subject) !== 'client') return false
    const isBeyond = (upTo: Seen): boolean =>
      [change, moved].every(({ source, sequence }) => sequence > (upTo.get(source) ?? 0))
    const authors = [
      subjectOf('operator', change.operator),
      subjectOf('node', nodeOf(change.source)),
    ]
    return authors.some(author => this.#withdrawn.get(author)?.values().some(isBeyond) === true)
  }

  /** The change that a request becomes at the next place of `source`, at the time `at`. */
  draft(request: ChangeRequest, source: Source, at: number): Change {
    const place = { source, sequence: this.heard(source) + 1 }
    if (request.kind === 'revocation') {
      if (roleOf(request.subject) === 'client') return { ...request, ...place, at }
      // Its own place included: an operator that revokes itself has still done so.
      return { ...request, ...place, at, upTo: this.clock().set(source, place.sequence) }
    }
    return { ...request, ...place, at, seen: seenOf(this.state(request.subject)) }
  }
}

/** The list for those that may not merge anything into it. */
export type ReadableWhitelist = Pick<
  Whitelist,
  | 'changes'
  | 'size'
  | 'state'
  | 'subjects'
  | 'clock'
  | 'heads'
  | 'heard'
  | 'forkOf'
  | 'hasEquivocated'
  | 'hasRemoved'
  | 'isWithdrawn'
  | 'draft'
>

function restore<Key, Value>(map: Map<Key, Value>, key: Key, value: Value | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}
