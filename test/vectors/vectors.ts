import { readFileSync } from 'node:fs'

const BLOCK = /^```(?:json|text) vector=([a-z-]+)\n([^]*?)^```$/gm
const TABLE = /^<!-- vector=([a-z-]+) -->\n((?:\|.*\n)+)/gm

/** The test vectors of a page: fenced blocks with `vector=NAME` behind their language, and tables
 *  below a comment `<!-- vector=NAME -->`. It knows which of them nobody has asked for. */
export class Vectors {
  readonly #texts = new Map<string, string>()
  readonly #unused = new Set<string>()

  constructor(page: string) {
    for (const [, name = '', text = ''] of [...page.matchAll(BLOCK), ...page.matchAll(TABLE)]) {
      if (this.#texts.has(name)) throw new Error(`two vectors are called ${name}`)
      this.#texts.set(name, text)
      this.#unused.add(name)
    }
    const marked = page.match(/vector=/g)?.length ?? 0
    if (marked !== this.#texts.size) throw new Error('a vector is marked that cannot be read')
  }

  static read(file: URL): Vectors {
    return new Vectors(readFileSync(file, 'utf8'))
  }

  /** The vectors that have not been asked for. */
  get unused(): string[] {
    return [...this.#unused]
  }

  json(name: string): unknown {
    return JSON.parse(this.#take(name))
  }

  lines(name: string): string[] {
    return this.#take(name)
      .split('\n')
      .filter(line => line !== '')
  }

  /** Groups of lines, with an empty line between two. */
  cases(name: string): string[][] {
    return this.#take(name)
      .trim()
      .split(/\n{2,}/)
      .map(group => group.split('\n'))
  }

  /** The cells of a table without its head, code marks taken off. */
  table(name: string): string[][] {
    return this.#take(name)
      .trim()
      .split('\n')
      .slice(2)
      .map(row =>
        row
          .split('|')
          .slice(1, -1)
          .map(cell => cell.trim().replaceAll('`', '')),
      )
  }

  #take(name: string): string {
    const text = this.#texts.get(name)
    if (text === undefined) throw new Error(`there is no vector ${name}`)
    this.#unused.delete(name)
    return text
  }
}

/** A case that ends with a line `! WORDS`: what comes before it, and the words. */
export function withVerdict(lines: readonly string[]): { said: string[]; why: string } {
  const last = lines.at(-1) ?? ''
  if (!last.startsWith('! ')) throw new Error(`no verdict behind ${last}`)
  return { said: lines.slice(0, -1), why: last.slice(2) }
}
