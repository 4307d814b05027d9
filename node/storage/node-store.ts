import type { Source } from '../identity/names.ts'
import type { Extent } from '../whitelist/extent.ts'
import type { ArchivedLog, ChangeStore } from '../whitelist/store.ts'

/** The log of a node, and the source in which the node numbers the changes that it accepts. */
export interface NodeStore extends ChangeStore, ArchivedLog {
  /** The source that was used with this file last; undefined in a copy of it, and after it has ended. */
  ownSource(): Source | undefined
  /** @throws FridgeError `ERR_DATABASE` */
  keepOwnSource(source: Source | undefined): void
  /** Whether all of it was written by a node with the same private key. */
  readonly isSealed: boolean
  /**
   * Seal all that is there now, with another key from now on.
   * @throws FridgeError `ERR_DATABASE`
   */
  seal(sealKey: Buffer): void
  /** How much of the list the log in this very file is. */
  extent(): Extent
  /** @throws FridgeError `ERR_DATABASE` */
  noteExtent(extent: Extent): void
}
