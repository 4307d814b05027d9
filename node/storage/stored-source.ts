import { randomBytes } from 'node:crypto'
import { isSource, type Source } from '../identity/names.ts'
import type { Extent } from '../whitelist/extent.ts'
import { SourceFile, type Mark } from './source-file.ts'
import type { StoreDatabase } from './store-database.ts'

/**
 * What a database says of the very file that it is in: the source in which its node numbers the
 * changes that it accepts, and whether the log is whole. Of a copy neither is true.
 */
export class StoredSource {
  readonly #database: StoreDatabase
  readonly #file: SourceFile
  /** What lies beside the database; undefined where that is a copy, or new. */
  #mark: Mark | undefined

  constructor(database: StoreDatabase) {
    this.#database = database
    this.#file = new SourceFile(database.file)
    const mark = this.#file.read()
    const epoch = database.noted('epoch')
    const isOwn = epoch !== undefined && [mark?.epoch, mark?.epochBefore].includes(epoch)
    this.#mark = isOwn ? mark && { source: mark.source, epoch } : undefined
  }

  /**
   * Begin another epoch, so that what is copied of this file from now on is another one than what
   * was copied before.
   */
  renew(): void {
    if (this.#mark === undefined) return
    const { source } = this.#mark
    try {
      this.#database.write(() => this.#begin(source))
    } catch {
      // On a full disk the epoch before goes on: it must not keep a node from starting.
    }
  }

  /** The source that was used with this file last; undefined in a copy of it, and after it has ended. */
  source(): Source | undefined {
    const source = this.#database.noted('source')
    if (source === undefined || !isSource(source)) return undefined
    return this.#mark?.source === source ? source : undefined
  }

  /** @throws FridgeError `ERR_DATABASE` */
  keep(source: Source | undefined): void {
    // What cannot be used again is marked in the database first: the two must say the same.
    this.#database.write(() => this.#database.note('source', source ?? ''))
    this.#own(source ?? '')
  }

  /** How much of the list the log in this very file is: a copy of a whole one is behind. */
  extent(): Extent {
    const noted = this.#database.noted('extent')
    if (noted === 'whole') return this.#mark === undefined ? 'behind' : 'whole'
    return noted === 'behind' || noted === 'beginning' ? noted : 'new'
  }

  /** @throws FridgeError `ERR_DATABASE` */
  noteExtent(extent: Extent): void {
    if (extent === 'whole' && this.#mark === undefined) this.#own('')
    this.#database.write(() => this.#database.note('extent', extent))
  }

  /** Make this file the one that this node writes. @throws FridgeError `ERR_DATABASE` */
  #own(source: string): void {
    // That the log of another file was whole says nothing of this one.
    if (this.#mark === undefined) {
      if (this.#database.noted('extent') === 'whole') {
        this.#database.write(() => this.#database.note('extent', 'behind'))
      }
      this.#database.write(() => this.#begin(source))
    } else {
      const { epoch } = this.#mark
      this.#database.write(() => this.#file.write({ source, epoch }))
      this.#mark = { source, epoch }
    }
  }

  /** A crash in between leaves a mark that fits what the database says before as well as after. */
  #begin(source: string): void {
    const epoch = randomBytes(16).toString('hex')
    const epochBefore = this.#mark?.epoch
    this.#file.write({ source, epoch, ...(epochBefore !== undefined && { epochBefore }) })
    this.#database.note('epoch', epoch)
    this.#mark = { source, epoch }
    if (epochBefore !== undefined) this.#file.write(this.#mark)
  }
}
