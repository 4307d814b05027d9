import { existsSync } from 'node:fs'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { FridgeError } from '../lib/errors.ts'
import type { Source } from '../identity/names.ts'
import { readChange, type Change } from '../whitelist/change.ts'
import { entryHash, isStray, placeOf, type Entry, type Stray } from '../whitelist/entry.ts'
import { COLUMNS, digestOf, readRow, sealOf, valuesOf, type ChangeRow } from './change-row.ts'
import {
  corrupt,
  createDatabase,
  lockDatabase,
  openDatabase,
  readFailure,
  writeFailure,
} from './sqlite-database.ts'
import type { ChangeStore, LoggedChange } from '../whitelist/store.ts'

type PlaceRow = readonly [
  position: number,
  source: string,
  sequence: number,
  text: string,
  previous: string,
  hash: string,
  isStray: 0 | 1,
]

interface CertificateRow {
  readonly fingerprint: string
  readonly chain: string
  readonly seal: string
}

/**
 * Open the store in a file, or make it where there is none. One process at a time: a second
 * process is refused.
 * @throws FridgeError `ERR_DATABASE` (in use, not writable), `ERR_DATABASE_CORRUPT`
 */
export function openSqliteStore(file: string): ChangeStore {
  const lock = lockDatabase(file)
  let database: DatabaseSync | undefined
  try {
    if (!existsSync(file)) createDatabase(file)
    database = openDatabase(file)
    return new SqliteStore(file, database, lock)
  } catch (error) {
    database?.close()
    lock.close()
    throw error
  }
}

class SqliteStore implements ChangeStore {
  readonly #file: string
  readonly #database: DatabaseSync
  readonly #lock: DatabaseSync
  readonly #insert: StatementSync
  readonly #position: StatementSync
  readonly #sources = new Set<string>()
  #closed = false

  constructor(file: string, database: DatabaseSync, lock: DatabaseSync) {
    this.#file = file
    this.#database = database
    this.#lock = lock
    this.#insert = database.prepare(
      `INSERT INTO changes (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map(() => '?').join(', ')})`,
    )
    this.#position = database.prepare(
      'SELECT position FROM changes WHERE source = ? AND sequence = ?',
    )
    const sql = 'SELECT source FROM changes GROUP BY source'
    for (const { source } of this.#query<Pick<ChangeRow, 'source'>>(sql)) this.#sources.add(source)
  }

  append(entries: readonly (Entry | Stray)[]): void {
    try {
      this.#database.exec('BEGIN IMMEDIATE')
      for (const one of entries) this.#insert.run(...valuesOf(one))
      this.#database.exec('COMMIT')
      for (const one of entries) this.#sources.add(placeOf(one).source)
    } catch (cause) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw writeFailure(this.#file, cause)
    }
  }

  *certificates(): Iterable<readonly string[]> {
    const sql = 'SELECT fingerprint, chain, seal FROM certificates'
    for (const { fingerprint, chain, seal } of this.#query<CertificateRow>(sql)) {
      if (digestOf([fingerprint, chain]) !== seal) {
        throw corrupt(this.#file, `the certificate ${fingerprint} was altered`)
      }
      yield chain.split(' ')
    }
  }

  keepCertificate(fingerprint: string, certificates: readonly string[]): void {
    const chain = certificates.join(' ')
    const sql = 'INSERT OR REPLACE INTO certificates (fingerprint, chain, seal) VALUES (?, ?, ?)'
    try {
      this.#database.prepare(sql).run(fingerprint, chain, digestOf([fingerprint, chain]))
    } catch (cause) {
      throw writeFailure(this.#file, cause)
    }
  }

  *logged(): Iterable<LoggedChange | Stray> {
    const heads = new Map<string, { sequence: number; hash: string }>()
    for (const row of this.#places()) {
      const [position, source, sequence, text, previous, hash, isStray] = row
      const head = heads.get(source)
      const follows = sequence === (head?.sequence ?? 0) + 1 && previous === (head?.hash ?? '')
      if (!follows && isStray === 0) {
        throw this.#damaged({ source, sequence }, 'does not follow the change before it')
      }
      if (entryHash(previous, text) !== hash) {
        throw this.#damaged({ source, sequence }, 'was altered')
      }
      heads.set(source, { sequence, hash })
      if (isStray === 0) yield { change: this.#change({ source, sequence, text }), hash }
      else yield* this.#strayAt(position)
    }
  }

  /** The columns that the list is built from, as arrays: a start reads all rows there are. */
  *#places(): Iterable<PlaceRow> {
    try {
      const statement = this.#database.prepare(
        `SELECT position, source, sequence, text, previous, hash, stray IS NOT NULL
         FROM changes ORDER BY position`,
      )
      statement.setReturnArrays(true)
      for (const row of statement.iterate()) yield row as unknown as PlaceRow
    } catch (error) {
      throw readFailure(this.#file, error)
    }
  }

  *#strayAt(position: number): Iterable<Stray> {
    for (const row of this.#query<ChangeRow>(
      'SELECT * FROM changes WHERE position = ?',
      position,
    )) {
      const one = this.#entry(row)
      if (isStray(one)) yield one
    }
  }

  *after(clock: ReadonlyMap<Source, number>): Iterable<Entry | Stray> {
    // The first position that is missing over there: in the common case, none, nothing is scanned.
    let start = Infinity
    for (const source of this.#sources) {
      const position = this.#positionOf(source, (clock.get(source as Source) ?? 0) + 1)
      start = Math.min(start, position ?? Infinity)
    }
    if (start === Infinity) return
    const rows = this.#query<ChangeRow>(
      'SELECT * FROM changes WHERE position >= ? ORDER BY position',
      start,
    )
    for (const row of rows) {
      if (row.sequence > (clock.get(row.source as Source) ?? 0)) yield this.#entry(row)
    }
  }

  *ofSource(source: Source, from: number): Iterable<Entry> {
    const sql =
      'SELECT * FROM changes WHERE source = ? AND sequence >= ? AND stray IS NULL ORDER BY sequence'
    for (const row of this.#query<ChangeRow>(sql, source, from)) {
      const one = this.#entry(row)
      if (!isStray(one)) yield one
    }
  }

  [Symbol.dispose](): void {
    if (this.#closed) return
    this.#closed = true
    this.#database.close()
    this.#lock.close()
  }

  #positionOf(source: string, sequence: number): number | undefined {
    try {
      const position = this.#position.get(source, sequence)?.['position']
      return typeof position === 'number' ? position : undefined
    } catch (error) {
      throw readFailure(this.#file, error)
    }
  }

  *#query<T>(sql: string, ...parameters: (number | string)[]): Iterable<T> {
    try {
      // The tables are STRICT, so that each column has the type that it declares.
      for (const row of this.#database.prepare(sql).iterate(...parameters)) yield row as T
    } catch (error) {
      throw readFailure(this.#file, error)
    }
  }

  #entry(row: ChangeRow): Entry | Stray {
    if (sealOf(row) !== row.seal) throw this.#damaged(row, 'has altered signatures')
    const one = readRow(row)
    if (typeof one === 'string') throw this.#damaged(row, `cannot be read: ${one}`)
    const { source, sequence } = placeOf(one)
    if (source !== row.source || sequence !== row.sequence) {
      throw this.#damaged(row, 'is filed under another place')
    }
    return one
  }

  #change(row: Pick<ChangeRow, 'source' | 'sequence' | 'text'>): Change {
    const change = readChange(row.text)
    if (typeof change === 'string') throw this.#damaged(row, `cannot be read: ${change}`)
    return change
  }

  #damaged(row: Pick<ChangeRow, 'source' | 'sequence'>, what: string): FridgeError {
    return corrupt(this.#file, `change ${row.sequence} of ${row.source} ${what}`)
  }
}
