import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { errorMessage, FridgeError } from '../lib/errors.ts'
import { shellWord } from '../lib/shell-word.ts'
import { createWhole, hasSchema, pragma, saysDamaged, saysFull } from '../lib/sqlite.ts'
import { damageOf } from './integrity.ts'

/** The database of a node, in its data folder. */
export const DATABASE_FILE = 'whitelist.db'

/** "frdg": marks the file as ours, so that an empty or foreign file is never taken for a new one. */
export const APPLICATION_ID = 0x66726467
export const SCHEMA_VERSION = 3

/** How long this process stands still for another one that has the database locked, milliseconds. */
export const BUSY_TIMEOUT_MS = 1_000

const SCHEMA = `
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
  CREATE TABLE changes (
    position INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    text TEXT NOT NULL,
    hash TEXT NOT NULL,
    id TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- 1 where a row before it has the same id: nothing is merged twice at a start.
    repeats INTEGER NOT NULL,
    operatorCertificate TEXT NOT NULL,
    operatorSignature TEXT NOT NULL,
    nodeCertificate TEXT NOT NULL,
    nodeSignature TEXT NOT NULL,
    seal TEXT NOT NULL,
    -- NULL for an entry in its place; for a stray the JSON of { against? }.
    stray TEXT,
    UNIQUE (source, sequence)
  ) STRICT;
  CREATE INDEX changesById ON changes (id);
  CREATE INDEX changesBySubject ON changes (subject);
  CREATE INDEX strays ON changes (hash) WHERE stray IS NOT NULL;
  -- What this node alone says of the rest, by name.
  CREATE TABLE own (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE certificates (
    fingerprint TEXT PRIMARY KEY,
    chain TEXT NOT NULL,
    seal TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`

/**
 * A database of its own beside the file, locked as long as the process lives, however it ends.
 * @throws FridgeError `ERR_DATABASE` when another process holds it or the folder cannot be used
 */
export function lockDatabase(file: string): DatabaseSync {
  const failed = (cause: unknown): FridgeError =>
    new FridgeError(
      'ERR_DATABASE',
      `cannot use the data folder ${dirname(file)}: ${errorMessage(cause)}`,
      {
        cause,
        // In another folder the node would begin with an empty list.
        fix: saysFull(cause)
          ? `make space on its disk: df -h ${shellWord(dirname(file))}`
          : 'give a folder that this user may write to with --data DIR',
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
      fix: 'stop that node, or start this one under a name of its own: fridge node start --name NAME',
    })
  }
}

/**
 * Make the database of a node, empty.
 * @throws FridgeError `ERR_DATABASE`
 */
export function createDatabase(file: string): void {
  try {
    createWhole(file, `BEGIN; ${SCHEMA}; COMMIT`)
  } catch (cause) {
    throw new FridgeError('ERR_DATABASE', `cannot create ${file}: ${errorMessage(cause)}`, {
      cause,
      fix: 'check the free space and the permissions of its folder',
    })
  }
}

/**
 * Open a database of ours that is whole.
 * @param isChecked whether its pages and indexes are left to an `IntegrityCheck`
 * @throws FridgeError `ERR_DATABASE` (unreadable, another version), `ERR_DATABASE_CORRUPT`
 */
export function openDatabase(file: string, isChecked = false): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS })
    const id = pragma(database, 'application_id')
    if (id !== APPLICATION_ID) throw new Error('it is not a fridge database')
    const version = pragma(database, 'user_version')
    if (version !== SCHEMA_VERSION) {
      throw otherVersion(file, version)
    }
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    if (!hasKnownSchema(database)) throw new Error('its tables are not those of fridge')
    const damage = isChecked ? undefined : damageOf(database)
    if (damage !== undefined) throw new Error(damage)
    return database
  } catch (error) {
    database?.close()
    throw readFailure(file, error)
  }
}

/** A database of ours whose tables, and whose changes, are of another version. */
export function otherVersion(file: string, version: unknown): FridgeError {
  const isOlder = typeof version === 'number' && version < SCHEMA_VERSION
  const aside = `mv ${shellWord(file)} ${shellWord(`${file}.v${String(version)}`)} && rm -f ${shellWord(`${file}-wal`)} ${shellWord(`${file}-shm`)}`
  return new FridgeError(
    'ERR_DATABASE',
    `${file} is of version ${String(version)}, this fridge reads version ${SCHEMA_VERSION}`,
    {
      fix: isOlder
        ? `${aside}, then start the node: it takes the list from its peers, or make it anew with fridge whitelist add`
        : 'run the version of fridge that wrote it, or a newer one',
    },
  )
}

/** Whether a database has the tables that we make, and no other. */
export function hasKnownSchema(database: DatabaseSync): boolean {
  return hasSchema(database, SCHEMA)
}

/** What a failed read says: of the file, or of the machine. */
export function readFailure(file: string, cause: unknown): FridgeError {
  if (cause instanceof FridgeError) return cause
  if (saysDamaged(cause)) {
    return corrupt(file, errorMessage(cause), cause)
  }
  return new FridgeError('ERR_DATABASE', `cannot read ${file}: ${errorMessage(cause)}`, {
    cause,
    fix: 'check the free space of its disk (df -h), and that this user may read and write the file',
  })
}

export function writeFailure(file: string, cause: unknown): FridgeError {
  return new FridgeError('ERR_DATABASE', `cannot write to ${file}: ${errorMessage(cause)}`, {
    cause,
    fix: 'check the free space of its disk (df -h) and try again',
  })
}

/** What is in the file is not what was written. */
export function corrupt(file: string, why: string, cause?: unknown): FridgeError {
  return new FridgeError('ERR_DATABASE_CORRUPT', `the database ${file} is damaged: ${why}`, {
    cause,
    fix: `mv ${file} ${file}.damaged && rm -f ${file}-wal ${file}-shm, then start the node with a --peer: it takes the whole list back from its peers`,
  })
}
