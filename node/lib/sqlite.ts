import { renameSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

/** The value of a pragma: `user_version`, `integrity_check`… */
export function pragma(database: DatabaseSync, name: string): unknown {
  return database.prepare(`PRAGMA ${name}`).get()?.[name]
}

/**
 * Born whole: the file appears under its name only with its schema on disk.
 * @throws what SQLite or the system says
 */
export function createWhole(file: string, schema: string): void {
  const unborn = `${file}.new`
  rmSync(unborn, { force: true })
  const database = new DatabaseSync(unborn)
  try {
    database.exec('PRAGMA synchronous = FULL')
    database.exec(schema)
  } finally {
    database.close()
  }
  renameSync(unborn, file)
}

/** Whether a database has the tables and indexes of a schema, and no others. */
export function hasSchema(database: DatabaseSync, schema: string): boolean {
  const known = new DatabaseSync(':memory:')
  try {
    known.exec(schema)
    return schemaOf(database) === schemaOf(known)
  } finally {
    known.close()
  }
}

/** What the tables are called and made of: one letter of it changed, and reads would miss rows. */
function schemaOf(database: DatabaseSync): string {
  return JSON.stringify(
    // VACUUM writes it down in another order.
    database.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name').all(),
  )
}

/** Whether a failure of SQLite is that its disk is full. */
export function saysFull(failure: unknown): boolean {
  return primaryCode(failure) === 13
}

/**
 * The result codes of SQLite that say nothing of the file's content: PERM, BUSY, LOCKED, NOMEM,
 * READONLY, IOERR, FULL, CANTOPEN (sqlite.org/rescode.html). The file is to stay where it is.
 */
const NOT_DAMAGED: ReadonlySet<number> = new Set([3, 5, 6, 7, 8, 10, 13, 14])

/** Whether a failure of SQLite is about what is in the file, and not about the machine. */
export function saysDamaged(failure: unknown): boolean {
  const code = primaryCode(failure)
  return code === undefined || !NOT_DAMAGED.has(code)
}

/** The primary result code of SQLite; 0 for what has none, undefined for what is no code. */
function primaryCode(failure: unknown): number | undefined {
  const code =
    typeof failure === 'object' && failure !== null && 'errcode' in failure ? failure.errcode : 0
  // The low byte is the primary code, the rest details it.
  return typeof code === 'number' ? code & 0xff : undefined
}
