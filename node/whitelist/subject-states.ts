import type { Subject } from '../identity/names.ts'
import type { Change, ChangeId } from './change.ts'
import {
  mergeChange,
  stateOf,
  UNKNOWN_SUBJECT,
  type IdentifiedChange,
  type SubjectState,
} from './merge.ts'
import { restore } from './restore.ts'
import { replaceIds } from './revocation-ids.ts'
import { Sight } from './sight.ts'
import { standsIn, type StandingGrant } from './standing-grants.ts'
import type { LoggedChange } from './store.ts'
import type { Stating, SubjectHistory } from './subject-history.ts'

export interface SubjectStatesOptions {
  /** All changes of a subject. */
  readonly historyOf: (subject: Subject) => SubjectHistory
  /** The checkpoints behind which counts what they state. */
  readonly checkpoints: () => readonly Stating[]
  /** Whether a grant adds nothing. */
  readonly isVoid: (entry: LoggedChange) => boolean
}

/** The state of each subject, and of which of them the log has to tell it. */
export class SubjectStates {
  readonly #options: SubjectStatesOptions
  readonly #states = new Map<Subject, SubjectState>()
  /** Subjects whose state the log has to tell: until then no more stands than is sure to stand. */
  readonly #unsettled = new Set<Subject>()
  /**
   * Subjects of which changes met that had not seen each other, or of which a grant was void: what a
   * checkpoint states of them need not be what is known here.
   */
  readonly #irregular = new Set<Subject>()
  /**
   * Subjects of which a change named what stood no longer, and what all of their changes have seen,
   * once they have been looked up.
   */
  readonly #sights = new Map<Subject, Sight | undefined>()
  /** Subjects of which something was merged that is not taken over. */
  readonly #merged = new Set<Subject>()

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

  /** Take what a change says. @param isNew whether it counts, and did not come before */
  take({ id, change }: IdentifiedChange, isNew: boolean): void {
    if (change.kind === 'checkpoint') return
    if (this.#takeBySight({ id, change }, isNew)) return
    if (isNew) this.#merge(id, change)
    // Of two entries of one change one may be spent, and what is void now may have stood.
    else this.noteIrregular(change.subject)
  }

  /** Take what a change says by what the others of its subject have seen. @returns whether that is known */
  #takeBySight(identified: IdentifiedChange, isNew: boolean): boolean {
    const { subject } = identified.change
    const sight = this.isSettled(subject) ? this.#sights.get(subject) : undefined
    if (sight === undefined) return false
    const before = this.get(subject)
    const state = isNew ? sight.merge(before, identified) : sight.pass(before, identified)
    if (state === undefined) {
      this.#sights.delete(subject)
      return false
    }
    this.#merged.add(subject)
    if (state !== before) this.#states.set(subject, state)
    return true
  }

  /** Merge what a change says, if that can be done without the log. */
  #merge(id: ChangeId, change: Change): void {
    const { subject } = change
    this.#merged.add(subject)
    // A removal does not wait for the log.
    const isClear = this.isSettled(subject) || change.kind === 'revocation'
    const before = this.get(subject)
    const state = isClear ? mergeChange(before, { id, change }) : undefined
    if (state === undefined) {
      this.#unsettled.add(subject)
      if (isClear) this.#sights.set(subject, undefined)
    } else this.#states.set(subject, state)
    if (state === undefined || !change.seen.every(one => stands(one, before))) {
      this.noteIrregular(subject)
    }
  }

  /** Take over a grant that stood, or one of the newest revocations, where the log begins. */
  takeOver({ id, change }: IdentifiedChange): void {
    const { subject } = change
    // What came since was taken before it, so that it may not have seen it.
    if (this.#merged.has(subject)) return this.noteIrregular(subject)
    if (this.stands(subject, id)) return
    const { grants, revocations } = this.get(subject)
    this.#states.set(
      subject,
      change.kind === 'grant'
        ? { grants: [...grants, { id, change }], revocations }
        : { grants, revocations: replaceIds(revocations, id, []) },
    )
  }

  /** What a checkpoint states of a subject need not be what is known here. */
  noteIrregular(subject: Subject): void {
    this.#irregular.add(subject)
    if (this.#options.checkpoints().length > 0) this.#unsettled.add(subject)
  }

  /** There is another checkpoint: the log has to tell what follows from what it states. */
  unsettleIrregular(): void {
    for (const subject of this.#irregular) this.#unsettled.add(subject)
  }

  /** Whether a change is a grant of a subject that stands, or one of its newest revocations. */
  stands(subject: Subject, id: ChangeId): boolean {
    return stands(id, this.get(subject))
  }

  /** @returns what puts back what is known of a subject now */
  snapshot(subject: Subject): () => void {
    const state = this.#states.get(subject)
    const wasSettled = this.isSettled(subject)
    return () => {
      restore(this.#states, subject, state)
      this.#sights.delete(subject)
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
      this.#irregular.add(subject)
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

  #evaluate(subject: Subject): SubjectState {
    const { historyOf, checkpoints, isVoid } = this.#options
    const history = historyOf(subject)
    const weighed = history.weigh(history.entries, checkpoints(), isVoid)
    const state = stateOf(weighed)
    if (this.#sights.has(subject)) {
      this.#sights.set(subject, Sight.of(weighed, state.revocations, history.entries))
    }
    return state
  }

  #isVoid({ id, change }: StandingGrant): boolean {
    return this.#options.isVoid({ change, hash: id })
  }
}

function stands(id: ChangeId, { grants, revocations }: SubjectState): boolean {
  return revocations.has(id) || standsIn(grants, id)
}
