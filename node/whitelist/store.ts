import type { Source, Subject } from '../identity/names.ts'
import type { ChangeId, Place } from './change.ts'
import type { Entry, Stray } from './entry.ts'
import type { CertificateStore } from '../identity/signers.ts'
import type { EntryCertificates } from './vouchers.ts'

/** What the list is built from. */
export type LoggedChange = Pick<Entry, 'change' | 'hash'>

/** A change in the log, in the order in which it was taken. */
export type LoggedRow = (CertifiedChange | Stray) & {
  readonly id: ChangeId
  /**
   * Whether a change with its id stands before it: another text of the same wish, or the entry
   * itself before its source was found to have forked.
   */
  readonly repeats: boolean
}

/** A change with the certificates under it. */
export interface CertifiedChange extends LoggedChange {
  readonly signatures: EntryCertificates
}

/** A change of a subject, with where it is. */
export interface SubjectRow extends LoggedChange {
  /** Whether this is where it stands as a stray. */
  readonly isStray: boolean
  /** Whether it has left the log for an archive. */
  readonly isArchived: boolean
}

/** Where a log begins whose older part is in archives: at a checkpoint that is true. */
export interface Base {
  /** The hash of its entry. */
  readonly checkpoint: string
  /** The hashes of entries that it has spent and that are in the log all the same. */
  readonly spent: ReadonlySet<string>
  /** The hashes of entries that it states and that are filed as strays. */
  readonly strays: ReadonlySet<string>
  /** The hashes of the other checkpoints that it covers and that are true. */
  readonly true: ReadonlySet<string>
  /** How many changes that it covers have left the log, or were never in it. */
  readonly archived: number
}

/** Which part of a log is meant: all, or what has not left it. */
export type LogPart = 'all' | 'left'

/** An entry that is in the log. */
export interface HeldEntry extends CertifiedChange {
  /** Whether it is there only as a stray. */
  readonly isStray: boolean
}

/** What the list looks up of the changes that it was merged from. */
export interface ChangeLog {
  /** Whether a change of this subject is there under this id. */
  has(subject: Subject, id: ChangeId): boolean
  /** The changes of a subject, strays included, in the order in which they were taken. */
  ofSubject(subject: Subject, part?: LogPart): Iterable<SubjectRow>
  /** The entry of a source at a sequence that has this hash, in its place or as a stray. */
  find(place: Place, hash: string): HeldEntry | undefined
  /** The revocations of operators and nodes. */
  withdrawals(): Iterable<LoggedChange>
  /** The next `limit` subjects of changes behind `after`, in the order of their bytes. */
  subjectsBehind(after: string, limit: number, part?: LogPart): readonly Subject[]
  /** Whether all that has left the log can be read. */
  readonly isComplete: boolean
}

/** Where entries go that leave a log. */
export interface LogArchives {
  /** The archives that cannot be read. */
  readonly missing: readonly string[]
  /** Copy the entries at some places into a new archive. @throws FridgeError `ERR_DATABASE`, `ERR_LIMIT` */
  copy(places: readonly Place[]): void
  /** Leave nothing of an archive that was begun. */
  abandon(): void
  /** Take the next entries out of the log that are in an archive as well. @returns whether those were the last */
  takeOut(limit?: number): boolean
}

/** An entry that has not left the log. */
export interface LeftEntry {
  readonly position: number
  readonly entry: Entry | Stray
}

/** A log of which entries can leave it for archives. */
export interface ArchivedLog extends Pick<BuiltLog, 'base' | 'ofSubject'> {
  readonly archives: LogArchives
  /**
   * Let the log begin at a checkpoint: what was copied to an archive belongs to it no more.
   * @throws FridgeError `ERR_DATABASE`: then nothing has changed
   */
  beginAt(base: Omit<Base, 'archived'>): void
}

/** A whole log, to build the list from. */
export interface BuiltLog extends ChangeLog {
  /** Where it begins, if a part of it has left it. */
  base(): Base | undefined
  /**
   * Every change that has not left it, oldest first, with its chain checked and its signatures left
   * where they are.
   * @throws FridgeError `ERR_DATABASE_CORRUPT`
   */
  logged(): Iterable<LoggedRow>
  /** The places of which a stray was taken. */
  forks(): Iterable<Place>
}

/**
 * The log of changes of one node, in the order in which it took them. Handed in, so that the
 * simulator can run the real whitelist over a disk that tears.
 */
export interface ChangeStore extends BuiltLog, CertificateStore, Disposable {
  /**
   * Keep entries for good: when it returns they survive a power cut; when it throws none of
   * them is there.
   * @throws FridgeError `ERR_DATABASE` when they cannot be written
   */
  append(entries: readonly (Entry | Stray)[]): void
  /**
   * Leave out the entries of one source from a sequence on, of which nobody else has heard: the log
   * is then as if they had never been taken.
   * @throws FridgeError `ERR_DATABASE`
   */
  takeBack(source: Source, from: number): void
  /**
   * Find out whether entries can be kept again, after `append` has thrown.
   * @throws FridgeError `ERR_DATABASE` when they cannot
   */
  probe(): void
  /**
   * What a reader with this clock lacks, each behind all that it has seen. An entry of a source
   * that forked is told as the stray that it is, where it was taken first.
   * @throws FridgeError `ERR_ARCHIVE` when some of it is in an archive that is not there
   */
  after(clock: ReadonlyMap<Source, number>): Iterable<Entry | Stray>
  /** One source's entries from a sequence on, in order; strays do not count. */
  ofSource(source: Source, from: number): Iterable<Entry>
  /** The next `limit` entries behind a position that have not left the log, in its order. */
  leftBehind(position: number, limit: number): readonly LeftEntry[]
  /**
   * Let an empty log begin at a checkpoint, with what a peer has of what that covers, slice by slice.
   * Until it is through, and when the process dies meanwhile or it is given up, the log is empty; it
   * must be given nothing else meanwhile.
   * @throws FridgeError `ERR_DATABASE`: then it is as empty as before
   */
  beginWith(entries: readonly Entry[], base: Base): Generator<undefined, void>
}
