import { createHash } from 'node:crypto'
import { chmodSync, closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import type { Place } from '../whitelist/change.ts'
import type { Base } from '../whitelist/store.ts'
import { createDatabase } from './sqlite-database.ts'

/** An archive as the database beside it knows it. */
export interface ArchiveNote {
  /** The name of its file, in the folder of the database. */
  readonly name: string
  readonly changes: number
  /** SHA-256 over its rows, in base64url. */
  readonly digest: string
}

/** What a database says of the part of its log that has left it. */
export interface BaseNote {
  readonly checkpoint: string
  readonly spent: readonly string[]
  readonly strays: readonly string[]
  readonly true: readonly string[]
  readonly archives: readonly ArchiveNote[]
  /** How many of the changes that it covers never came to this node. Default none. */
  readonly absent?: number
}

/** Where what a database says of where its log begins stands in it. */
export const BASE = 'base'

/** How many archives a database can have: SQLite opens no more beside a file than ten. */
export const MAX_ARCHIVES = 8

/** What is read of the whole log, with what has left it. */
export const WHOLE_LOG = 'wholeLog'

/** The rows of an archive as its digest covers them. */
const LINES = "SELECT hash || ' ' || repeats || ' ' || seal || char(10) AS line FROM"

/** @param text as this node has written it */
export function parseBaseNote(text: string | undefined): BaseNote | undefined {
  return text === undefined || text === '' ? undefined : (JSON.parse(text) as BaseNote)
}

/** What a database says of where its log begins, for who reads it without its store. */
export function readBaseNote(database: DatabaseSync): string | undefined {
  const value = database.prepare('SELECT value FROM own WHERE name = ?').get(BASE)?.['value']
  return typeof value === 'string' ? value : undefined
}

/** The archives that a database names. @param text what it says of where its log begins */
export function archivesIn(text: string | undefined): readonly ArchiveNote[] {
  return parseBaseNote(text)?.archives ?? []
}

export function baseOfNote({ checkpoint, archives, absent = 0, ...hashes }: BaseNote): Base {
  return {
    checkpoint,
    spent: new Set(hashes.spent),
    strays: new Set(hashes.strays),
    true: new Set(hashes.true),
    archived: archives.reduce((sum, { changes }) => sum + changes, absent),
  }
}

function archiveFile(database: string, name: string): string {
  return join(dirname(database), name)
}

/**
 * Let a database be read with its archives, as `wholeLog`. One that is not there, or is another, is
 * left out.
 * @returns those that are left out
 */
export function attachArchives(
  database: DatabaseSync,
  file: string,
  archives: readonly ArchiveNote[],
): readonly ArchiveNote[] {
  database.exec(`DROP VIEW IF EXISTS temp.${WHOLE_LOG}`)
  const missing: ArchiveNote[] = []
  const parts = ['SELECT *, 0 AS isArchived FROM main.changes']
  for (const [index, archive] of archives.entries()) {
    const schema = `archive${index + 1}`
    if (
      !isAttached(database, schema) &&
      !attach(database, schema, archiveFile(file, archive.name))
    ) {
      missing.push(archive)
    } else if (digestNoted(database, schema) === archive.digest) {
      parts.push(`SELECT *, 1 AS isArchived FROM ${schema}.changes`)
    } else missing.push(archive)
  }
  database.exec(`CREATE TEMP VIEW ${WHOLE_LOG} AS ${parts.join(' UNION ALL ')}`)
  return missing
}

function isAttached(database: DatabaseSync, schema: string): boolean {
  return (
    database.prepare('SELECT 1 FROM pragma_database_list WHERE name = ?').get(schema) !== undefined
  )
}

function attach(database: DatabaseSync, schema: string, file: string): boolean {
  if (!existsSync(file)) return false
  const url = pathToFileURL(file)
  url.searchParams.set('mode', 'ro')
  try {
    database.prepare(`ATTACH ? AS ${schema}`).run(url.href)
    database.prepare(`SELECT 1 FROM ${schema}.changes LIMIT 1`).get()
    return true
  } catch {
    return false
  }
}

function digestNoted(database: DatabaseSync, schema: string): unknown {
  return database.prepare(`SELECT value FROM ${schema}.own WHERE name = 'digest'`).get()?.['value']
}

/** The digest over the rows of an archive, as they are. @param schema where it is attached */
export function digestOfArchive(database: DatabaseSync, schema: string): string {
  const digest = createHash('sha256')
  for (const { line } of database
    .prepare(`${LINES} ${schema}.changes ORDER BY position`)
    .iterate()) {
    digest.update(String(line))
  }
  return digest.digest('base64url')
}

/** Copies rows into an archive that is still to get its name. */
export class ArchiveWriter {
  readonly #database: DatabaseSync
  readonly #file: string
  readonly #name: string

  constructor(database: DatabaseSync, file: string, name: string) {
    this.#database = database
    this.#file = file
    this.#name = name
    this.abandon()
    createDatabase(this.#beside)
    chmodSync(this.#beside, 0o600)
    database.prepare('ATTACH ? AS next').run(pathToFileURL(this.#beside).href)
  }

  /** Copy the entries at some places. */
  copy(places: readonly Place[]): void {
    const insert = this.#database.prepare(
      `INSERT INTO next.changes SELECT * FROM main.changes
       WHERE source = ? AND sequence = ? AND stray IS NULL`,
    )
    this.#database.exec('BEGIN')
    try {
      for (const { source, sequence } of places) insert.run(source, sequence)
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#database.exec('ROLLBACK')
      throw error
    }
  }

  /** Give the archive its name, when all of it is on disk. Nothing writes to it any more. */
  finish(): ArchiveNote {
    const database = this.#database
    const digest = digestOfArchive(database, 'next')
    const count = database.prepare('SELECT count(*) AS changes FROM next.changes').get()
    database.prepare("INSERT INTO next.own (name, value) VALUES ('digest', ?)").run(digest)
    database.exec('DETACH next')
    const target = archiveFile(this.#file, this.#name)
    sync(this.#beside)
    chmodSync(this.#beside, 0o400)
    renameSync(this.#beside, target)
    sync(dirname(target))
    return { name: this.#name, changes: Number(count?.['changes']), digest }
  }

  /** Leave nothing of it. */
  abandon(): void {
    if (isAttached(this.#database, 'next')) this.#database.exec('DETACH next')
    rmSync(this.#beside, { force: true })
  }

  get #beside(): string {
    return `${archiveFile(this.#file, this.#name)}.part`
  }
}

function sync(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
