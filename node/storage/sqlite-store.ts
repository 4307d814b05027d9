import { existsSync } from 'node:fs'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Source, Subject } from '../identity/names.ts'
import { idOf, type ChangeId, type Place } from '../whitelist/change.ts'
import { entryHash, isStray, type Entry, type Stray } from '../whitelist/entry.ts'
import type { Extent } from '../whitelist/extent.ts'
import type { ChangeStore, HeldEntry, LoggedChange, LoggedRow } from '../whitelist/store.ts'
import { COLUMNS, digestOf, valuesOf, type ChangeRow } from './change-row.ts'
import { CheckedRows, CONTENT } from './checked-rows.ts'
import { corrupt, createDatabase, lockDatabase, openDatabase } from './sqlite-database.ts'
import { StoreDatabase } from './store-database.ts'
import { StoredSeal } from './stored-seal.ts'
import { StoredSource } from './stored-source.ts'

type PlaceRow = readonly [
  position: number,
  source: string,
  sequence: number,
  text: string,
  hash: string,
  operatorCertificate: string,
  nodeCertificate: string,
  id: string,
  subject: string,
  repeats: 0 | 1,
  isStray: 0 | 1,
]

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
  /** How much of the list the log in this very file is. */
  extent(): Extent
  /** @throws FridgeError `ERR_DATABASE` */
  noteExtent(extent: Extent): void
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
    return new SqliteStore(new StoreDatabase(file, database), { lock, sealKey })
  } catch (error) {
    database?.close()
    lock.close()
    throw error
  }
}

class SqliteStore implements NodeStore {
  readonly #database: StoreDatabase
  readonly #lock: DatabaseSync
  readonly #rows: CheckedRows
  readonly #insert: StatementSync
  readonly #position: StatementSync
  readonly #hasId: StatementSync
  readonly #ofSubject: StatementSync
  readonly #inPlace: StatementSync
  /** Sources that have entries in their places. */
  readonly #sources = new Set<string>()
  readonly #ownSource: StoredSource
  readonly #seal: StoredSeal
  readonly isSealed: boolean
  /** For each source of which a stray was taken the first sequence that is told as one. */
  readonly #forks = new Map<string, number>()
  #closed = false

  constructor(
    database: StoreDatabase,
    { lock, sealKey }: { lock: DatabaseSync; sealKey: Buffer | undefined },
  ) {
    this.#database = database
    this.#lock = lock
    this.#rows = new CheckedRows(database.file)
    this.#ownSource = new StoredSource(database)
    this.#insert = database.prepare(
      `INSERT INTO changes (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map(() => '?').join(', ')})`,
    )
    this.#position = database.prepare(
      'SELECT position FROM changes WHERE source = ? AND sequence = ?',
    )
    // A sign keeps SQLite from looking through all changes of the subject instead.
    this.#hasId = database.prepare('SELECT 1 FROM changes WHERE id = ? AND +subject = ? LIMIT 1')
    this.#ofSubject = database.prepare(`${CONTENT} WHERE subject = ? ORDER BY position`)
    this.#inPlace = database.prepare(`${CONTENT} WHERE source = ? AND sequence = ?`)
    const sql = 'SELECT source FROM changes WHERE stray IS NULL GROUP BY source'
    for (const { source } of this.#database.query<Pick<ChangeRow, 'source'>>(sql))
      this.#sources.add(source)
    for (const fork of this.forks()) this.#noteFork(fork)
    this.#seal = new StoredSeal(database, sealKey)
    // Of nothing there is nothing to forge.
    const isNew = this.#sources.size === 0 && this.#forks.size === 0
    this.isSealed = isNew || this.#seal.holds()
    this.#ownSource.renew()
  }

  append(entries: readonly (Entry | Stray)[]): void {
    this.#seal.extend(covered => {
      for (const one of entries) {
        const entry = isStray(one) ? one.entry : one
        const id = idOf(entry)
        // A grant has its place in its id: only as a stray can it come again.
        const mayRepeat = isStray(one) || entry.change.kind === 'revocation'
        const repeats = mayRepeat && this.has(entry.change.subject, id)
        this.#insert.run(...valuesOf(one, { id, repeats }))
        covered.add({ hash: entry.hash, repeats, isStray: isStray(one) })
      }
    })
    for (const one of entries) {
      if (isStray(one)) this.#noteFork(one.entry.change)
      else this.#sources.add(one.change.source)
    }
  }

  seal(sealKey: Buffer): void {
    this.#seal.renew(sealKey)
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
         FROM (SELECT position AS at, row_number() OVER (ORDER BY position) AS rank FROM changes) AS ranked
         WHERE position = ranked.at AND position >= ?`,
      )
      .run(first)
    this.#database.prepare('UPDATE changes SET position = -position WHERE position < 0').run()
  }

  probe(): void {
    this.#database.probe()
  }

  has(subject: Subject, id: ChangeId): boolean {
    return this.#database.read(() => this.#hasId.get(id, subject)) !== undefined
  }

  *ofSubject(subject: Subject): Iterable<LoggedChange> {
    for (const row of this.#database.read(() => this.#ofSubject.all(subject)))
      yield this.#rows.content(row)
  }

  find({ source, sequence }: Place, hash: string): HeldEntry | undefined {
    const row = this.#database.read(() => this.#inPlace.get(source, sequence))
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

  subjectsBehind(after: string, limit: number): readonly Subject[] {
    const sql = 'SELECT DISTINCT subject FROM changes WHERE subject > ? ORDER BY subject LIMIT ?'
    const rows = [...this.#database.query<{ subject: Subject }>(sql, after, limit)]
    return rows.map(({ subject }) => subject)
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

  *logged(): Iterable<LoggedRow> {
    const heads = new Map<string, { sequence: number; hash: string }>()
    for (const row of this.#places()) {
      const [position, source, sequence, text, hash, operatorCertificate, nodeCertificate] = row
      const [, , , , , , , id, subject, repeats, isStray] = row
      const place = { source, sequence }
      if (entryHash(text, { operatorCertificate, nodeCertificate }) !== hash) {
        throw this.#rows.damaged(place, 'was altered')
      }
      const change = this.#rows.change({ ...place, text })
      const head = heads.get(source)
      const follows =
        sequence === (head?.sequence ?? 0) + 1 && change.previous === (head?.hash ?? '')
      if (!follows && isStray === 0) {
        throw this.#rows.damaged(place, 'does not follow the change before it')
      }
      if (idOf({ change, hash }) !== id || change.subject !== subject) {
        throw this.#rows.damaged(place, 'is filed under another name')
      }
      // What is passed over at a start must have been merged before.
      if (repeats === 1 && !this.#isRepeated(id, position)) {
        throw this.#rows.damaged(place, 'is called a repetition, and is none')
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
    return this.#database.read(() => this.#database.prepare(sql).get(id, position)) !== undefined
  }

  /** The columns that the list is built from. */
  #places(): Iterable<PlaceRow> {
    return this.#database.queryArrays(
      `SELECT position, source, sequence, text, hash, operatorCertificate, nodeCertificate,
         id, subject, repeats, stray IS NOT NULL
       FROM changes ORDER BY position`,
    )
  }

  *#strayAt(position: number, repeats: boolean): Iterable<Stray & { repeats: boolean }> {
    for (const one of this.#entriesAt(position)) if (isStray(one)) yield { ...one, repeats }
  }

  *#entriesAt(position: number): Iterable<Entry | Stray> {
    const sql = 'SELECT * FROM changes WHERE position = ?'
    for (const row of this.#database.query<ChangeRow>(sql, position)) yield this.#rows.entry(row)
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
    const rows = this.#database.query<Row>(
      'SELECT * FROM changes WHERE position >= ? ORDER BY position',
      start,
    )
    for (const row of rows) {
      if (row.stray !== null) {
        if (own.has(row.position)) yield this.#rows.entry(row)
      } else if (row.sequence >= this.#forkOf(row.source)) {
        const stray = moved.get(row.position)
        if (stray !== undefined) yield* this.#entriesAt(stray)
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
    const sql =
      'SELECT * FROM changes WHERE source = ? AND sequence >= ? AND stray IS NULL ORDER BY sequence'
    for (const row of this.#database.query<ChangeRow>(sql, source, from)) {
      const one = this.#rows.entry(row)
      if (!isStray(one)) yield one
    }
  }

  [Symbol.dispose](): void {
    if (this.#closed) return
    this.#closed = true
    // What is copied of a node that has stopped is no copy of what it was while it ran.
    this.#ownSource.renew()
    this.#database[Symbol.dispose]()
    this.#lock.close()
  }

  #forkOf(source: string): number {
    return this.#forks.get(source) ?? Infinity
  }

  #noteFork({ source, sequence }: Place): void {
    this.#forks.set(source, Math.min(this.#forkOf(source), sequence))
  }

  #positionOf(source: string, sequence: number): number | undefined {
    const position = this.#database.read(() => this.#position.get(source, sequence))?.['position']
    return typeof position === 'number' ? position : undefined
  }
}
