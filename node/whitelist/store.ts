import type { Source } from '../identity/names.ts'
import type { Entry, Stray } from './entry.ts'
import type { CertificateStore } from '../identity/signers.ts'

/** What the list is built from. */
export type LoggedChange = Pick<Entry, 'change' | 'hash'>

/**
 * The log of changes of one node, in the order in which it took them. Handed in, so that the
 * simulator can run the real whitelist over a disk that tears.
 */
export interface ChangeStore extends CertificateStore, Disposable {
  /**
   * Keep entries for good: when it returns they survive a power cut; when it throws none of
   * them is there.
   * @throws FridgeError `ERR_DATABASE` when they cannot be written
   */
  append(entries: readonly (Entry | Stray)[]): void
  /**
   * Every change, oldest first, with its chain checked and its signatures left where they are.
   * @throws FridgeError `ERR_DATABASE_CORRUPT`
   */
  logged(): Iterable<LoggedChange | Stray>
  /** Entries and strays after `clock`, by source, in the order in which they were taken. */
  after(clock: ReadonlyMap<Source, number>): Iterable<Entry | Stray>
  /** One source's entries from a sequence on, in order; strays do not count. */
  ofSource(source: Source, from: number): Iterable<Entry>
}
