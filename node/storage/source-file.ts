import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs'

/**
 * Which file the source in a database belongs to: a copy, a restored backup and another disk have
 * another inode, or were born at another moment. It lies beside the database and is never copied
 * with it by `fridge node backup`.
 */
export class SourceFile {
  readonly #database: string
  readonly #path: string

  /** @param database the file of the database, `NAME.db`: this one is `NAME.source` */
  constructor(database: string) {
    this.#database = database
    this.#path = database.replace(/\.db$/, '') + '.source'
  }

  /** Whether a source was used with this very database. */
  fits(source: string): boolean {
    try {
      return readFileSync(this.#path, 'utf8') === this.#textOf(source)
    } catch {
      // Then a new source is drawn, which is always right.
      return false
    }
  }

  /** Whether it was written beside this very database. */
  isBesideItsOwn(): boolean {
    try {
      const { source } = JSON.parse(readFileSync(this.#path, 'utf8')) as { source?: unknown }
      return typeof source === 'string' && this.fits(source)
    } catch {
      return false
    }
  }

  /** @throws what the system says; nothing fits then */
  write(source: string): void {
    const next = `${this.#path}.new`
    const file = openSync(next, 'w', 0o600)
    try {
      writeSync(file, this.#textOf(source))
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(next, this.#path)
  }

  #textOf(source: string): string {
    const { dev, ino, birthtimeNs } = statSync(this.#database, { bigint: true })
    return `${JSON.stringify({ source, file: `${dev}:${ino}`, born: `${birthtimeNs}` })}\n`
  }
}
