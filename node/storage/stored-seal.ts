import { LogSeal } from './log-seal.ts'
import type { StoreDatabase } from './store-database.ts'

/** Rows of which the seal takes in the text at a time. */
const SEALED_AT_ONCE = 1_000

/** The seal in a database over its log: it changes with what it covers, or neither does. */
export class StoredSeal {
  readonly #database: StoreDatabase
  /** Without one nothing is sealed. */
  #key: Buffer | undefined
  /** What a seal over all that is there covers. */
  #covered: LogSeal

  constructor(database: StoreDatabase, key: Buffer | undefined) {
    this.#database = database
    this.#key = key
    this.#covered = coveredBy(database)
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

  /** Take something out of the log: the seal takes in all the rest anew. @throws FridgeError `ERR_DATABASE` */
  remake(change: () => void): void {
    this.#covered = this.#database.transact(() => {
      change()
      const covered = coveredBy(this.#database)
      this.#write(covered)
      return covered
    })
  }

  #write(covered: LogSeal): void {
    if (this.#key !== undefined) this.#database.note('seal', covered.value(this.#key))
  }
}

function coveredBy(database: StoreDatabase): LogSeal {
  const covered = new LogSeal()
  for (const lines of sealedLines(database)) covered.addLines(lines)
  const certificates = 'SELECT fingerprint, seal FROM certificates'
  for (const row of database.query<{ fingerprint: string; seal: string }>(certificates)) {
    covered.setCertificate(row.fingerprint, row.seal)
  }
  return covered
}

/** The rows as a seal covers them, a thousand at a time: a start reads all there are. */
function* sealedLines(database: StoreDatabase): Iterable<string> {
  const rows = database.queryArrays<[line: string]>(
    "SELECT hash || ' ' || repeats || ' ' || (stray IS NOT NULL) FROM changes ORDER BY position",
  )
  let lines: string[] = []
  for (const [line] of rows) {
    lines.push(`${line}\n`)
    if (lines.length < SEALED_AT_ONCE) continue
    yield lines.join('')
    lines = []
  }
  yield lines.join('')
}
