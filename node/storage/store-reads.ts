import type { StatementSync } from 'node:sqlite'
import type { LogPart } from '../whitelist/store.ts'
import { WHOLE_LOG } from './archives.ts'
import { CONTENT, CONTENT_LEFT } from './checked-rows.ts'
import type { StoreDatabase } from './store-database.ts'

/** What is looked up again and again. */
export interface Reads {
  readonly position: StatementSync
  readonly hasId: StatementSync
  readonly inPlace: StatementSync
  readonly ofSubject: Readonly<Record<LogPart, StatementSync>>
}

export function readsOf(database: StoreDatabase): Reads {
  const ofSubject = 'WHERE subject = ? ORDER BY position'
  return {
    position: database.prepare(
      `SELECT position FROM ${WHOLE_LOG} WHERE source = ? AND sequence = ?`,
    ),
    // A sign keeps SQLite from looking through all changes of the subject instead.
    hasId: database.prepare(`SELECT 1 FROM ${WHOLE_LOG} WHERE id = ? AND +subject = ? LIMIT 1`),
    inPlace: database.prepare(`${CONTENT} WHERE source = ? AND sequence = ?`),
    ofSubject: {
      all: database.prepare(`${CONTENT} ${ofSubject}`),
      left: database.prepare(`${CONTENT_LEFT} ${ofSubject}`),
    },
  }
}
