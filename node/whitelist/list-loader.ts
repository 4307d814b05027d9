import type { Authors } from './authors.ts'
import type { Change, ChangeId, Place } from './change.ts'
import type { Checkpoints } from './checkpoints.ts'
import type { CheckpointEntry } from './cut.ts'
import type { Stray } from './entry.ts'
import type { HeardSources } from './heard-sources.ts'
import type { Base, ChangeLog, LoggedChange, LoggedRow } from './store.ts'
import type { SubjectStates } from './subject-states.ts'

/** What a list is made of. */
export interface ListParts {
  readonly log: ChangeLog
  readonly sources: HeardSources
  readonly authors: Authors
  readonly checkpoints: Checkpoints
  readonly subjects: SubjectStates
}

/** What a log holds, with what it knows of where that stands in it. */
type Loaded<T> = T & Pick<LoggedRow, 'id' | 'repeats'>

type Filed = Pick<LoggedRow, 'id' | 'repeats'> & { readonly isStray: boolean }

/** Takes a list over from its log, of which all that voids grants is known before. */
export class ListLoader {
  readonly #parts: ListParts
  #changes = 0

  constructor(parts: ListParts) {
    this.#parts = parts
  }

  /** How many changes there were, with those that have left the log. */
  get changes(): number {
    return this.#changes
  }

  /** File as strays what comes from here on of a source. */
  noteFork(place: Place): void {
    this.#parts.sources.noteFork(place)
  }

  /** Take note of a revocation of an operator or node before its turn. Others are passed over. */
  withdraw(change: Change): void {
    this.#parts.authors.withdraw(change)
  }

  /** The log begins at a checkpoint. */
  beginAt(checkpoint: CheckpointEntry, base: Base): void {
    this.#parts.checkpoints.beginAt(checkpoint, base)
    this.#parts.sources.beginAt(checkpoint.change.heads)
    this.#changes += base.archived
  }

  /** Take a checkpoint of the log for true before its turn: whoever it shuts out stays out. */
  presume(checkpoint: CheckpointEntry): void {
    this.#parts.checkpoints.presume(checkpoint)
  }

  /** Take an entry over from the log, in its order. */
  load(entry: Loaded<LoggedChange>): void {
    const { sources, authors } = this.#parts
    const { change, id, repeats } = entry
    const { source, sequence } = change
    if (sequence > (sources.head(source)?.sequence ?? 0)) sources.advance(entry)
    authors.noteSigned(entry)
    this.#changes += 1
    this.#loadContent(entry, { id, repeats, isStray: false })
  }

  /** Take a stray over from the log, likewise. */
  loadStray({ entry, id, repeats }: Loaded<Stray>): void {
    const { sources, log } = this.#parts
    sources.fileStray(entry)
    if (log.find(entry.change, entry.hash)?.isStray !== false) this.#changes += 1
    this.#loadContent(entry, { id, repeats, isStray: true })
  }

  #loadContent(entry: LoggedChange, { id, repeats, isStray }: Filed): void {
    const { authors, checkpoints, subjects } = this.#parts
    const { change } = entry
    if (change.kind === 'checkpoint') return
    if (checkpoints.base?.covers(entry) === true) {
      if (checkpoints.base.hasStated({ hash: entry.hash, isStray })) this.#takeOver(entry, id)
      return
    }
    const mayBeVoid = checkpoints.mayVoid(entry)
    if (mayBeVoid) subjects.noteIrregular(change.subject)
    const isVoid = authors.isVoid(entry) || (mayBeVoid && checkpoints.voids(entry))
    const isNew = !repeats && !isVoid
    if (isNew && !subjects.isSettled(change.subject)) return
    subjects.take({ change, id }, isNew)
  }

  /** Take over what the checkpoint states at which the log begins. */
  #takeOver(entry: LoggedChange, id: ChangeId): void {
    const { authors, checkpoints, subjects } = this.#parts
    const { change } = entry
    if (authors.isVoid(entry) || checkpoints.mayVoidStated(entry)) {
      subjects.noteIrregular(change.subject)
    } else subjects.takeOver({ change, id })
  }
}
