import type { FridgeError } from '../lib/errors.ts'
import { readChange, type Change } from '../whitelist/change.ts'
import { placeOf, type Entry, type Stray } from '../whitelist/entry.ts'
import type { HeldEntry, LoggedChange } from '../whitelist/store.ts'
import { readRow, sealOf, type ChangeRow } from './change-row.ts'
import { corrupt } from './sqlite-database.ts'

/** The columns that say what a change is. */
export type ContentRow = Pick<
  ChangeRow,
  'source' | 'sequence' | 'text' | 'hash' | 'operatorCertificate' | 'nodeCertificate'
>

/** What is read of a `ContentRow`. */
export const CONTENT = `SELECT source, sequence, text, hash, operatorCertificate, nodeCertificate
  FROM changes`

/** Reads the rows of one file, and says of one that is not as it was written that the file is damaged. */
export class CheckedRows {
  readonly #file: string

  constructor(file: string) {
    this.#file = file
  }

  entry(row: ChangeRow): Entry | Stray {
    if (sealOf(row) !== row.seal) throw this.damaged(row, 'has altered signatures')
    const one = readRow(row)
    if (typeof one === 'string') throw this.damaged(row, `cannot be read: ${one}`)
    const { source, sequence } = placeOf(one)
    if (source !== row.source || sequence !== row.sequence) {
      throw this.damaged(row, 'is filed under another place')
    }
    return one
  }

  /** @param value has the columns of `CONTENT` */
  content(value: Record<string, unknown>): LoggedChange {
    const row = value as unknown as ContentRow
    return { change: this.change(row), hash: row.hash }
  }

  /** @param value likewise */
  held(value: Record<string, unknown>, isStray: boolean): HeldEntry {
    const { operatorCertificate, nodeCertificate } = value as unknown as ContentRow
    const signatures = { operatorCertificate, nodeCertificate }
    return { ...this.content(value), signatures, isStray }
  }

  change(row: Pick<ChangeRow, 'source' | 'sequence' | 'text'>): Change {
    const change = readChange(row.text)
    if (typeof change === 'string') throw this.damaged(row, `cannot be read: ${change}`)
    return change
  }

  damaged(row: Pick<ChangeRow, 'source' | 'sequence'>, what: string): FridgeError {
    return corrupt(this.#file, `change ${row.sequence} of ${row.source} ${what}`)
  }
}
