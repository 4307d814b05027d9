import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { errorCode } from '../lib/errors.ts'

/** A file of the page as browsers are sent it. */
export interface PageFile {
  readonly type: string
  readonly body: Buffer
  /** The body for browsers that take gzip. It holds nothing secret, so its length tells nothing. */
  readonly gzipped: Buffer
}

const compress = promisify(gzip)

/** The command that makes the bundle of the page. */
export const BUILD_COMMAND = 'npm run build:page'

/** The files of the page by path. What is not named here is not served, whatever lies beside it. */
const FILES: ReadonlyMap<string, { readonly file: string; readonly type: string }> = new Map([
  ['/', { file: 'index.html', type: 'text/html; charset=utf-8' }],
  // Without its character set a passphrase with an umlaut makes another key in Firefox.
  ['/page.js', { file: 'page.js', type: 'text/javascript; charset=utf-8' }],
  ['/qr-code.js', { file: 'qr-code.js', type: 'text/javascript; charset=utf-8' }],
  ['/page.css', { file: 'page.css', type: 'text/css; charset=utf-8' }],
])

/** The bundle of the page: read at the first request, and kept. */
export class Bundle {
  readonly #folder: URL
  #files: Promise<ReadonlyMap<string, PageFile> | undefined> | undefined

  /** @param folder ends in a slash */
  constructor(folder: URL) {
    this.#folder = folder
  }

  /** Whether the page has such a path, bundled or not. */
  names(path: string): boolean {
    return FILES.has(path)
  }

  /** @returns the file, or undefined while the bundle was not made */
  async read(path: string): Promise<PageFile | undefined> {
    this.#files ??= this.#readAll()
    const files = await this.#files
    // It may be made while the node runs.
    if (files === undefined) this.#files = undefined
    return files?.get(path)
  }

  async #readAll(): Promise<ReadonlyMap<string, PageFile> | undefined> {
    try {
      const read = Array.from(FILES, async ([path, { file, type }]) => {
        const body = await readFile(new URL(file, this.#folder))
        return [path, { type, body, gzipped: await compress(body, { level: 9 }) }] as const
      })
      return new Map(await Promise.all(read))
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined
      throw error
    }
  }
}
