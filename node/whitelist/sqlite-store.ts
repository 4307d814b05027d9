import { hash as hashOf } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { errorMessage, FridgeError } from '../errors.ts'
import type { Source } from '../names.ts'
import {
  entryHash,
  isStray,
  placeOf,
  readChange,
  type Change,
  type Entry,
  type EntrySignatures,
  type Stray,
} from './change.ts'
import type { ChangeStore, LoggedChange } from './store.ts'

/** "frdg": marks the file as ours, so that an empty or foreign file is never taken for a new one. */
const APPLICATION_ID = 0x66726467
const SCHEMA_VERSION = 1

const SCHEMA = `
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
  CREATE TABLE changes (
    position INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    text TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL,
    operatorCertificate TEXT NOT NULL,
    operatorSignature TEXT NOT NULL,
    nodeCertificate TEXT NOT NULL,
    nodeSignature TEXT NOT NULL,
    seal TEXT NOT NULL,
    -- NULL for an entry in its place; for a stray the JSON of { against? }.
    stray TEXT,
    UNIQUE (source, sequence)
  ) STRICT;
  CREATE TABLE certificates (
    fingerprint TEXT PRIMARY KEY,
    chain TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`

type PlaceRow = readonly [
  position: number,
  source: string,
  sequence: number,
  text: string,
  previous: string,
  hash: string,
  isStray: 0 | 1,
]

interface Row extends EntrySignatures {
  readonly source: string
  readonly sequence: number
  readonly text: string
  readonly previous: string
  readonly hash: string
  /** `sealOf` the row: a bit that flips in a signature is found at the next start, not by a peer. */
  readonly seal: string
  readonly stray: string | null
}

/**
 * Open the store in a file, or make it where there is none. One process at a time: a second
 * one is refused.
 * @throws FridgeError `ERR_DATABASE` (in use, not writable), `ERR_DATABASE_CORRUPT`
 */
export function openSqliteStore(file: string): ChangeStore {
  const lock = lockDatabase(file)
  try {
    if (!existsSync(file)) createDatabase(file)
    return new SqliteStore(file, openDatabase(file), lock)
  } catch (error) {
    lock.close()
    throw error
  }
}

/** A database of its own beside the file, locked as long as the process lives, however it ends. */
function lockDatabase(file: string): DatabaseSync {
  const failed = (cause: unknown): FridgeError =>
    new FridgeError(
      'ERR_DATABASE',
      `cannot use the data folder ${dirname(file)}: ${errorMessage(cause)}`,
      {
        cause,
        fix: 'give a folder that this user may write to with --data DIR',
      },
    )
  let lock: DatabaseSync
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    lock = new DatabaseSync(`${file}.lock`)
  } catch (cause) {
    throw failed(cause)
  }
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return lock
  } catch (cause) {
    lock.close()
    if (!/locked/.test(errorMessage(cause))) throw failed(cause)
    throw new FridgeError('ERR_DATABASE', `another node is using ${file}`, {
      cause,
      fix: 'stop that node, or give this one a folder of its own with --data DIR',
    })
  }
}

/** Born whole: the file appears under its name only with its schema on disk. */
function createDatabase(file: string): void {
  const unborn = `${file}.new`
  rmSync(unborn, { force: true })
  try {
    const database = new DatabaseSync(unborn)
    try {
      database.exec('PRAGMA synchronous = FULL')
      database.exec(SCHEMA)
    } finally {
      database.close()
    }
    renameSync(unborn, file)
  } catch (cause) {
    throw new FridgeError('ERR_DATABASE', `cannot create ${file}: ${errorMessage(cause)}`, {
      cause,
      fix: 'check the free space and the permissions of its folder',
    })
  }
}

function openDatabase(file: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file)
    const id = pragma(database, 'application_id')
    if (id !== APPLICATION_ID) throw new Error('it is not a fridge database')
    const version = pragma(database, 'user_version')
    if (version !== SCHEMA_VERSION) {
      throw new FridgeError(
        'ERR_DATABASE',
        `${file} is of version ${String(version)}, this fridge reads version ${SCHEMA_VERSION}`,
        {
          fix: 'run the version of fridge that wrote it, or a newer one',
        },
      )
    }
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    const check = database.prepare('PRAGMA quick_check(1)').get()
    if (check?.['quick_check'] !== 'ok') throw new Error(String(check?.['quick_check']))
    return database
  } catch (error) {
    database?.close()
    if (error instanceof FridgeError) throw error
    throw corrupt(file, errorMessage(error), error)
  }
}

function pragma(database: DatabaseSync, name: string): unknown {
  return database.prepare(`PRAGMA ${name}`).get()?.[name]
}

function corrupt(file: string, why: string, cause?: unknown): FridgeError {
  return new FridgeError('ERR_DATABASE_CORRUPT', `the database ${file} is damaged: ${why}`, {
    cause,
    fix: `mv ${file} ${file}.damaged && rm -f ${file}-wal ${file}-shm, then start the node with a --peer: it takes the whole list back from its peers`,
  })
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
      `INSERT INTO changes (source, sequence, text, previous, hash, operatorCertificate,
         operatorSignature, nodeCertificate, nodeSignature, seal, stray)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    this.#position = database.prepare(
      'SELECT position FROM changes WHERE source = ? AND sequence = ?',
    )
    for (const { source } of database.prepare('SELECT source FROM changes GROUP BY source').all()) {
      if (typeof source === 'string') this.#sources.add(source)
    }
  }

  append(entries: readonly (Entry | Stray)[]): void {
    try {
      this.#database.exec('BEGIN IMMEDIATE')
      for (const one of entries) this.#insertOne(one)
      this.#database.exec('COMMIT')
      for (const one of entries) this.#sources.add(placeOf(one).source)
    } catch (cause) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw new FridgeError(
        'ERR_DATABASE',
        `cannot write to ${this.#file}: ${errorMessage(cause)}`,
        {
          cause,
          fix: 'check the free space of its disk (df -h) and try again',
        },
      )
    }
  }

  #insertOne(one: Entry | Stray): void {
    const entry = isStray(one) ? one.entry : one
    const stray = isStray(one) ? JSON.stringify({ against: one.against }) : null
    const { text, previous, hash } = entry
    const { operatorCertificate, operatorSignature, nodeCertificate, nodeSignature } = entry
    const signatures = [operatorCertificate, operatorSignature, nodeCertificate, nodeSignature]
    const { source, sequence } = placeOf(one)
    this.#insert.run(source, sequence, text, previous, hash, ...signatures, sealOf(entry), stray)
  }

  *certificates(): Iterable<readonly string[]> {
    for (const { chain } of this.#database.prepare('SELECT chain FROM certificates').iterate()) {
      yield String(chain).split(' ')
    }
  }

  keepCertificate(fingerprint: string, chain: readonly string[]): void {
    this.#database
      .prepare('INSERT OR IGNORE INTO certificates (fingerprint, chain) VALUES (?, ?)')
      .run(fingerprint, chain.join(' '))
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
      if (error instanceof FridgeError) throw error
      throw corrupt(this.#file, errorMessage(error), error)
    }
  }

  *#strayAt(position: number): Iterable<Stray> {
    for (const row of this.#rows('SELECT * FROM changes WHERE position = ?', position)) {
      const one = this.#entry(row)
      if (isStray(one)) yield one
    }
  }

  *after(clock: ReadonlyMap<Source, number>): Iterable<Entry | Stray> {
    // The first position that is missing over there: in the common case, none, nothing is scanned.
    let start = Infinity
    for (const source of this.#sources) {
      const missing = this.#position.get(source, (clock.get(source as Source) ?? 0) + 1)
      if (typeof missing?.['position'] === 'number') start = Math.min(start, missing['position'])
    }
    if (start === Infinity) return
    const rows = this.#rows('SELECT * FROM changes WHERE position >= ? ORDER BY position', start)
    for (const row of rows) {
      if (row.sequence > (clock.get(row.source as Source) ?? 0)) yield this.#entry(row)
    }
  }

  *ofSource(source: Source, from: number): Iterable<Entry> {
    const sql =
      'SELECT * FROM changes WHERE source = ? AND sequence >= ? AND stray IS NULL ORDER BY sequence'
    for (const row of this.#rows(sql, source, from)) {
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

  *#rows(sql: string, ...parameters: (number | string)[]): Iterable<Row> {
    try {
      // The table is STRICT, so that each column has the type that it declares.
      for (const row of this.#database.prepare(sql).iterate(...parameters))
        yield row as unknown as Row
    } catch (error) {
      if (error instanceof FridgeError) throw error
      throw corrupt(this.#file, errorMessage(error), error)
    }
  }

  #entry(row: Row): Entry | Stray {
    if (sealOf(row) !== row.seal) throw this.#damaged(row, 'has altered signatures')
    const change = this.#change(row)
    const { text, previous, hash } = row
    const { operatorCertificate, operatorSignature, nodeCertificate, nodeSignature } = row
    const signatures = { operatorCertificate, operatorSignature, nodeCertificate, nodeSignature }
    const entry: Entry = { change, text, previous, hash, ...signatures }
    // Written by this node alone, and only after it was checked.
    const stray = row.stray === null ? undefined : (JSON.parse(row.stray) as Pick<Stray, 'against'>)
    const one = stray === undefined ? entry : { entry, ...withAgainst(stray) }
    const { source, sequence } = placeOf(one)
    if (source !== row.source || sequence !== row.sequence) {
      throw this.#damaged(row, 'is filed under another place')
    }
    return one
  }

  #change(row: Pick<Row, 'source' | 'sequence' | 'text'>): Change {
    const change = readChange(row.text)
    if (typeof change === 'string') throw this.#damaged(row, `cannot be read: ${change}`)
    return change
  }

  #damaged(row: Pick<Row, 'source' | 'sequence'>, what: string): FridgeError {
    return corrupt(this.#file, `change ${row.sequence} of ${row.source} ${what}`)
  }
}

function sealOf(entry: EntrySignatures & { readonly hash: string }): string {
  const { hash, operatorCertificate, operatorSignature, nodeCertificate, nodeSignature } = entry
  const parts = [hash, operatorCertificate, operatorSignature, nodeCertificate, nodeSignature]
  return hashOf('sha256', parts.join('\n'), 'base64url')
}

/** A `seen` does not survive JSON; the text of the change says it again. */
function withAgainst({ against }: Pick<Stray, 'against'>): Pick<Stray, 'against'> {
  if (against === undefined) return {}
  const change = readChange(against.text)
  return typeof change === 'string' ? {} : { against: { ...against, change } }
}
