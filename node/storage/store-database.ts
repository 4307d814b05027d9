import { randomBytes } from 'node:crypto'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { readFailure, writeFailure } from './sqlite-database.ts'

/** The database of a store: what fails in it is said of its file, and leaves nothing behind. */
export class StoreDatabase implements Disposable {
  readonly file: string
  readonly #database: DatabaseSync
  readonly #note: StatementSync

  constructor(file: string, database: DatabaseSync) {
    this.file = file
    this.#database = database
    this.#note = database.prepare('INSERT OR REPLACE INTO own (name, value) VALUES (?, ?)')
  }

  prepare(sql: string): StatementSync {
    return this.#database.prepare(sql)
  }

  /** @throws FridgeError `ERR_DATABASE`, `ERR_DATABASE_CORRUPT` when `read` throws */
  read<T>(read: () => T): T {
    try {
      return read()
    } catch (error) {
      throw readFailure(this.file, error)
    }
  }

  /** @throws FridgeError as `read` does */
  *query<T = Record<string, unknown>>(
    sql: string,
    ...parameters: (number | string)[]
  ): Iterable<T> {
    try {
      // The tables are STRICT, so that each column has the type that it declares.
      for (const row of this.#database.prepare(sql).iterate(...parameters)) yield row as T
    } catch (error) {
      throw readFailure(this.file, error)
    }
  }

  /** As `query`, each row as an array of its columns: that is faster where all rows are read. */
  *queryArrays<T extends readonly unknown[]>(sql: string): Iterable<T> {
    try {
      const statement = this.#database.prepare(sql)
      statement.setReturnArrays(true)
      for (const row of statement.iterate()) yield row as unknown as T
    } catch (error) {
      throw readFailure(this.file, error)
    }
  }

  /** What this node alone says of the rest, by name. */
  noted(name: string): string | undefined {
    const [own] = this.query<{ value: string }>('SELECT value FROM own WHERE name = ?', name)
    return own?.value
  }

  /** Say something of the rest: within `write` or `transact`. */
  note(name: string, value: string): void {
    this.#note.run(name, value)
  }

  /** Do what writes at most one row. @throws FridgeError `ERR_DATABASE` */
  write(write: () => void): void {
    try {
      write()
    } catch (cause) {
      this.#undo()
      throw writeFailure(this.file, cause)
    }
  }

  /** Do what writes all or nothing. @throws FridgeError `ERR_DATABASE`: then nothing of it is there */
  transact<T>(write: () => T): T {
    try {
      this.#database.exec('BEGIN IMMEDIATE')
      const written = write()
      this.#database.exec('COMMIT')
      return written
    } catch (cause) {
      this.#undo()
      throw writeFailure(this.file, cause)
    }
  }

  /** Write what means nothing. @throws FridgeError `ERR_DATABASE` */
  probe(): void {
    try {
      this.#writeOver()
    } catch (cause) {
      throw writeFailure(this.file, cause)
    }
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }

  /**
   * Leave nothing of a transaction that failed. Where the disk has taken its pages and only the
   * flush failed, they lie in the write-ahead log, whole, and the next start would find them there:
   * so they are written over, without a flush, which would fail again.
   */
  #undo(): void {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      this.#database.exec('PRAGMA synchronous = OFF')
      this.#writeOver()
    } catch {
      // The disk takes nothing at all: `probe` writes over it once it does.
    } finally {
      this.#database.exec('PRAGMA synchronous = FULL')
    }
  }

  #writeOver(): void {
    this.note('probe', randomBytes(16).toString('hex'))
  }
}
