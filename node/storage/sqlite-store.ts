import { existsSync } from 'node:fs'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { isRun, type Source, type Subject } from '../identity/names.ts'
import { idOf, type ChangeId, type Place } from '../whitelist/change.ts'
import { isStray, type Entry, type Stray } from '../whitelist/entry.ts'
import type { Extent } from '../whitelist/extent.ts'
import type {
  Base,
  HeldEntry,
  LeftEntry,
  LoggedChange,
  LoggedRow,
  LogPart,
  SubjectRow,
} from '../whitelist/store.ts'
import { WHOLE_LOG } from './archives.ts'
import { COLUMNS, digestOf, valuesOf, type ChangeRow } from './change-row.ts'
import { CheckedRows, CONTENT, contentLeftIn } from './checked-rows.ts'
import type { SealedRow } from './log-seal.ts'
import { beginningOf, entryAt, loggedRows } from './logged-rows.ts'
import type { NodeStore } from './node-store.ts'
import { corrupt, createDatabase, lockDatabase, openDatabase } from './sqlite-database.ts'
import { StoreDatabase } from './store-database.ts'
import { readsOf, type Reads } from './store-reads.ts'
import { StoredArchives } from './stored-archives.ts'
import { leaveBeginning, writeBeginning } from './stored-beginning.ts'
import { StoredSeal } from './stored-seal.ts'
import { StoredSource } from './stored-source.ts'

type Row = ChangeRow & { readonly position: number }

interface CertificateRow {
  readonly fingerprint: string
  readonly chain: string
  readonly seal: string
}

/**
 * Open the store in a file, or make it where there is none. One process at a time: a second
 * process is refused.
 * @param isChecked whether its pages and indexes are left to an `IntegrityCheck`; default false
 * @throws FridgeError `ERR_DATABASE` (in use, not writable), `ERR_DATABASE_CORRUPT`
 */
export function openSqliteStore(file: string, sealKey?: Buffer, isChecked = false): NodeStore {
  const lock = lockDatabase(file)
  let database: DatabaseSync | undefined
  try {
    if (!existsSync(file)) createDatabase(file)
    database = openDatabase(file, isChecked)
    const store = new StoreDatabase(file, database)
    leaveBeginning(store)
    const archives = new StoredArchives(store, database)
    return new SqliteStore(store, { lock, sealKey, archives })
  } catch (error) {
    database?.close()
    lock.close()
    throw error
  }
}

interface StoreParts {
  readonly lock: DatabaseSync
  readonly sealKey: Buffer | undefined
  readonly archives: StoredArchives
}

class SqliteStore implements NodeStore {
  readonly archives: StoredArchives
  readonly #database: StoreDatabase
  readonly #lock: DatabaseSync
  readonly #rows: CheckedRows
  readonly #insert: StatementSync
  readonly #reads: Reads
  /** Sources that have entries in their places. */
  readonly #sources = new Set<string>()
  readonly #ownSource: StoredSource
  readonly #seal: StoredSeal
  readonly isSealed: boolean
  /** For each source of which a stray was taken the first sequence that is told as one. */
  readonly #forks = new Map<string, number>()
  #closed = false

  constructor(database: StoreDatabase, { lock, sealKey, archives }: StoreParts) {
    this.#database = database
    this.#lock = lock
    this.archives = archives
    this.#rows = new CheckedRows(database.file)
    this.#ownSource = new StoredSource(database)
    this.#insert = database.prepare(
      `INSERT INTO changes (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map(() => '?').join(', ')})`,
    )
    this.#reads = readsOf(database)
    for (const source of beginningOf(database, { rows: this.#rows, archives }).keys()) {
      if (isRun(source)) this.#sources.add(source)
    }
    // By their names strays are told apart: to look at each row would take as long as to read them all.
    const sql = 'SELECT DISTINCT source FROM main.changes'
    for (const { source } of this.#database.query<{ source: Source }>(sql)) {
      if (isRun(source)) this.#sources.add(source)
    }
    for (const fork of this.forks()) this.#noteFork(fork)
    this.#seal = new StoredSeal(database, archives, sealKey)
    // Of nothing there is nothing to forge.
    const isNew = this.#sources.size === 0 && this.#forks.size === 0
    this.isSealed = isNew || this.#seal.holds()
    this.#ownSource.renew()
  }

  append(entries: readonly (Entry | Stray)[]): void {
    this.#seal.extend(covered => {
      for (const one of entries) covered.add(this.#write(one))
    })
    for (const one of entries) {
      if (isStray(one)) this.#noteFork(one.entry.change)
      else this.#sources.add(one.change.source)
    }
  }

  /** Write a row, in a transaction. @returns what the seal covers of it */
  #write(one: Entry | Stray): SealedRow {
    const entry = isStray(one) ? one.entry : one
    const id = idOf(entry)
    // A grant has its place in its id: only as a stray can it come again.
    const mayRepeat = isStray(one) || entry.change.kind === 'revocation'
    const repeats = mayRepeat && this.has(entry.change.subject, id)
    this.#insert.run(...valuesOf(one, { id, repeats }))
    return { hash: entry.hash, repeats, isStray: isStray(one) }
  }

  *beginWith(entries: readonly Entry[], base: Base): Generator<undefined, void> {
    yield* writeBeginning(entries, base, {
      database: this.#database,
      archives: this.archives,
      seal: this.#seal,
      write: entry => this.#write(entry),
      isClosed: () => this.#closed,
    })
    for (const { change } of entries) this.#sources.add(change.source)
  }

  seal(sealKey: Buffer): void {
    this.#seal.renew(sealKey)
  }

  beginAt(base: Omit<Base, 'archived'>): void {
    this.archives.begin(base, note => this.#seal.remake(note))
  }

  ownSource(): Source | undefined {
    return this.#ownSource.source()
  }

  keepOwnSource(source: Source | undefined): void {
    this.#ownSource.keep(source)
  }

  extent(): Extent {
    return this.#ownSource.extent()
  }

  noteExtent(extent: Extent): void {
    this.#ownSource.noteExtent(extent)
  }

  takeBack(source: Source, from: number): void {
    const all = 'source = ? AND sequence >= ? AND stray IS NULL'
    this.archives.takeOut(Infinity)
    this.#seal.remake(() => {
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
    })
    if (from === 1) this.#sources.delete(source)
  }

  /** Positions have no holes: a hole is what somebody has cut out. */
  #closeRanks(first: number): void {
    // By way of numbers that no row has.
    this.#database
      .prepare(
        `UPDATE changes SET position = -ranked.rank
         FROM (SELECT position AS at, ?1 - 1 + row_number() OVER (ORDER BY position) AS rank
               FROM changes WHERE position >= ?1) AS ranked
         WHERE position = ranked.at`,
      )
      .run(first)
    this.#database.prepare('UPDATE changes SET position = -position WHERE position < 0').run()
  }

  probe(): void {
    this.#database.probe()
  }

  has(subject: Subject, id: ChangeId): boolean {
    return this.#database.read(() => this.#reads.hasId.get(id, subject)) !== undefined
  }

  *ofSubject(subject: Subject, part: LogPart = 'all'): Iterable<SubjectRow> {
    const rows =
      part === 'left' && this.archives.isTakingOut
        ? this.#leftOf(subject)
        : this.#database.read(() => this.#reads.ofSubject[part].all(subject))
    for (const row of rows) yield this.#rows.ofSubject(row)
  }

  /** Without what is still to be taken out of the log. */
  #leftOf(subject: Subject): Iterable<Record<string, unknown>> {
    const content = contentLeftIn(this.archives.left)
    return this.#database.query(`${content} WHERE subject = ? ORDER BY position`, subject)
  }

  find({ source, sequence }: Place, hash: string): HeldEntry | undefined {
    const row = this.#database.read(() => this.#reads.inPlace.get(source, sequence))
    if (row?.['hash'] === hash) return this.#rows.held(row, false)
    if (this.#forks.size === 0) return undefined
    for (const stray of this.#database.query(
      `${CONTENT} WHERE hash = ? AND stray IS NOT NULL`,
      hash,
    )) {
      const { change } = this.#rows.content(stray)
      if (change.source === source && change.sequence === sequence) {
        return this.#rows.held(stray, true)
      }
    }
    return undefined
  }

  *withdrawals(): Iterable<LoggedChange> {
    // Of nodes and operators: the subjects of clients come before them, and checkpoints do.
    for (const row of this.#database.query(
      `${CONTENT} WHERE subject >= 'node/' ORDER BY position`,
    )) {
      const entry = this.#rows.content(row)
      if (entry.change.kind === 'revocation') yield entry
    }
  }

  subjectsBehind(after: string, limit: number, part: LogPart = 'all'): readonly Subject[] {
    const table = part === 'all' && this.archives.base() !== undefined ? WHOLE_LOG : 'changes'
    const sql = `SELECT DISTINCT subject FROM ${table} WHERE subject > ? ORDER BY subject LIMIT ?`
    const rows = [...this.#database.query<{ subject: Subject }>(sql, after, limit)]
    return rows.map(({ subject }) => subject)
  }

  base(): Base | undefined {
    return this.archives.base()
  }

  get isComplete(): boolean {
    return this.archives.isComplete
  }

  *forks(): Iterable<Place> {
    for (const row of this.#database.query(`${CONTENT} WHERE stray IS NOT NULL`)) {
      yield this.#rows.content(row).change
    }
  }

  *certificates(): Iterable<readonly string[]> {
    const sql = 'SELECT fingerprint, chain, seal FROM certificates'
    for (const { fingerprint, chain, seal } of this.#database.query<CertificateRow>(sql)) {
      if (digestOf([fingerprint, chain]) !== seal) {
        throw corrupt(this.#database.file, `the certificate ${fingerprint} was altered`)
      }
      yield chain.split(' ')
    }
  }

  keepCertificate(fingerprint: string, certificates: readonly string[]): void {
    const chain = certificates.join(' ')
    const sql = 'INSERT OR REPLACE INTO certificates (fingerprint, chain, seal) VALUES (?, ?, ?)'
    const digest = digestOf([fingerprint, chain])
    this.#seal.extend(covered => {
      this.#database.prepare(sql).run(fingerprint, chain, digest)
      covered.setCertificate(fingerprint, digest)
    })
  }

  logged(): Iterable<LoggedRow> {
    return loggedRows(this.#database, { rows: this.#rows, archives: this.archives })
  }

  *after(clock: ReadonlyMap<Source, number>): Iterable<Entry | Stray> {
    if (!this.isComplete) this.#assertLeft(clock)
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
    const rows = this.#database.query<Row>(
      `SELECT * FROM ${WHOLE_LOG} WHERE position >= ? ORDER BY position`,
      start,
    )
    let last = 0
    for (const row of rows) {
      // What is still to be taken out of the log is in both.
      if (row.position === last) continue
      last = row.position
      if (row.stray !== null) {
        if (own.has(row.position)) yield this.#rows.entry(row)
      } else if (row.sequence >= this.#forkOf(row.source)) {
        const stray = moved.get(row.position)
        if (stray !== undefined) yield entryAt(stray, this.#database, this.#rows)
      } else if (row.sequence > (clock.get(row.source as Source) ?? 0)) yield this.#rows.entry(row)
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
    for (const { position, source, text, hash } of this.#database.query<Row>(sql)) {
      if ((clock.get(source as Source) ?? 0) > 0) continue
      const change = this.#rows.change({ source, sequence: 1, text })
      const isPlaced = this.find(change, hash)?.isStray === false
      if (isPlaced)
        moved.set(this.#positionOf(change.source, change.sequence) ?? position, position)
      else own.add(position)
    }
    return { moved, own }
  }

  *ofSource(source: Source, from: number): Iterable<Entry> {
    const sql = `SELECT * FROM ${WHOLE_LOG} WHERE source = ? AND sequence >= ? AND stray IS NULL ORDER BY sequence`
    let last = 0
    for (const row of this.#database.query<ChangeRow>(sql, source, from)) {
      if (row.sequence === last) continue
      last = row.sequence
      const one = this.#rows.entry(row)
      if (!isStray(one)) yield one
    }
  }

  leftBehind(position: number, limit: number): readonly LeftEntry[] {
    const sql = `SELECT * FROM ${this.archives.left} WHERE position > ? ORDER BY position LIMIT ?`
    const rows = this.#database.query<Row>(sql, position, limit)
    return Array.from(rows, row => ({ position: row.position, entry: this.#rows.entry(row) }))
  }

  [Symbol.dispose](): void {
    if (this.#closed) return
    this.#closed = true
    // What is copied of a node that has stopped is no copy of what it was while it ran.
    this.#ownSource.renew()
    this.#database[Symbol.dispose]()
    this.#lock.close()
  }

  /** @throws FridgeError `ERR_ARCHIVE` when a reader with this clock lacks what is in a missing archive */
  #assertLeft(clock: ReadonlyMap<Source, number>): void {
    const begins = beginningOf(this.#database, { rows: this.#rows, archives: this.archives })
    for (const [source, { sequence }] of begins) {
      if (!isRun(source) || (clock.get(source) ?? 0) >= sequence) continue
      throw this.archives.notHere()
    }
  }

  #forkOf(source: string): number {
    return this.#forks.get(source) ?? Infinity
  }

  #noteFork({ source, sequence }: Place): void {
    this.#forks.set(source, Math.min(this.#forkOf(source), sequence))
  }

  #positionOf(source: string, sequence: number): number | undefined {
    const position = this.#database.read(() => this.#reads.position.get(source, sequence))?.[
      'position'
    ]
    return typeof position === 'number' ? position : undefined
  }
}
