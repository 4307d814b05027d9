import type { Subject } from '../identity/names.ts'
import { idOf, type ChangeId, type Place } from './change.ts'
import { isStray, type Entry, type Stray } from './entry.ts'
import type {
  Base,
  BuiltLog,
  HeldEntry,
  LoggedChange,
  LoggedRow,
  LogPart,
  SubjectRow,
} from './store.ts'

/** A log in memory, to build a list from what was read of one, or to keep one for a while. */
export class OpenedLog implements BuiltLog {
  readonly isComplete = true
  readonly #rows: (LoggedRow & Pick<SubjectRow, 'isArchived'>)[] = []
  readonly #ids = new Map<Subject, Set<ChangeId>>()
  readonly #bySubject = new Map<Subject, SubjectRow[]>()
  /** The subjects in the order of their bytes, once they were asked for. */
  #sorted: readonly Subject[] | undefined
  readonly #held = new Map<string, HeldEntry>()

  readonly #base: Base | undefined

  /** @param base where it begins, if not all of it is there */
  constructor(log: Iterable<Entry | Stray> = [], base?: Base) {
    this.#base = base
    for (const one of log) this.add(one)
  }

  /** Take an entry or a stray behind the others. */
  add(one: Entry | Stray, isArchived = false): void {
    const entry = isStray(one) ? one.entry : one
    const { change, hash, signatures } = entry
    const { subject } = change
    const id = idOf(entry)
    const ids = this.#ids.get(subject) ?? new Set()
    this.#rows.push({ ...one, id, repeats: ids.has(id), isArchived })
    this.#ids.set(subject, ids.add(id))
    const changes = this.#bySubject.get(subject)
    const row = { change, hash, isStray: isStray(one), isArchived }
    if (changes === undefined) {
      this.#bySubject.set(subject, [row])
      this.#sorted = undefined
    } else changes.push(row)
    const isStrayOnly = isStray(one) && this.#held.get(hash)?.isStray !== false
    this.#held.set(hash, { change, hash, signatures, isStray: isStrayOnly })
  }

  /** Forget all of it. */
  clear(): void {
    this.#rows.splice(0)
    this.#ids.clear()
    this.#bySubject.clear()
    this.#sorted = undefined
    this.#held.clear()
  }

  base(): Base | undefined {
    return this.#base
  }

  logged(): Iterable<LoggedRow> {
    return this.#rows.values().filter(({ isArchived }) => !isArchived)
  }

  has(subject: Subject, id: ChangeId): boolean {
    return this.#ids.get(subject)?.has(id) === true
  }

  ofSubject(subject: Subject, part: LogPart = 'all'): Iterable<SubjectRow> {
    return (this.#bySubject.get(subject) ?? []).filter(row => isIn(row, part))
  }

  find({ source, sequence }: Place, hash: string): HeldEntry | undefined {
    const held = this.#held.get(hash)
    const isThere = held?.change.source === source && held.change.sequence === sequence
    return isThere ? held : undefined
  }

  *withdrawals(): Iterable<LoggedChange> {
    for (const row of this.#rows) {
      const entry = isStray(row) ? row.entry : row
      const { change } = entry
      if (change.kind === 'revocation' && change.upTo !== undefined) yield entry
    }
  }

  subjectsBehind(after: string, limit: number, part: LogPart = 'all'): readonly Subject[] {
    this.#sorted ??= [...this.#bySubject.keys()].sort()
    const isThere = (subject: Subject): boolean =>
      this.#bySubject.get(subject)?.some(row => isIn(row, part)) === true
    const subjects: Subject[] = []
    for (let at = firstBehind(this.#sorted, after); at < this.#sorted.length; at += 1) {
      const subject = this.#sorted[at]
      if (subject === undefined || subjects.length >= limit) break
      if (isThere(subject)) subjects.push(subject)
    }
    return subjects
  }

  *forks(): Iterable<Place> {
    for (const row of this.#rows) if (isStray(row)) yield row.entry.change
  }
}

function isIn({ isArchived }: SubjectRow, part: LogPart): boolean {
  return part === 'all' || !isArchived
}

/** Where the first of some sorted texts stands that is behind another. */
function firstBehind(sorted: readonly string[], after: string): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? '') > after) high = middle
    else low = middle + 1
  }
  return low
}
