import type { Subject } from '../identity/names.ts'
import { idOf, type Change, type ChangeId } from './change.ts'
import {
  mergeChange,
  stateOf,
  UNKNOWN_SUBJECT,
  type StandingGrant,
  type SubjectState,
} from './merge.ts'
import { restore } from './restore.ts'
import type { LoggedChange } from './store.ts'

export interface SubjectStatesOptions {
  /** Every change of a subject, in the order in which they came. */
  readonly changesOf: (subject: Subject) => Iterable<LoggedChange>
  /** Whether a grant adds nothing. */
  readonly isVoid: (entry: LoggedChange) => boolean
}

/** The state of each subject, and of which of them the log has to tell it. */
export class SubjectStates {
  readonly #options: SubjectStatesOptions
  readonly #states = new Map<Subject, SubjectState>()
  /** Subjects whose state the log has to tell: until then no more stands than is sure to stand. */
  readonly #unsettled = new Set<Subject>()

  constructor(options: SubjectStatesOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#states.size
  }

  /** How many subjects are still to be looked up in the log. */
  get unsettled(): number {
    return this.#unsettled.size
  }

  get(subject: Subject): SubjectState {
    return this.#states.get(subject) ?? UNKNOWN_SUBJECT
  }

  entries(): MapIterator<[Subject, SubjectState]> {
    return this.#states.entries()
  }

  isSettled(subject: Subject): boolean {
    return !this.#unsettled.has(subject)
  }

  /** The log has to tell the state of a subject. */
  unsettle(subject: Subject): void {
    this.#unsettled.add(subject)
  }

  /** Merge what a change says, if that can be done without the log. */
  merge(id: ChangeId, change: Change): void {
    const { subject } = change
    if (change.kind === 'checkpoint') return
    // A removal does not wait for the log.
    const isClear = this.isSettled(subject) || change.kind === 'revocation'
    const state = isClear ? mergeChange(this.get(subject), { id, change }) : undefined
    if (state === undefined) this.#unsettled.add(subject)
    else this.#states.set(subject, state)
  }

  /** @returns what puts back what is known of a subject now */
  snapshot(subject: Subject): () => void {
    const state = this.#states.get(subject)
    const wasSettled = this.isSettled(subject)
    return () => {
      restore(this.#states, subject, state)
      if (wasSettled) this.#unsettled.delete(subject)
    }
  }

  /** The subjects that a void grant lets in. */
  voided(): Subject[] {
    const voided: Subject[] = []
    for (const [subject, { grants }] of this.#states) {
      if (grants.some(grant => this.#isVoid(grant))) voided.push(subject)
    }
    return voided
  }

  /** Let void grants of subjects stand no longer, and have the log tell the rest. @returns what takes it back */
  dropVoid(subjects: readonly Subject[]): () => void {
    const comeBack = subjects.map(subject => this.snapshot(subject))
    for (const subject of subjects) {
      const state = this.get(subject)
      const grants = state.grants.filter(grant => !this.#isVoid(grant))
      this.#states.set(subject, { ...state, grants })
      this.#unsettled.add(subject)
    }
    return () => {
      for (const back of comeBack.toReversed()) back()
    }
  }

  /**
   * Look up in the log the states of some subjects, of those that need it.
   * @returns those that were looked up
   */
  settle(subjects: Iterable<Subject>): Subject[] {
    const settled: Subject[] = []
    for (const subject of subjects) {
      if (this.isSettled(subject)) continue
      const state = this.#evaluate(subject)
      // Not before: what cannot be read now is to be looked up later.
      this.#unsettled.delete(subject)
      const isKnown = state.grants.length > 0 || state.revocations.size > 0
      restore(this.#states, subject, isKnown ? state : undefined)
      settled.push(subject)
    }
    return settled
  }

  /** Look up the states of the next `limit` subjects that need it. @returns those subjects */
  settleSome(limit: number): Subject[] {
    return this.settle(this.#unsettled.values().take(limit).toArray())
  }

  #isVoid({ id, change }: StandingGrant): boolean {
    return this.#options.isVoid({ change, hash: id })
  }

  #evaluate(subject: Subject): SubjectState {
    const entries = [...this.#options.changesOf(subject)]
    return stateOf(
      entries.map(entry => ({
        id: idOf(entry),
        change: entry.change,
        isVoid: this.#options.isVoid(entry),
      })),
    )
  }
}
