import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { errorCode } from '../lib/errors.ts'

/**
 * A small text beside the database that is only ever replaced as a whole: whoever reads it, after a
 * power cut too, finds the old text or the new one. Only the user of the node can read it. It is
 * read and written at once, as the database is: reads of sensors that hang keep no node from stopping.
 */
export class WholeFile {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  /**
   * @returns undefined where there is no such file
   * @throws what the system says, or RangeError when it has more than `maxBytes`
   */
  read(maxBytes: number): string | undefined {
    try {
      if (statSync(this.path).size > maxBytes) throw new RangeError(`it is larger than ${maxBytes}`)
      return readFileSync(this.path, 'utf8')
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** @throws what the system says; the old text is then still there */
  replace(text: string): void {
    const next = `${this.path}.new`
    const file = openSync(next, 'w', 0o600)
    try {
      writeFileSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(next, this.path)
  }
}
