import { WHOLE_LIST, type Source } from '../identity/names.ts'
import { Chains } from '../whitelist/chains.ts'
import { idOf, type UpTo } from '../whitelist/change.ts'
import { entryHash, isStray, type Entry, type Stray } from '../whitelist/entry.ts'
import type { LoggedRow } from '../whitelist/store.ts'
import { WHOLE_LOG } from './archives.ts'
import type { ChangeRow } from './change-row.ts'
import { CONTENT_LEFT, type CheckedRows } from './checked-rows.ts'
import { corrupt } from './sqlite-database.ts'
import type { StoreDatabase } from './store-database.ts'
import type { StoredArchives } from './stored-archives.ts'

/** The columns that the list is built from. */
const COLUMNS = `position, source, sequence, text, hash, operatorCertificate, nodeCertificate,
  id, subject, repeats, stray IS NOT NULL`

type PlaceRow = readonly [
  position: number,
  source: Source,
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

export interface LoggedRowsOptions {
  readonly rows: CheckedRows
  readonly archives: Pick<StoredArchives, 'base' | 'left' | 'missing'>
}

/**
 * The rows that have not left the log, in their order, each with its chain checked.
 * @throws FridgeError `ERR_DATABASE_CORRUPT`
 */
export function* loggedRows(
  database: StoreDatabase,
  { rows, archives }: LoggedRowsOptions,
): Iterable<LoggedRow> {
  const chains = new Chains(beginningOf(database, { rows, archives }))
  const sql = `SELECT ${COLUMNS} FROM ${archives.left} ORDER BY position`
  for (const row of database.queryArrays<PlaceRow>(sql)) {
    const [position, source, sequence, text, hash, operatorCertificate, nodeCertificate] = row
    const [, , , , , , , filedId, subject, repeats, isFiled] = row
    const place = { source, sequence }
    const signatures = { operatorCertificate, nodeCertificate }
    if (entryHash(text, signatures) !== hash) {
      throw rows.damaged(place, 'was altered')
    }
    const change = rows.change({ ...place, text })
    if (isFiled === 0 && !chains.add(source, { sequence, hash }, change.previous)) {
      throw rows.damaged(place, 'does not follow the change before it')
    }
    const id = idOf({ change, hash })
    if (id !== filedId || change.subject !== subject) {
      throw rows.damaged(place, 'is filed under another name')
    }
    // What is passed over at a start must have been merged before. Of what is missing nobody can tell.
    const isKnown = repeats === 0 || archives.missing.length > 0
    if (!isKnown && !isRepeated(id, position, database)) {
      throw rows.damaged(place, 'is called a repetition, and is none')
    }
    const one = isFiled === 1 ? entryAt(position, database, rows) : undefined
    if (one === undefined) yield { change, hash, signatures, id, repeats: repeats === 1 }
    else if (isStray(one)) yield { ...one, id, repeats: repeats === 1 }
  }
}

/** The entry or the stray at a position, in the log or in an archive. */
export function entryAt(
  position: number,
  database: StoreDatabase,
  rows: CheckedRows,
): Entry | Stray {
  const sql = `SELECT * FROM ${WHOLE_LOG} WHERE position = ? LIMIT 1`
  for (const row of database.query<ChangeRow>(sql, position)) return rows.entry(row)
  throw corrupt(database.file, `the change at position ${position} is missing`)
}

function isRepeated(id: string, position: number, database: StoreDatabase): boolean {
  const sql = `SELECT 1 FROM ${WHOLE_LOG} WHERE id = ? AND position < ? LIMIT 1`
  return database.read(() => database.prepare(sql).get(id, position)) !== undefined
}

/** The heads of the checkpoint at which the log begins. @throws FridgeError `ERR_DATABASE_CORRUPT` */
export function beginningOf(database: StoreDatabase, { rows, archives }: LoggedRowsOptions): UpTo {
  const base = archives.base()?.checkpoint
  if (base === undefined) return new Map()
  const sql = `${CONTENT_LEFT} WHERE subject = ?`
  for (const row of database.query(sql, WHOLE_LIST)) {
    const { change, hash } = rows.content(row)
    if (hash === base && change.kind === 'checkpoint') return change.heads
  }
  throw corrupt(database.file, 'the checkpoint at which its log begins is missing')
}
