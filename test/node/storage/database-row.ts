import { DatabaseSync } from 'node:sqlite'
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
  previous: string
  hash: string
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

/** Write a row with hash and seal made to fit, as somebody does who knows the format. */
export function writeSealed(file: string, row: Row): void {
  const hash = entryHash(row.previous, row.text)
  const sealed = { ...row, hash }
  using database = new DatabaseSync(file)
  const columns = Object.keys(row)
  database
    .prepare(
      `REPLACE INTO changes (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
    )
    .run(...Object.values({ ...sealed, seal: sealOf(sealed) }))
}
