import type { FridgeError } from '../lib/errors.ts'
import { readChange, type Change } from '../whitelist/change.ts'
import { placeOf, type Entry, type Stray } from '../whitelist/entry.ts'
import type { HeldEntry, LoggedChange, SubjectRow } from '../whitelist/store.ts'
import { WHOLE_LOG } from './archives.ts'
import { readRow, sealOf, type ChangeRow } from './change-row.ts'
import { corrupt } from './sqlite-database.ts'

/** The columns that say what a change is. */
export type ContentRow = Pick<
  ChangeRow,
  'source' | 'sequence' | 'text' | 'hash' | 'operatorCertificate' | 'nodeCertificate'
>

const COLUMNS =
  'source, sequence, text, hash, operatorCertificate, nodeCertificate, stray IS NOT NULL AS isStray'

/** What is read of a `ContentRow`, in the whole log. */
export const CONTENT = `SELECT ${COLUMNS}, isArchived FROM ${WHOLE_LOG}`

/** What is read of one, in what has not left the log. */
export const CONTENT_LEFT = contentLeftIn('main.changes')

/** What is read of one in a table of what has not left the log. */
export function contentLeftIn(table: string): string {
  return `SELECT ${COLUMNS}, 0 AS isArchived FROM ${table}`
}

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
  ofSubject(value: Record<string, unknown>): SubjectRow {
    const isStray = value['isStray'] === 1
    return { ...this.content(value), isStray, isArchived: value['isArchived'] === 1 }
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
