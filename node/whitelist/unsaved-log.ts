import type { Subject } from '../identity/names.ts'
import type { ChangeId, Place } from './change.ts'
import type { ChangeLog, HeldEntry, LoggedChange, LogPart, SubjectRow } from './store.ts'

/** A log together with what is merged already and still to be written: the changes of a batch. */
export class UnsavedLog implements ChangeLog {
  #log: ChangeLog
  #unsaved: { readonly id: ChangeId; readonly entry: HeldEntry }[] = []

  constructor(log: ChangeLog) {
    this.#log = log
  }

  /** Read another log from now on, which holds the same. */
  readFrom(log: ChangeLog): void {
    this.#log = log
  }

  /** Take an entry along that is not in the log. */
  add(id: ChangeId, entry: HeldEntry): void {
    this.#unsaved.push({ id, entry })
  }

  removeLast(): void {
    this.#unsaved.pop()
  }

  /** All that was taken along has been written. */
  clear(): void {
    this.#unsaved = []
  }

  has(subject: Subject, id: ChangeId): boolean {
    return (
      this.#unsaved.some(one => one.id === id && one.entry.change.subject === subject) ||
      this.#log.has(subject, id)
    )
  }

  *ofSubject(subject: Subject, part?: LogPart): Iterable<SubjectRow> {
    yield* this.#log.ofSubject(subject, part)
    for (const { entry } of this.#unsaved) {
      if (entry.change.subject === subject) yield { ...entry, isArchived: false }
    }
  }

  get isComplete(): boolean {
    return this.#log.isComplete
  }

  *withdrawals(): Iterable<LoggedChange> {
    yield* this.#log.withdrawals()
    for (const { entry } of this.#unsaved) {
      if (entry.change.kind === 'revocation' && entry.change.upTo !== undefined) yield entry
    }
  }

  subjectsBehind(after: string, limit: number, part?: LogPart): readonly Subject[] {
    const unsaved = this.#unsaved.map(({ entry }) => entry.change.subject)
    const behind = [
      ...this.#log.subjectsBehind(after, limit, part),
      ...unsaved.filter(one => one > after),
    ]
    return [...new Set(behind)].sort().slice(0, limit)
  }

  find(place: Place, hash: string): HeldEntry | undefined {
    const found = this.#unsaved.find(
      ({ entry }) => entry.hash === hash && entry.change.source === place.source,
    )
    return found?.entry ?? this.#log.find(place, hash)
  }
}
