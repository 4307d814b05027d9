import { randomBytes } from 'node:crypto'
import { link, lstat, open, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { shellWord } from '../lib/shell-word.ts'
import { errorCode, errorMessage, FridgeError } from '../lib/errors.ts'
import { pragma } from '../lib/sqlite.ts'
import { openAtRest } from './at-rest.ts'
import { archivesIn, readBaseNote } from './archives.ts'
import { APPLICATION_ID, readFailure } from './sqlite-database.ts'

export interface BackupOptions {
  /** Replace a file that is there. Default: refuse. */
  readonly force?: boolean
}

/** What a copy holds. */
export interface Backup {
  readonly changes: number
  readonly sources: number
  readonly bytes: number
  /** The archives that hold the older part of its log. They are not copied. */
  readonly archives: readonly string[]
}

/** All pages in one step: one moment of the database, however much its node writes meanwhile. */
const ALL_PAGES = 2 ** 31 - 1

/**
 * Copy the database of a node, which may be running: SQLite's online backup reads one state of it
 * while the node goes on. The copy appears under its name only when it is whole, on disk and read
 * back. Only its owner may read it.
 * @throws FridgeError `ERR_USAGE`, `ERR_FILE_EXISTS`, `ERR_DATABASE`, `ERR_DATABASE_CORRUPT`
 */
export async function backupDatabase(
  source: string,
  target: string,
  { force = false }: BackupOptions = {},
): Promise<Backup> {
  await assertTarget(source, target, force)
  const beside = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    await createEmpty(beside)
    using database = openSource(source)
    const before = headsOf(database)
    try {
      await backup(database, beside, { rate: ALL_PAGES })
    } catch (cause) {
      throw cannotWrite(target, cause)
    }
    leaveEpoch(beside, target)
    const copied = readBack(beside, target, before)
    const bytes = await flush(beside)
    await publish(beside, target, force)
    return { ...copied, bytes }
  } finally {
    await rm(beside, { force: true })
  }
}

/** A copy is of no epoch of its node, whenever it is put back in whatever way. */
function leaveEpoch(copy: string, target: string): void {
  try {
    using database = new DatabaseSync(copy)
    database.exec("DELETE FROM own WHERE name = 'epoch'")
  } catch (cause) {
    throw cannotWrite(target, cause)
  }
}

async function assertTarget(source: string, target: string, force: boolean): Promise<void> {
  const folder = await realpath(dirname(target)).catch((cause: unknown) => {
    throw cannotWrite(target, cause)
  })
  const own = await realpath(source).catch((cause: unknown) => {
    if (errorCode(cause) !== 'ENOENT') throw readFailure(source, cause)
    throw new FridgeError('ERR_USAGE', `there is no database ${source}`, {
      cause,
      fix: 'name the folder of a node with --data DIR, or its configuration with --config FILE',
    })
  })
  const place = join(folder, basename(target))
  // With --force, a copy over a file that its node has open would destroy both.
  if (['', '-wal', '-shm', '.lock'].some(ending => place === `${own}${ending}`)) {
    throw new FridgeError('ERR_USAGE', `${target} belongs to the database itself`, {
      fix: 'give the copy a name and a folder of its own',
    })
  }
  const there = await lstat(target).catch(() => undefined)
  if (there === undefined) return
  if (!force) throw alreadyThere(target)
  if (!there.isFile()) {
    throw new FridgeError('ERR_USAGE', `${target} is not a file`, { fix: 'give another name' })
  }
}

async function createEmpty(file: string): Promise<void> {
  try {
    await using handle = await open(file, 'wx', 0o600)
    await handle.sync()
  } catch (cause) {
    throw cannotWrite(file, cause)
  }
}

function openSource(source: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(source, { readOnly: true })
    if (pragma(database, 'application_id') === APPLICATION_ID) return database
    throw new Error('it is not a fridge database')
  } catch (error) {
    database?.close()
    throw readFailure(source, error)
  }
}

interface Head {
  readonly sequence: number
  readonly hash: string
}

/** The newest change of each source. */
function headsOf(database: DatabaseSync): Map<string, Head> {
  const rows = database.prepare(
    'SELECT source, max(sequence) AS sequence, hash FROM changes GROUP BY source',
  )
  return new Map(
    Array.from(rows.iterate(), ({ source, sequence, hash }) => [
      String(source),
      { sequence: Number(sequence), hash: String(hash) },
    ]),
  )
}

/** Open the copy, and see that it is whole and holds what its source held before, or more. */
function readBack(
  file: string,
  target: string,
  before: ReadonlyMap<string, Head>,
): Omit<Backup, 'bytes'> {
  const fail = (why: string): FridgeError =>
    new FridgeError('ERR_DATABASE', `${target} was not written: the copy ${why}`, {
      fix: 'stop the node and look at its database: fridge node verify',
    })
  using atRest = openAtRest(file)
  const { database } = atRest
  const problem = pragma(database, 'integrity_check')
  if (problem !== 'ok') throw fail(`is damaged: ${String(problem)}`)
  const at = database.prepare('SELECT hash FROM changes WHERE source = ? AND sequence = ?')
  for (const [source, { sequence, hash }] of before) {
    if (at.get(source, sequence)?.['hash'] !== hash) {
      throw fail(`lacks change ${sequence} of ${source}`)
    }
  }
  const count = database.prepare(
    'SELECT count(*) AS changes, count(DISTINCT source) AS sources FROM changes',
  )
  const counted = count.get()
  return {
    changes: Number(counted?.['changes']),
    sources: Number(counted?.['sources']),
    archives: archivesIn(readBaseNote(database)).map(({ name }) => name),
  }
}

/** @returns how many bytes it has */
async function flush(file: string): Promise<number> {
  await using handle = await open(file, 'r+')
  await handle.sync()
  return (await handle.stat()).size
}

async function publish(beside: string, target: string, force: boolean): Promise<void> {
  try {
    if (force) await rename(beside, target)
    else await linkOrReserve(beside, target)
    await using folder = await open(dirname(target), 'r')
    await folder.sync()
  } catch (cause) {
    throw errorCode(cause) === 'EEXIST' ? alreadyThere(target) : cannotWrite(target, cause)
  }
}

/** Never over a file that has appeared meanwhile; a memory stick may know no links. */
async function linkOrReserve(beside: string, target: string): Promise<void> {
  try {
    await link(beside, target)
  } catch (error) {
    if (errorCode(error) === 'EEXIST' || errorCode(error) === 'ENOSPC') throw error
    await using _reserved = await open(target, 'wx', 0o600)
    try {
      await rename(beside, target)
    } catch (cause) {
      await rm(target, { force: true })
      throw cause
    }
  }
}

function alreadyThere(target: string): FridgeError {
  return new FridgeError('ERR_FILE_EXISTS', `${target} is there already and was left as it is`, {
    fix: 'give another name, or replace it with --force',
  })
}

function cannotWrite(target: string, cause: unknown): FridgeError {
  return new FridgeError('ERR_DATABASE', `cannot write ${target}: ${errorMessage(cause)}`, {
    cause,
    fix: `check its folder and the free space there: ls -ld ${shellWord(dirname(target))}; df -h ${shellWord(dirname(target))}`,
  })
}
