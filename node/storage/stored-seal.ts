import { BASE } from './archives.ts'
import { LogSeal } from './log-seal.ts'
import type { StoredArchives } from './stored-archives.ts'
import type { StoreDatabase } from './store-database.ts'

/** Rows of which the seal takes in the text at a time. */
const SEALED_AT_ONCE = 1_000

/** The seal in a database over its log: it changes with what it covers, or neither does. */
export class StoredSeal {
  readonly #database: StoreDatabase
  readonly #archives: Pick<StoredArchives, 'left'>
  /** Without one nothing is sealed. */
  #key: Buffer | undefined
  /** What a seal over all that is there covers. */
  #covered: LogSeal

  constructor(
    database: StoreDatabase,
    archives: Pick<StoredArchives, 'left'>,
    key: Buffer | undefined,
  ) {
    this.#database = database
    this.#archives = archives
    this.#key = key
    this.#covered = coveredBy(database, archives.left)
  }

  /** Whether all that is there was written with the same key. */
  holds(): boolean {
    return this.#database.noted('seal') === (this.#key && this.#covered.value(this.#key))
  }

  /** Seal all that is there now, with another key from now on. @throws FridgeError `ERR_DATABASE` */
  renew(key: Buffer): void {
    this.#key = key
    this.#database.write(() => this.#write(this.#covered))
  }

  /** Add to the log what `add` tells the seal as well. @throws FridgeError `ERR_DATABASE` */
  extend(add: (covered: LogSeal) => void): void {
    this.#covered = this.#database.transact(() => {
      const covered = this.#covered.copy()
      add(covered)
      this.#write(covered)
      return covered
    })
  }

  /** Let something count no longer: the seal takes in all the rest anew. @throws FridgeError `ERR_DATABASE` */
  remake(change: () => void): void {
    this.#covered = this.#database.transact(() => {
      change()
      const covered = coveredBy(this.#database, this.#archives.left)
      this.#write(covered)
      return covered
    })
  }

  /** What covers nothing yet: to be told of rows that are written before they count. */
  empty(): LogSeal {
    return new LogSeal()
  }

  /** Let rows count from now on that were written while the log was empty. @throws FridgeError `ERR_DATABASE` */
  adopt(rows: LogSeal, change: () => void): void {
    this.#covered = this.#database.transact(() => {
      change()
      const covered = this.#covered.over(rows, this.#database.noted(BASE))
      this.#write(covered)
      return covered
    })
  }

  #write(covered: LogSeal): void {
    if (this.#key !== undefined) this.#database.note('seal', covered.value(this.#key))
  }
}

function coveredBy(database: StoreDatabase, left: string): LogSeal {
  const covered = new LogSeal(database.noted(BASE))
  for (const lines of sealedLines(database, left)) covered.addLines(lines)
  const certificates = 'SELECT fingerprint, seal FROM certificates'
  for (const row of database.query<{ fingerprint: string; seal: string }>(certificates)) {
    covered.setCertificate(row.fingerprint, row.seal)
  }
  return covered
}

/**
 * The rows as a seal covers them, a page at a time: a start reads all there are, and SQLite puts their
 * lines together in half the time that it takes to hand them out one by one.
 */
function* sealedLines(database: StoreDatabase, left: string): Iterable<string> {
  const line = `hash || ' ' || repeats || ' ' || (stray IS NOT NULL) || char(10)`
  const page = `SELECT position, ${line} AS line FROM ${left} WHERE position > ? ORDER BY position LIMIT ?`
  const pages = database.prepare(
    `SELECT group_concat(line, '' ORDER BY position) AS lines, max(position) AS last FROM (${page})`,
  )
  for (let last = 0; ;) {
    const read = database.read(() => pages.get(last, SEALED_AT_ONCE))
    if (typeof read?.['lines'] !== 'string') return
    yield read['lines']
    last = Number(read['last'])
  }
}
