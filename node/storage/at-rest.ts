import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { shellWord } from '../lib/shell-word.ts'
import { errorMessage, FridgeError } from '../lib/errors.ts'
import { lockDatabase, readFailure } from './sqlite-database.ts'

/** A database that no node is using. */
export interface DatabaseAtRest extends Disposable {
  readonly database: DatabaseSync
}

/**
 * Open the database of a stopped node, or a copy of one, so that it stays as it is. While it is
 * open no node can start on it. What a killed node left in its write-ahead log is read as well;
 * then, and only then, SQLite makes its index of that log (`-shm`) anew.
 * @throws FridgeError `ERR_USAGE` when there is none, `ERR_REFUSED` while a node is running on it,
 *   `ERR_DATABASE`, `ERR_DATABASE_CORRUPT`
 */
export function openAtRest(file: string): DatabaseAtRest {
  if (sizeOf(file) === undefined) {
    throw new FridgeError('ERR_USAGE', `there is no database ${file}`, {
      fix: 'name the folder of a node with --data DIR, its configuration with --config FILE, or a copy',
    })
  }
  const lock = lockAtRest(file)
  try {
    const url = pathToFileURL(file)
    // Without a log behind it the file is all there is: SQLite then touches nothing around it.
    if (!((sizeOf(`${file}-wal`) ?? 0) > 0)) url.searchParams.set('immutable', '1')
    const database = new DatabaseSync(url, { readOnly: true })
    return {
      database,
      [Symbol.dispose]: () => {
        if (database.isOpen) database.close()
        if (lock?.isOpen === true) lock.close()
      },
    }
  } catch (error) {
    lock?.close()
    throw readFailure(file, error)
  }
}

/** A node that ever ran here has left its lock; a copy has none. */
function lockAtRest(file: string): DatabaseSync | undefined {
  if (sizeOf(`${file}.lock`) === undefined) return undefined
  try {
    return lockDatabase(file)
  } catch (error) {
    if (!(error instanceof FridgeError) || !/locked/.test(errorMessage(error.cause))) throw error
    const data = shellWord(file.replace(/\/[^/]*$/, ''))
    throw new FridgeError('ERR_REFUSED', `a node is running on ${file}`, {
      cause: error,
      fix: `stop it; or check a copy: fridge node backup copy.db --data ${data} && fridge node verify copy.db`,
    })
  }
}

function sizeOf(file: string): number | undefined {
  const stats = statSync(file, { throwIfNoEntry: false })
  return stats?.isFile() === true ? stats.size : undefined
}
