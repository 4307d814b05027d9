import type { DatabaseSync } from 'node:sqlite'

/**
 * What is wrong with the pages and the indexes of a database; undefined where they are whole. The
 * quick check would not see an index that lies: then peers would not be sent a change.
 * @throws what SQLite says of pages that it cannot read at all
 */
export function damageOf(database: DatabaseSync): string | undefined {
  const said = database.prepare('PRAGMA integrity_check(1)').get()?.['integrity_check']
  return said === 'ok' ? undefined : String(said)
}
