import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { FridgeError } from '../lib/errors.ts'
import { isSource, type Source, type Subject } from '../identity/names.ts'
import { LogSeal } from './log-seal.ts'
import { SourceFile } from './source-file.ts'
import { idOf, readChange, type Change, type ChangeId, type Place } from '../whitelist/change.ts'
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
import type { ChangeStore, HeldEntry, LoggedChange, LoggedRow } from '../whitelist/store.ts'

type PlaceRow = readonly [
  position: number,
  source: string,
  sequence: number,
  text: string,
  hash: string,
  id: string,
  subject: string,
  repeats: 0 | 1,
  isStray: 0 | 1,
]

/** The columns that say what a change is. */
type ContentRow = Pick<
  ChangeRow,
  'source' | 'sequence' | 'text' | 'hash' | 'operatorCertificate' | 'nodeCertificate'
>

const CONTENT = `SELECT source, sequence, text, hash, operatorCertificate, nodeCertificate
  FROM changes`

/** Rows of which the seal takes in the text at a time. */
const SEALED_AT_ONCE = 1_000

type Row = ChangeRow & { readonly position: number }

interface CertificateRow {
  readonly fingerprint: string
  readonly chain: string
  readonly seal: string
}

/** The log of a node, and the source in which the node numbers the changes that it accepts. */
export interface NodeStore extends ChangeStore {
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
  /** Whether the log in this very file was complete last: not the beginning of a longer one. */
  isWhole(): boolean
  /** @throws FridgeError `ERR_DATABASE` */
  noteWhole(isWhole: boolean): void
}

/**
 * Open the store in a file, or make it where there is none. One process at a time: a second
 * process is refused.
 * @throws FridgeError `ERR_DATABASE` (in use, not writable), `ERR_DATABASE_CORRUPT`
 */
export function openSqliteStore(file: string, sealKey?: Buffer): NodeStore {
  const lock = lockDatabase(file)
  let database: DatabaseSync | undefined
  try {
    if (!existsSync(file)) createDatabase(file)
    database = openDatabase(file)
    return new SqliteStore(file, database, { lock, sealKey })
  } catch (error) {
    database?.close()
    lock.close()
    throw error
  }
}

class SqliteStore implements NodeStore {
  readonly #file: string
  readonly #database: DatabaseSync
  readonly #lock: DatabaseSync
  readonly #insert: StatementSync
  readonly #position: StatementSync
  readonly #own: StatementSync
  readonly #hasId: StatementSync
  readonly #ofSubject: StatementSync
  readonly #inPlace: StatementSync
  /** Sources that have entries in their places. */
  readonly #sources = new Set<string>()
  readonly #sourceFile: SourceFile
  /** Without one nothing is sealed. */
  #sealKey: Buffer | undefined
  #seal: LogSeal
  readonly isSealed: boolean
  /** For each source of which a stray was taken the first sequence that is told as one. */
  readonly #forks = new Map<string, number>()
  #closed = false

  constructor(
    file: string,
    database: DatabaseSync,
    { lock, sealKey }: { lock: DatabaseSync; sealKey: Buffer | undefined },
  ) {
    this.#file = file
    this.#database = database
    this.#lock = lock
    this.#sourceFile = new SourceFile(file)
    this.#insert = database.prepare(
      `INSERT INTO changes (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map(() => '?').join(', ')})`,
    )
    this.#position = database.prepare(
      'SELECT position FROM changes WHERE source = ? AND sequence = ?',
    )
    this.#own = database.prepare('INSERT OR REPLACE INTO own (name, value) VALUES (?, ?)')
    // A sign keeps SQLite from looking through all changes of the subject instead.
    this.#hasId = database.prepare('SELECT 1 FROM changes WHERE id = ? AND +subject = ? LIMIT 1')
    this.#ofSubject = database.prepare(`${CONTENT} WHERE subject = ? ORDER BY position`)
    this.#inPlace = database.prepare(`${CONTENT} WHERE source = ? AND sequence = ?`)
    const sql = 'SELECT source FROM changes WHERE stray IS NULL GROUP BY source'
    for (const { source } of this.#query<Pick<ChangeRow, 'source'>>(sql)) this.#sources.add(source)
    for (const fork of this.forks()) this.#noteFork(fork)
    this.#sealKey = sealKey
    this.#seal = this.#readSeal()
    const [sealed] = this.#query<{ value: string }>("SELECT value FROM own WHERE name = 'seal'")
    // Of nothing there is nothing to forge.
    const isNew = this.#sources.size === 0 && this.#forks.size === 0
    this.isSealed = isNew || sealed?.value === (sealKey && this.#seal.value(sealKey))
  }

  append(entries: readonly (Entry | Stray)[]): void {
    try {
      this.#database.exec('BEGIN IMMEDIATE')
      const seal = this.#seal.copy()
      for (const one of entries) {
        const entry = isStray(one) ? one.entry : one
        const id = idOf(entry)
        // A grant has its place in its id: only as a stray can it come again.
        const mayRepeat = isStray(one) || entry.change.kind === 'revocation'
        const repeats = mayRepeat && this.has(entry.change.subject, id)
        this.#insert.run(...valuesOf(one, { id, repeats }))
        seal.add({ hash: entry.hash, repeats, isStray: isStray(one) })
      }
      this.#writeSeal(seal)
      this.#database.exec('COMMIT')
      this.#seal = seal
    } catch (cause) {
      this.#undo()
      throw writeFailure(this.#file, cause)
    }
    for (const one of entries) {
      if (isStray(one)) this.#noteFork(one.entry.change)
      else this.#sources.add(one.change.source)
    }
  }

  seal(sealKey: Buffer): void {
    this.#sealKey = sealKey
    try {
      this.#writeSeal(this.#seal)
    } catch (cause) {
      this.#undo()
      throw writeFailure(this.#file, cause)
    }
  }

  #writeSeal(seal: LogSeal): void {
    if (this.#sealKey !== undefined) this.#own.run('seal', seal.value(this.#sealKey))
  }

  /** What a seal over all that is there covers. */
  #readSeal(): LogSeal {
    const seal = new LogSeal()
    for (const lines of this.#sealedLines()) seal.addLines(lines)
    const certificates = 'SELECT fingerprint, seal FROM certificates'
    for (const row of this.#query<CertificateRow>(certificates)) {
      seal.setCertificate(row.fingerprint, row.seal)
    }
    return seal
  }

  /** The rows as a seal covers them, a thousand at a time: a start reads all there are. */
  *#sealedLines(): Iterable<string> {
    try {
      const statement = this.#database.prepare(
        "SELECT hash || ' ' || repeats || ' ' || (stray IS NOT NULL) FROM changes ORDER BY position",
      )
      statement.setReturnArrays(true)
      let lines: string[] = []
      for (const [line] of statement.iterate() as unknown as Iterable<[string]>) {
        lines.push(`${line}\n`)
        if (lines.length < SEALED_AT_ONCE) continue
        yield lines.join('')
        lines = []
      }
      yield lines.join('')
    } catch (error) {
      throw readFailure(this.#file, error)
    }
  }

  ownSource(): Source | undefined {
    const [own] = this.#query<{ value: string }>("SELECT value FROM own WHERE name = 'source'")
    if (own === undefined || !isSource(own.value)) return undefined
    return this.#sourceFile.fits(own.value) ? own.value : undefined
  }

  isWhole(): boolean {
    const [whole] = this.#query<{ value: string }>("SELECT value FROM own WHERE name = 'whole'")
    return whole?.value === 'yes' && this.#sourceFile.isBesideItsOwn()
  }

  noteWhole(isWhole: boolean): void {
    try {
      this.#own.run('whole', isWhole ? 'yes' : 'no')
      if (isWhole && !this.#sourceFile.isBesideItsOwn()) this.#sourceFile.write('')
    } catch (cause) {
      this.#undo()
      throw writeFailure(this.#file, cause)
    }
  }

  keepOwnSource(source: Source | undefined): void {
    try {
      // What cannot be used again is marked in the database first: the two must say the same.
      this.#own.run('source', source ?? '')
      this.#sourceFile.write(source ?? '')
    } catch (cause) {
      this.#undo()
      throw writeFailure(this.#file, cause)
    }
  }

  takeBack(source: Source, from: number): void {
    const all = 'source = ? AND sequence >= ? AND stray IS NULL'
    try {
      this.#database.exec('BEGIN IMMEDIATE')
      const taken = this.#database
        .prepare(`DELETE FROM changes WHERE ${all} RETURNING position, id`)
        .all(source, from)
      for (const { id } of taken) {
        this.#database
          .prepare(
            'UPDATE changes SET repeats = 0 WHERE position = (SELECT min(position) FROM changes WHERE id = ?)',
          )
          .run(id ?? null)
      }
      const first = Math.min(...taken.map(({ position }) => Number(position)))
      if (taken.length > 0) this.#closeRanks(first)
      const seal = this.#readSeal()
      this.#writeSeal(seal)
      this.#database.exec('COMMIT')
      this.#seal = seal
    } catch (cause) {
      this.#undo()
      throw writeFailure(this.#file, cause)
    }
    if (from === 1) this.#sources.delete(source)
  }

  /** Positions have no holes: a hole is what somebody has cut out. */
  #closeRanks(first: number): void {
    // By way of numbers that no row has.
    this.#database
      .prepare(
        `UPDATE changes SET position = -ranked.rank
         FROM (SELECT position AS at, row_number() OVER (ORDER BY position) AS rank FROM changes) AS ranked
         WHERE position = ranked.at AND position >= ?`,
      )
      .run(first)
    this.#database.exec('UPDATE changes SET position = -position WHERE position < 0')
  }

  probe(): void {
    try {
      this.#writeOver()
    } catch (cause) {
      throw writeFailure(this.#file, cause)
    }
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
    this.#own.run('probe', randomBytes(16).toString('hex'))
  }

  has(subject: Subject, id: ChangeId): boolean {
    return this.#read(() => this.#hasId.get(id, subject)) !== undefined
  }

  *ofSubject(subject: Subject): Iterable<LoggedChange> {
    for (const row of this.#read(() => this.#ofSubject.all(subject))) yield this.#content(row)
  }

  find({ source, sequence }: Place, hash: string): HeldEntry | undefined {
    const row = this.#read(() => this.#inPlace.get(source, sequence))
    if (row?.['hash'] === hash) return this.#held(row, false)
    if (this.#forks.size === 0) return undefined
    for (const stray of this.#query(`${CONTENT} WHERE hash = ? AND stray IS NOT NULL`, hash)) {
      const { change } = this.#content(stray)
      if (change.source === source && change.sequence === sequence) {
        return this.#held(stray, true)
      }
    }
    return undefined
  }

  *withdrawals(): Iterable<LoggedChange> {
    // Of nodes and operators: the subjects of clients come before them, and checkpoints do.
    for (const row of this.#query(`${CONTENT} WHERE subject >= 'node/' ORDER BY position`)) {
      const entry = this.#content(row)
      if (entry.change.kind === 'revocation') yield entry
    }
  }

  subjectsBehind(after: string, limit: number): readonly Subject[] {
    const sql = 'SELECT DISTINCT subject FROM changes WHERE subject > ? ORDER BY subject LIMIT ?'
    const rows = [...this.#query<{ subject: Subject }>(sql, after, limit)]
    return rows.map(({ subject }) => subject)
  }

  *forks(): Iterable<Place> {
    for (const row of this.#query(`${CONTENT} WHERE stray IS NOT NULL`)) {
      yield this.#content(row).change
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
    const digest = digestOf([fingerprint, chain])
    try {
      this.#database.exec('BEGIN IMMEDIATE')
      this.#database.prepare(sql).run(fingerprint, chain, digest)
      const seal = this.#seal.copy()
      seal.setCertificate(fingerprint, digest)
      this.#writeSeal(seal)
      this.#database.exec('COMMIT')
      this.#seal = seal
    } catch (cause) {
      this.#undo()
      throw writeFailure(this.#file, cause)
    }
  }

  *logged(): Iterable<LoggedRow> {
    const heads = new Map<string, { sequence: number; hash: string }>()
    for (const row of this.#places()) {
      const [position, source, sequence, text, hash, id, subject, repeats, isStray] = row
      const place = { source, sequence }
      if (entryHash(text) !== hash) throw this.#damaged(place, 'was altered')
      const change = this.#change({ ...place, text })
      const head = heads.get(source)
      const follows =
        sequence === (head?.sequence ?? 0) + 1 && change.previous === (head?.hash ?? '')
      if (!follows && isStray === 0) {
        throw this.#damaged(place, 'does not follow the change before it')
      }
      if (idOf({ change, hash }) !== id || change.subject !== subject) {
        throw this.#damaged(place, 'is filed under another name')
      }
      // What is passed over at a start must have been merged before.
      if (repeats === 1 && !this.#isRepeated(id, position)) {
        throw this.#damaged(place, 'is called a repetition, and is none')
      }
      if (isStray === 1) yield* this.#strayAt(position, repeats === 1)
      else {
        heads.set(source, { sequence, hash })
        yield { change, hash, repeats: repeats === 1 }
      }
    }
  }

  #isRepeated(id: string, position: number): boolean {
    const sql = 'SELECT 1 FROM changes WHERE id = ? AND position < ? LIMIT 1'
    return this.#read(() => this.#database.prepare(sql).get(id, position)) !== undefined
  }

  /** The columns that the list is built from, as arrays: a start reads all rows there are. */
  *#places(): Iterable<PlaceRow> {
    try {
      const statement = this.#database.prepare(
        `SELECT position, source, sequence, text, hash, id, subject, repeats, stray IS NOT NULL
         FROM changes ORDER BY position`,
      )
      statement.setReturnArrays(true)
      for (const row of statement.iterate()) yield row as unknown as PlaceRow
    } catch (error) {
      throw readFailure(this.#file, error)
    }
  }

  *#strayAt(position: number, repeats: boolean): Iterable<Stray & { repeats: boolean }> {
    for (const one of this.#entriesAt(position)) if (isStray(one)) yield { ...one, repeats }
  }

  *#entriesAt(position: number): Iterable<Entry | Stray> {
    const sql = 'SELECT * FROM changes WHERE position = ?'
    for (const row of this.#query<ChangeRow>(sql, position)) yield this.#entry(row)
  }

  *after(clock: ReadonlyMap<Source, number>): Iterable<Entry | Stray> {
    const { moved, own } = this.#missingStrays(clock)
    // The first position that is missing over there: in the common case, none, nothing is scanned.
    let start = Infinity
    for (const position of [...moved.keys(), ...own]) start = Math.min(start, position)
    for (const source of this.#sources) {
      const next = (clock.get(source as Source) ?? 0) + 1
      if (next >= this.#forkOf(source)) continue
      start = Math.min(start, this.#positionOf(source, next) ?? Infinity)
    }
    if (start === Infinity) return
    const rows = this.#query<Row>(
      'SELECT * FROM changes WHERE position >= ? ORDER BY position',
      start,
    )
    for (const row of rows) {
      if (row.stray !== null) {
        if (own.has(row.position)) yield this.#entry(row)
      } else if (row.sequence >= this.#forkOf(row.source)) {
        const stray = moved.get(row.position)
        if (stray !== undefined) yield* this.#entriesAt(stray)
      } else if (row.sequence > (clock.get(row.source as Source) ?? 0)) yield this.#entry(row)
    }
  }

  /**
   * The strays that a reader with this clock lacks. One that stood in its place before has been
   * seen by changes behind that, so that it is told there.
   * @returns `moved`: where it is told, with its own position; `own`: the positions of the others
   */
  #missingStrays(clock: ReadonlyMap<Source, number>): {
    moved: Map<number, number>
    own: Set<number>
  } {
    const moved = new Map<number, number>()
    const own = new Set<number>()
    if (this.#forks.size === 0) return { moved, own }
    const sql = 'SELECT position, source, text, hash FROM changes WHERE stray IS NOT NULL'
    for (const { position, source, text, hash } of this.#query<Row>(sql)) {
      if ((clock.get(source as Source) ?? 0) > 0) continue
      const change = this.#change({ source, sequence: 1, text })
      const isPlaced = this.find(change, hash)?.isStray === false
      if (isPlaced)
        moved.set(this.#positionOf(change.source, change.sequence) ?? position, position)
      else own.add(position)
    }
    return { moved, own }
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

  #forkOf(source: string): number {
    return this.#forks.get(source) ?? Infinity
  }

  #noteFork({ source, sequence }: Place): void {
    this.#forks.set(source, Math.min(this.#forkOf(source), sequence))
  }

  #positionOf(source: string, sequence: number): number | undefined {
    const position = this.#read(() => this.#position.get(source, sequence))?.['position']
    return typeof position === 'number' ? position : undefined
  }

  #read<T>(read: () => T): T {
    try {
      return read()
    } catch (error) {
      throw readFailure(this.#file, error)
    }
  }

  *#query<T = Record<string, unknown>>(
    sql: string,
    ...parameters: (number | string)[]
  ): Iterable<T> {
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

  /** @param value has the columns of `CONTENT` */
  #content(value: Record<string, unknown>): LoggedChange {
    const row = value as unknown as ContentRow
    return { change: this.#change(row), hash: row.hash }
  }

  #held(value: Record<string, unknown>, isStray: boolean): HeldEntry {
    const { operatorCertificate, nodeCertificate } = value as unknown as ContentRow
    const signatures = { operatorCertificate, nodeCertificate }
    return { ...this.#content(value), signatures, isStray }
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
