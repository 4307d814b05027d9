import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { errorMessage, FridgeError } from '../lib/errors.ts'
import { shellWord } from '../lib/shell-word.ts'
import { createWhole, hasSchema, pragma, saysDamaged } from '../lib/sqlite.ts'

/** The history of a node, in its data folder: never in the database of the whitelist. */
export const HISTORY_FILE = 'history.db'

/** "frdh": marks the file as ours. */
const APPLICATION_ID = 0x66726468
const SCHEMA_VERSION = 1

/** What a bucket has beside its start, as columns. */
const BUCKET_COLUMNS = `
    recordedMs INTEGER NOT NULL,
    unavailableMs INTEGER NOT NULL,
    count INTEGER NOT NULL,
    low REAL,
    high REAL,
    sum REAL NOT NULL,
    openings INTEGER NOT NULL,
    openMs INTEGER NOT NULL`

/**
 * `number` counts readings, events and commands together, in the order in which they came in,
 * whatever the clock said. An hour is what was recorded in one hour of the clock, or a part of that:
 * where the node stopped or its clock jumped an hour ends early. Hours are numbered by `position`.
 */
const SCHEMA = `
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
  CREATE TABLE sensors (id INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL) STRICT;
  CREATE TABLE hours (
    position INTEGER PRIMARY KEY,
    begin INTEGER NOT NULL,
    first INTEGER NOT NULL,
    -- NULL until the hour is over, as all below.
    end INTEGER,
    last INTEGER,
    readingsFrom INTEGER,
    minutesFrom INTEGER,
    events TEXT,
    commands TEXT,
    previous TEXT,
    digest TEXT,
    certificate TEXT,
    signature TEXT
  ) STRICT;
  CREATE INDEX hoursByBegin ON hours (begin, end, first, last);
  CREATE TABLE sensorHours (
    sensor INTEGER NOT NULL,
    position INTEGER NOT NULL,${BUCKET_COLUMNS},
    readings TEXT NOT NULL,
    minutes TEXT NOT NULL,
    PRIMARY KEY (sensor, position)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE sensorMinutes (
    sensor INTEGER NOT NULL,
    position INTEGER NOT NULL,
    minute INTEGER NOT NULL,${BUCKET_COLUMNS},
    PRIMARY KEY (sensor, position, minute)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE readings (
    sensor INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (sensor, number)
  ) STRICT, WITHOUT ROWID;
  -- sensor is NULL for what befell the node.
  CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    sensor INTEGER,
    type TEXT NOT NULL,
    detail TEXT NOT NULL
  ) STRICT;
  CREATE INDEX eventsBySensor ON events (sensor, number);
  CREATE TABLE commands (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    subject TEXT NOT NULL,
    command TEXT NOT NULL,
    outcome TEXT NOT NULL
  ) STRICT;
  CREATE TABLE certificates (fingerprint TEXT PRIMARY KEY, chain TEXT NOT NULL)
    STRICT, WITHOUT ROWID;
`

/** The tables as people call what is in them. */
const TABLES = {
  sensors: 'sensors',
  hours: 'hours',
  sensorHours: 'sums of hours',
  sensorMinutes: 'minutes',
  readings: 'readings',
  events: 'events',
  commands: 'commands',
  certificates: 'certificates',
} as const

/** What SQLite keeps of the file in memory, in KiB: the tail of each table, and no more. */
const CACHE_KIB = 512

/**
 * Open the history of a node, or make it where there is none.
 * @throws FridgeError `ERR_DATABASE` (unreadable, of another version), `ERR_DATABASE_CORRUPT`
 */
export function openHistoryDatabase(file: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    if (!existsSync(file)) createWhole(file, SCHEMA)
    database = new DatabaseSync(file)
    checkOurs(database, file)
    // A checkpoint waits for the disk, so it is made when the writer says, not by a write.
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      PRAGMA wal_autocheckpoint = 0;
      PRAGMA cache_size = -${CACHE_KIB}`)
    return database
  } catch (error) {
    database?.close()
    throw historyFailure(file, error)
  }
}

/**
 * Open the history of a node that may be running, so that it stays as it is.
 * @throws FridgeError `ERR_USAGE` when there is none, `ERR_DATABASE`, `ERR_DATABASE_CORRUPT`
 */
export function openHistoryForReading(file: string): DatabaseSync {
  if (!existsSync(file)) {
    throw new FridgeError('ERR_USAGE', `there is no history ${file}`, {
      fix: 'name the folder of a node with --data DIR, or its configuration with --config FILE',
    })
  }
  let database: DatabaseSync | undefined
  try {
    const url = pathToFileURL(file)
    // Without a log beside it the file is all there is, and SQLite touches nothing around it.
    if (!existsSync(`${file}-wal`)) url.searchParams.set('immutable', '1')
    database = new DatabaseSync(url, { readOnly: true })
    checkOurs(database, file)
    database.exec(`PRAGMA cache_size = -${CACHE_KIB}`)
    return database
  } catch (error) {
    database?.close()
    throw historyFailure(file, error)
  }
}

function checkOurs(database: DatabaseSync, file: string): void {
  if (pragma(database, 'application_id') !== APPLICATION_ID) {
    throw damaged(file, 'it is not the history of a fridge')
  }
  const version = pragma(database, 'user_version')
  if (version !== SCHEMA_VERSION) {
    throw new FridgeError(
      'ERR_DATABASE',
      `${file} is of version ${String(version)}, this fridge reads version ${SCHEMA_VERSION}`,
      { fix: 'run the version of fridge that wrote it, or a newer one' },
    )
  }
  if (!hasSchema(database, SCHEMA)) throw damaged(file, 'its tables are not those of a history')
}

/** What a failure says: of the file, or of the machine. */
export function historyFailure(file: string, cause: unknown): FridgeError {
  if (cause instanceof FridgeError) return cause
  if (isOfSqlite(cause) && saysDamaged(cause)) return damaged(file, errorMessage(cause), cause)
  const name = shellWord(file)
  return new FridgeError('ERR_DATABASE', `cannot use ${file}: ${errorMessage(cause)}`, {
    cause,
    fix: `check the free space of its disk and who may write there: df -h ${name}; ls -l ${name}`,
  })
}

/** What a person is told of a history that is read: a failure of SQLite, and nothing else, is of its file. */
export function readingFailure(file: string, cause: unknown): unknown {
  if (!isOfSqlite(cause)) return cause
  if (!saysDamaged(cause)) return historyFailure(file, cause)
  const tables = damagedTables(file)
  return tables.length === 0
    ? historyFailure(file, cause)
    : damaged(file, `${tables.join(', ')} cannot be read whole`, cause)
}

/** Which tables SQLite cannot read from end to end, as people call them. */
function damagedTables(file: string): string[] {
  try {
    using database = openHistoryForReading(file)
    return Object.entries(TABLES).flatMap(([table, name]) =>
      isWhole(database, table) ? [] : [name],
    )
  } catch {
    return []
  }
}

function isWhole(database: DatabaseSync, table: string): boolean {
  try {
    return database.prepare(`PRAGMA quick_check(${table})`).get()?.['quick_check'] === 'ok'
  } catch {
    return false
  }
}

/** Where a damaged history is kept, when another one takes its place. */
export function damagedFile(file: string): string {
  return `${file}.damaged`
}

/**
 * How what can be read of a damaged history is kept, wherever it stands. `.recover` would find more,
 * and fails with the sqlite3 of Debian 12, whose library is built without `sqlite_dbpage`.
 */
export function dumpCommand(file: string): string {
  return `sqlite3 ${shellWord(file)} .dump > kept.sql`
}

function damaged(file: string, why: string, cause?: unknown): FridgeError {
  return new FridgeError('ERR_DATABASE_CORRUPT', `the history ${file} is damaged: ${why}`, {
    cause,
    fix: `keep what can be read of it, ${dumpCommand(file)}, and move it away: its node then begins another`,
  })
}

function isOfSqlite(cause: unknown): boolean {
  return typeof cause === 'object' && cause !== null && 'errcode' in cause
}
