import { roleOf, type Subject } from '../identity/names.ts'
import { Authors } from '../whitelist/authors.ts'
import { idOf, type ChangeId, type Revocation } from '../whitelist/change.ts'
import type { SubjectState } from '../whitelist/merge.ts'
import type { ChangeLog, LoggedChange } from '../whitelist/store.ts'
import type { ReadableWhitelist } from '../whitelist/readable-whitelist.ts'

export interface UnkeptRemovalsOptions {
  readonly list: () => ReadableWhitelist
  readonly log: Pick<ChangeLog, 'find'>
}

interface Unkept {
  readonly change: Revocation
  /** Whether an operator of this node was told that it is not recorded: peers will not bring it. */
  readonly isRefused: boolean
}

/**
 * Removals that were verified and could not be stored. They act all the same: what takes away does
 * not wait for a disk. One that a peer brought acts until it is stored, or until this run ends; one
 * that an operator was told is not recorded only while the disk fails.
 */
export class UnkeptRemovals {
  readonly #options: UnkeptRemovalsOptions
  readonly #bySubject = new Map<Subject, Map<ChangeId, Unkept>>()
  #authors: Authors

  constructor(options: UnkeptRemovalsOptions) {
    this.#options = options
    this.#authors = this.#withdrawnAuthors()
  }

  /** Let a removal act that could not be stored. @returns the subjects whose state it changes */
  add({ change, hash }: LoggedChange, isRefused: boolean): Subject[] {
    if (change.kind !== 'revocation') return []
    const { subject } = change
    const isClient = roleOf(subject) === 'client'
    // Of names that nothing lets in there is no end, and nothing to take from them.
    if (isClient && this.#options.list().state(subject).grants.length === 0) return []
    const removals = this.#bySubject.get(subject) ?? new Map<ChangeId, Unkept>()
    const id = idOf({ change, hash })
    // The same wish may have come from a peer: then it acts on, whatever an operator was told.
    const isAllRefused = isRefused && removals.get(id)?.isRefused !== false
    removals.set(id, { change, isRefused: isAllRefused })
    this.#bySubject.set(subject, removals)
    if (isClient) return [subject]
    this.#authors = this.#withdrawnAuthors()
    return [subject, ...this.#voidSubjects()]
  }

  /** A change is in the log: the list says by itself what follows. */
  stored(entry: LoggedChange): void {
    const { subject } = entry.change
    const removals = this.#bySubject.get(subject)
    if (removals === undefined || !removals.delete(idOf(entry))) return
    if (removals.size === 0) this.#bySubject.delete(subject)
    this.#authors = this.#withdrawnAuthors()
  }

  /** Let those act no more that were refused. @returns the subjects whose state that changes */
  dropRefused(): Subject[] {
    const subjects: Subject[] = []
    const before = this.#voidSubjects()
    for (const [subject, removals] of this.#bySubject) {
      for (const [id, { isRefused }] of removals) {
        if (!isRefused) continue
        removals.delete(id)
        subjects.push(subject)
      }
      if (removals.size === 0) this.#bySubject.delete(subject)
    }
    this.#authors = this.#withdrawnAuthors()
    return [...subjects, ...before]
  }

  /** The state of a subject, with what could not be stored. */
  stateOf(subject: Subject): SubjectState {
    const state = this.#options.list().state(subject)
    if (this.#bySubject.size === 0) return state
    const removals = this.#bySubject.get(subject)
    if (removals === undefined) {
      const grants = state.grants.filter(
        ({ change, id }) => !this.#authors.isVoid({ change, hash: id }),
      )
      return grants.length === state.grants.length ? state : { ...state, grants }
    }
    return { grants: [], revocations: new Set(removals.keys()).union(state.revocations) }
  }

  #voidSubjects(): Subject[] {
    const subjects: Subject[] = []
    for (const [subject, { grants }] of this.#options.list().subjects()) {
      const isVoid = grants.some(({ change, id }) => this.#authors.isVoid({ change, hash: id }))
      if (isVoid) subjects.push(subject)
    }
    return subjects
  }

  #withdrawnAuthors(): Authors {
    const { list, log } = this.#options
    const authors = new Authors({
      forkOf: source => list().forkOf(source),
      find: (place, hash) => log.find(place, hash),
    })
    for (const removals of this.#bySubject.values()) {
      for (const { change } of removals.values()) authors.withdraw(change)
    }
    return authors
  }
}
