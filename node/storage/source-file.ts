import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs'

/** What is said beside a database of the very file that it is in. */
export interface Mark {
  /** The source that was used with it; `''` for none. */
  readonly source: string
  /** What the database says as well: another one after each start and each stop. */
  readonly epoch: string
  /** What it said before, while the next one is being written. */
  readonly epochBefore?: string
}

/**
 * Which file the source in a database belongs to: a copy, a restored backup and another disk have
 * another inode, or were born at another moment; what was copied over the same inode is of another
 * epoch. It lies beside the database and is never copied with it by `fridge node backup`.
 */
export class SourceFile {
  readonly #database: string
  readonly #path: string

  /** @param database the file of the database, `NAME.db`: this one is `NAME.source` */
  constructor(database: string) {
    this.#database = database
    this.#path = database.replace(/\.db$/, '') + '.source'
  }

  /** @returns undefined where nothing was written beside this very file, which is always safe to say */
  read(): Mark | undefined {
    try {
      const fields: unknown = JSON.parse(readFileSync(this.#path, 'utf8'))
      if (typeof fields !== 'object' || fields === null) return undefined
      const { source, epoch, epochBefore, ...file } = fields as Readonly<Record<string, unknown>>
      if (typeof source !== 'string' || typeof epoch !== 'string') return undefined
      if (JSON.stringify(file) !== JSON.stringify(this.#fileOf())) return undefined
      return { source, epoch, ...(typeof epochBefore === 'string' && { epochBefore }) }
    } catch {
      return undefined
    }
  }

  /** @throws what the system says; what was there before holds then */
  write(mark: Mark): void {
    const next = `${this.#path}.new`
    const file = openSync(next, 'w', 0o600)
    try {
      writeSync(file, `${JSON.stringify({ ...mark, ...this.#fileOf() })}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(next, this.#path)
  }

  #fileOf(): { readonly file: string; readonly born: string } {
    const { dev, ino, birthtimeNs } = statSync(this.#database, { bigint: true })
    return { file: `${dev}:${ino}`, born: `${birthtimeNs}` }
  }
}
