import { DatabaseSync } from 'node:sqlite'
import { readEntryOf, type ChangeRow } from './change-row.ts'
import { errorMessage, FridgeError } from '../lib/errors.ts'
import { archivesIn, attachArchives, readBaseNote, WHOLE_LOG } from './archives.ts'
import { BUSY_TIMEOUT_MS } from './sqlite-database.ts'
import type { Source } from '../identity/names.ts'
import type { Place } from '../whitelist/change.ts'
import { strayPlace, type Entry, type LoggedEntry } from '../whitelist/entry.ts'

type Row = ChangeRow & Pick<LoggedEntry, 'position'>

/**
 * The log of changes of one node, to be read beside the store that writes it: on a connection of
 * its own that cannot write. It keeps no read open between two calls, which would keep SQLite
 * from shortening its write-ahead log.
 */
export class StoredChanges implements Disposable {
  readonly #file: string
  readonly #database: DatabaseSync
  /** What the database said of its archives when they were opened. */
  #noted: string | undefined

  private constructor(file: string, database: DatabaseSync) {
    this.#file = file
    this.#database = database
  }

  /** @throws FridgeError `ERR_DATABASE` */
  static open(file: string): StoredChanges {
    try {
      return new StoredChanges(
        file,
        new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS }),
      )
    } catch (cause) {
      throw cannotRead(file, cause)
    }
  }

  /** Entries taken before a position, newest first. Read it within one turn of the event loop. */
  before(position: number): Iterable<LoggedEntry> {
    return this.#entries('position < ? ORDER BY position DESC', position)
  }

  /** Entries taken after a position, oldest first. Read it within one turn of the event loop. */
  after(position: number): Iterable<LoggedEntry> {
    return this.#entries('position > ? ORDER BY position', position)
  }

  /** The entry of a source at a sequence, in its place. */
  at({ source, sequence }: Place): Entry | undefined {
    const where = 'source = ? AND sequence = ? AND stray IS NULL'
    for (const { entry } of this.#entries(where, source, sequence)) return entry
    return undefined
  }

  /** The greatest position up to which a reader with this clock has everything. */
  positionOf(clock: ReadonlyMap<Source, number>): number {
    this.#openArchives()
    const missing = this.#database.prepare(
      `SELECT min(position) AS position FROM ${WHOLE_LOG} WHERE source = ? AND sequence > ?`,
    )
    const sources = this.#database.prepare(`SELECT DISTINCT source FROM ${WHOLE_LOG}`).all()
    const newest = this.#database
      .prepare('SELECT max(position) AS position FROM main.changes')
      .get()
    let position = Number(newest?.['position'] ?? 0)
    for (const { source } of sources) {
      const next = missing.get(String(source), clock.get(source as Source) ?? 0)?.['position']
      if (typeof next === 'number') position = Math.min(position, next - 1)
    }
    return position
  }

  /** A signer's certificate with its intermediates, DER in base64. */
  chain(fingerprint: string): readonly string[] | undefined {
    const row = this.#database
      .prepare('SELECT chain FROM certificates WHERE fingerprint = ?')
      .get(fingerprint)
    return typeof row?.['chain'] === 'string' ? row['chain'].split(' ') : undefined
  }

  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close()
  }

  /** An archive may have been made since. */
  #openArchives(): void {
    const noted = readBaseNote(this.#database) ?? ''
    if (noted === this.#noted) return
    attachArchives(this.#database, this.#file, archivesIn(noted))
    this.#noted = noted
  }

  *#entries(where: string, ...parameters: (number | string)[]): Iterable<LoggedEntry> {
    this.#openArchives()
    const sql = `SELECT * FROM ${WHOLE_LOG} WHERE ${where}`
    let last: number | undefined
    for (const value of this.#database.prepare(sql).iterate(...parameters)) {
      // The table is STRICT, so that each column has the type that it declares.
      const row = value as unknown as Row
      // What is still to be taken out of the log is in an archive as well.
      if (row.position === last) continue
      last = row.position
      const entry = readEntryOf(row)
      if (typeof entry === 'string') throw cannotRead(this.#file, new Error(entry))
      const isStray = row.stray !== null
      const place = isStray ? strayPlace(entry) : entry.change
      yield { position: row.position, entry, isStray, place }
    }
  }
}

function cannotRead(file: string, cause: unknown): FridgeError {
  return new FridgeError('ERR_DATABASE', `cannot read ${file}: ${errorMessage(cause)}`, {
    cause,
    fix: 'stop the node and look at its database: fridge node verify',
  })
}
