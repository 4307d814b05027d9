import type { DatabaseSync } from 'node:sqlite'
import type { Entry } from '../whitelist/entry.ts'
import type { Base } from '../whitelist/store.ts'
import type { SealedRow } from './log-seal.ts'
import type { StoreDatabase } from './store-database.ts'
import type { StoredArchives } from './stored-archives.ts'
import type { StoredSeal } from './stored-seal.ts'

/** Where it stands that rows are being written which do not count yet. */
const BEGINNING = 'beginning'

/** Entries written in one transaction: some ten milliseconds. */
const AT_ONCE = 500

export interface BeginningOptions {
  readonly database: StoreDatabase
  readonly archives: Pick<StoredArchives, 'beginWithout'>
  readonly seal: Pick<StoredSeal, 'adopt' | 'empty'>
  /** Write a row, in a transaction. @returns what the seal covers of it */
  readonly write: (entry: Entry) => SealedRow
  /** Whether the database is closed: what is left in it leaves at the next start. */
  readonly isClosed: () => boolean
}

/**
 * Write what was brought to an empty log, slice by slice. From the first row until all are there none
 * of them counts: what is there when the process dies is no log.
 * @throws FridgeError `ERR_DATABASE`: then the log is as empty as before
 */
export function* writeBeginning(
  entries: readonly Entry[],
  base: Base,
  { database, archives, seal, write, isClosed }: BeginningOptions,
): Generator<undefined, void> {
  const covered = seal.empty()
  let isWritten = false
  database.write(() => database.note(BEGINNING, 'yes'))
  try {
    for (let from = 0; from < entries.length; from += AT_ONCE) {
      database.transact(() => {
        for (const entry of entries.slice(from, from + AT_ONCE)) covered.add(write(entry))
      })
      yield
    }
    archives.beginWithout(base, note =>
      seal.adopt(covered, () => {
        note()
        database.note(BEGINNING, 'no')
      }),
    )
    isWritten = true
  } finally {
    if (!isWritten && !isClosed()) leaveBeginning(database)
  }
}

/** Whether what is in a database is such a part of a list, for who reads it without its store. */
export function holdsBeginning(database: DatabaseSync): boolean {
  const value = database.prepare('SELECT value FROM own WHERE name = ?').get(BEGINNING)?.['value']
  return value === 'yes'
}

/** Take out what was written and does not count, if anything is there. @throws FridgeError `ERR_DATABASE` */
export function leaveBeginning(database: StoreDatabase): void {
  if (database.noted(BEGINNING) !== 'yes') return
  database.transact(() => {
    database.prepare('DELETE FROM main.changes').run()
    database.note(BEGINNING, 'no')
  })
}
