import { DatabaseSync } from 'node:sqlite'
import type { Signers } from '../identity/signers.ts'
import type { Source } from '../identity/names.ts'
import { openAt } from '../whitelist/open.ts'
import { archivesIn, attachArchives, readBaseNote, WHOLE_LOG } from './archives.ts'
import { uncheckedOf, type ChangeRow } from './change-row.ts'
import { corrupt, readFailure } from './sqlite-database.ts'

/** Rows whose signatures are checked at a time. */
const BATCH = 512

interface Row extends ChangeRow {
  readonly position: number
}

/**
 * Check both signatures of every change in a log, by certificates that are traced to an authority
 * anew: what a log needs that carries no seal of this node.
 * @param signers with no certificate taken for granted
 * @throws FridgeError `ERR_DATABASE_CORRUPT` at the first that does not hold
 */
export async function checkLog(file: string, signers: Signers): Promise<void> {
  using database = new DatabaseSync(file, { readOnly: true })
  for (const { chain } of read(file, () =>
    database.prepare('SELECT chain FROM certificates').all(),
  )) {
    // One that leads to no authority is unknown to each change under it.
    signers.learn(String(chain).split(' '))
  }
  attachArchives(database, file, archivesIn(readBaseNote(database)))
  const page = database.prepare(
    `SELECT * FROM ${WHOLE_LOG} WHERE position > ? ORDER BY position LIMIT ?`,
  )
  let last = 0
  for (;;) {
    // The schema is ours and STRICT, so that each column has the type that it declares.
    const rows = read(file, () => page.all(last, BATCH)) as unknown as Row[]
    if (rows.length === 0) return
    last = rows.at(-1)?.position ?? last
    const problems = await Promise.all(rows.map(async row => problemOf(row, signers)))
    const index = problems.findIndex(problem => problem !== undefined)
    const row = rows[index]
    if (row === undefined) continue
    throw corrupt(file, `change ${row.sequence} of ${row.source}: ${problems[index] ?? ''}`)
  }
}

async function problemOf(row: Row, signers: Signers): Promise<string | undefined> {
  const unchecked = uncheckedOf(row)
  if (typeof unchecked === 'string') return unchecked
  const place = { source: row.source as Source, sequence: row.sequence }
  const opened = await openAt(place, unchecked, signers)
  return typeof opened === 'string' ? opened : undefined
}

function read<T>(file: string, task: () => T): T {
  try {
    return task()
  } catch (error) {
    throw readFailure(file, error)
  }
}
