import { restore } from './restore.ts'
import {
  nameOf,
  nodeOf,
  roleOf,
  subjectOf,
  type Name,
  type Source,
  type Subject,
} from '../identity/names.ts'
import {
  CHANGE_LIMITS,
  type Change,
  type Head,
  type Place,
  type Revocation,
  type UpTo,
} from './change.ts'
import type { HeldEntry, LoggedChange } from './store.ts'

/** What the authors of changes need to know of the log. */
export interface AuthorsOptions {
  readonly forkOf: (source: Source) => number
  readonly find: (place: Place, hash: string) => HeldEntry | undefined
}

/** What is known of one branch of a source that forked, from an entry back to the fork. */
interface Branch {
  /** The hashes of its entries. */
  readonly hashes: Set<string>
  /** Where it goes on: to the part that all branches have, or to an entry that is not here yet. */
  next: Head
}

/**
 * The operators and nodes that make grants, and those of them that were revoked: what they
 * granted out of sight of that is void (PROTOCOL.md, "Merging").
 */
export class Authors {
  readonly #options: AuthorsOptions
  /** For each revoked operator or node how far it counts, by each of its revocations. */
  readonly #withdrawn = new Map<Subject, UpTo[]>()
  /** For each of them how far it counts at most: what one of its revocations leaves out is out. */
  readonly #bounds = new Map<Subject, UpTo>()
  /** For each operator the last grant or checkpoint that it signed, by source. */
  readonly #signed = new Map<Name, Map<Source, Head>>()
  /** The last grant or checkpoint that was accepted in each source. */
  readonly #accepted = new Map<Source, Head>()
  /** For each source that forked the branches up to which somebody counts, by their last entry. */
  readonly #branches = new Map<Source, Map<string, Branch>>()

  constructor(options: AuthorsOptions) {
    this.#options = options
  }

  /**
   * Take note of a grant or a checkpoint in its place. Others are passed over.
   * @returns what takes it back
   */
  noteSigned({ change, hash }: LoggedChange): () => void {
    if (change.kind === 'revocation') return () => {}
    const { source, sequence, operator } = change
    const signed = this.#signed.get(operator) ?? new Map<Source, Head>()
    const signedBefore = signed.get(source)
    const acceptedBefore = this.#accepted.get(source)
    const last: Head = { sequence, hash }
    this.#signed.set(operator, signed.set(source, last))
    this.#accepted.set(source, last)
    return () => {
      restore(signed, source, signedBefore)
      restore(this.#accepted, source, acceptedBefore)
    }
  }

  /**
   * Take note of a revocation of an operator or a node. Others are passed over.
   * @returns what takes it back
   */
  withdraw(change: Change): () => void {
    if (change.kind !== 'revocation' || change.upTo === undefined) return () => {}
    const { subject, upTo } = change
    const all = this.#withdrawn.get(subject) ?? []
    this.#withdrawn.set(subject, all)
    all.push(upTo)
    const bound = this.#bounds.get(subject)
    this.#bounds.set(subject, bound === undefined ? upTo : lowerOf(bound, upTo))
    return () => {
      all.pop()
      if (all.length === 0) this.#withdrawn.delete(subject)
      restore(this.#bounds, subject, bound)
    }
  }

  /**
   * Whether a change that is not withdrawn by yet may void grants that stand. A stolen key revokes one
   * author again and again: what was void before asks for no look at all that stands.
   */
  mayVoid(change: Change, hasForks: boolean): boolean {
    if (change.kind !== 'revocation' || change.upTo === undefined) return false
    const { subject, upTo } = change
    const bound = this.#bounds.get(subject)
    if (bound === undefined && hasForks) return true
    return (bound?.entries() ?? this.#lastSigned(subject)).some(([source, head]) => {
      const last = upTo.get(source)
      // Of branches the lower one need not be a part of the higher.
      if (this.#options.forkOf(source) < Infinity) return last?.hash !== head.hash
      return head.sequence > (last?.sequence ?? 0)
    })
  }

  /** Whether an entry is a grant or a checkpoint of an author who was revoked out of sight of it. */
  isVoid(entry: LoggedChange): boolean {
    const { change } = entry
    if (this.#withdrawn.size === 0 || change.kind === 'revocation') return false
    const authors = [
      subjectOf('operator', change.operator),
      subjectOf('node', nodeOf(change.source)),
    ]
    return authors.some(author =>
      this.#withdrawn.get(author)?.some(upTo => !this.isWithin(entry, upTo)),
    )
  }

  /** Whether an entry is on the chain that ends where `upTo` says. */
  isWithin(
    { change, hash }: { readonly change: Place; readonly hash: string },
    upTo: UpTo,
  ): boolean {
    const { source, sequence } = change
    const last = upTo.get(source)
    if (last === undefined || sequence > last.sequence) return false
    // Before the fork all branches are one.
    if (sequence < this.#options.forkOf(source)) return true
    return this.#branchOf(source, last).hashes.has(hash)
  }

  /** Whether all that a revocation names as still counting is here. */
  holdsUpTo({ subject, upTo }: Revocation): boolean {
    if (upTo === undefined) return true
    const known = new Map(this.#lastSigned(subject))
    return upTo.entries().every(([source, { sequence, hash }]) => {
      if (known.get(source)?.hash === hash) return true
      const held = this.#options.find({ source, sequence }, hash)
      return held?.change.sequence === sequence
    })
  }

  /** Whether all is here that these heads end, link by link. */
  holdsBelow(heads: UpTo): boolean {
    return heads.entries().every(([source, head]) => {
      const held = this.#options.find({ source, sequence: head.sequence }, head.hash)
      if (held?.change.sequence !== head.sequence) return false
      const fork = this.#options.forkOf(source)
      return head.sequence < fork || this.#branchOf(source, head).next.sequence < fork
    })
  }

  /**
   * How far an author counts that is revoked now: its last grant or checkpoint in each source.
   * @param standing the sources of all grants that stand: of too many the most frequent are taken
   */
  upTo(author: Subject, standing: () => Iterable<Source>): UpTo {
    const last = [...this.#lastSigned(author)]
    if (last.length <= CHANGE_LIMITS.maxSeen) return new Map(last)
    const counts = new Map<Source, number>()
    for (const source of standing()) counts.set(source, (counts.get(source) ?? 0) + 1)
    const count = (source: Source): number => counts.get(source) ?? 0
    last.sort(([a], [b]) => count(b) - count(a) || (a < b ? -1 : 1))
    return new Map(last.slice(0, CHANGE_LIMITS.maxSeen))
  }

  /**
   * The subjects that are to be judged anew because an entry was filed as a stray: whether a
   * revoked author still counts there depends on the branch on which an entry stands.
   */
  touchedBy({ change, hash }: LoggedChange): Subject[] {
    const { source, subject } = change
    const isNamed = this.#withdrawn.values().some(all => all.some(upTo => upTo.has(source)))
    if (!isNamed) return []
    const touched = [subject]
    for (const branch of this.#branches.get(source)?.values() ?? []) {
      if (branch.next.hash === hash) touched.push(...this.#walk(source, branch))
    }
    return touched
  }

  #lastSigned(author: Subject): IteratorObject<[Source, Head]> {
    const name = nameOf(author)
    if (roleOf(author) === 'operator') return (this.#signed.get(name) ?? new Map()).entries()
    return this.#accepted.entries().filter(([source]) => nodeOf(source) === name)
  }

  #branchOf(source: Source, last: Head): Branch {
    const branches = this.#branches.get(source) ?? new Map<string, Branch>()
    const branch = branches.get(last.hash) ?? { hashes: new Set(), next: last }
    this.#branches.set(source, branches.set(last.hash, branch))
    this.#walk(source, branch)
    return branch
  }

  /** Follow a branch as far as its entries are here. @returns their subjects */
  #walk(source: Source, branch: Branch): Subject[] {
    const subjects: Subject[] = []
    while (branch.next.sequence >= this.#options.forkOf(source)) {
      const { sequence, hash } = branch.next
      const entry = this.#options.find({ source, sequence }, hash)
      if (entry === undefined) break
      branch.hashes.add(hash)
      branch.next = { sequence: sequence - 1, hash: entry.change.previous }
      subjects.push(entry.change.subject)
    }
    return subjects
  }
}

/** In each source that both name the one that ends earlier. */
function lowerOf(one: UpTo, other: UpTo): UpTo {
  const lower = new Map<Source, Head>()
  for (const [source, head] of one) {
    const rival = other.get(source)
    if (rival !== undefined) lower.set(source, rival.sequence < head.sequence ? rival : head)
  }
  return lower
}
