import { readFileSync, statSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { errorCode } from '../lib/errors.ts'

/**
 * A small text beside the database that is only ever replaced as a whole: whoever reads it, after a
 * power cut too, finds the old text or the new one. Only the user of the node can read it.
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

  /** One call at a time. @throws what the system says; the old text is then still there */
  async replace(text: string): Promise<void> {
    const next = `${this.path}.new`
    const file = await open(next, 'w', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(next, this.path)
  }
}
