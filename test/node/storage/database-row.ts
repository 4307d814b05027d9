import { DatabaseSync } from 'node:sqlite'
import { idOf, readChange } from '../../../node/whitelist/change.ts'
import { entryHash } from '../../../node/whitelist/entry.ts'
import { sealOf } from '../../../node/storage/change-row.ts'

/** Change the file behind the node's back. */
export function tamper(file: string, sql: string, ...values: (string | number)[]): void {
  using database = new DatabaseSync(file)
  database.prepare(sql).run(...values)
}

/** A change as the database of a node holds it. */
export interface Row {
  position: number
  source: string
  sequence: number
  text: string
  hash: string
  id: string
  subject: string
  repeats: 0 | 1
  operatorCertificate: string
  operatorSignature: string
  nodeCertificate: string
  nodeSignature: string
  seal: string
  stray: string | null
}

export function rowAt(file: string, position: number): Row {
  using database = new DatabaseSync(file)
  const row = database.prepare('SELECT * FROM changes WHERE position = ?').get(position)
  return { ...row } as unknown as Row
}

/** Write a row with all that its text says made to fit, as somebody does who knows the format. */
export function writeSealed(file: string, row: Row): void {
  const hash = entryHash(row.text, row)
  const change = readChange(row.text)
  const said =
    typeof change === 'string' ? {} : { id: idOf({ change, hash }), subject: change.subject }
  using database = new DatabaseSync(file)
  const repeats = 'SELECT count(*) > 0 AS repeats FROM changes WHERE id = ? AND position < ?'
  const found = database.prepare(repeats).get(said.id ?? '', row.position)
  const sealed = { ...row, hash, ...said, repeats: Number(found?.['repeats']) }
  const columns = Object.keys(row)
  database
    .prepare(
      `REPLACE INTO changes (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
    )
    .run(...Object.values({ ...sealed, seal: sealOf(sealed) }))
}
