import { isSource, type Source } from '../identity/names.ts'
import type { Extent } from '../whitelist/extent.ts'
import { SourceFile } from './source-file.ts'
import type { StoreDatabase } from './store-database.ts'

/**
 * What a database says of the very file that it is in: the source in which its node numbers the
 * changes that it accepts, and whether the log is whole. Of a copy neither is true.
 */
export class StoredSource {
  readonly #database: StoreDatabase
  readonly #file: SourceFile

  constructor(database: StoreDatabase) {
    this.#database = database
    this.#file = new SourceFile(database.file)
  }

  /** The source that was used with this file last; undefined in a copy of it, and after it has ended. */
  source(): Source | undefined {
    const source = this.#database.noted('source')
    if (source === undefined || !isSource(source)) return undefined
    return this.#file.fits(source) ? source : undefined
  }

  /** @throws FridgeError `ERR_DATABASE` */
  keep(source: Source | undefined): void {
    this.#database.write(() => {
      // What cannot be used again is marked in the database first: the two must say the same.
      this.#database.note('source', source ?? '')
      this.#file.write(source ?? '')
    })
  }

  /** How much of the list the log in this very file is: a copy of a whole one is behind. */
  extent(): Extent {
    const noted = this.#database.noted('extent')
    if (noted === 'whole') return this.#file.isBesideItsOwn() ? 'whole' : 'behind'
    return noted === 'behind' || noted === 'beginning' ? noted : 'new'
  }

  /** @throws FridgeError `ERR_DATABASE` */
  noteExtent(extent: Extent): void {
    this.#database.write(() => {
      this.#database.note('extent', extent)
      if (extent === 'whole' && !this.#file.isBesideItsOwn()) this.#file.write('')
    })
  }
}
