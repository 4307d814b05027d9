import { globSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** The folder of the project. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The pages that people read, below the folder of the project. */
export const DOCUMENTS: readonly string[] = globSync(
  ['*.md', 'docs/*.md', '{certs,examples,node/client,test/bench,test/fuzz}/*.md'],
  { cwd: ROOT },
).sort()

/** What stands between two fences. */
export interface Block {
  readonly document: string
  readonly language: string
  readonly text: string
  /** Its lines that say something, each whole. */
  readonly lines: readonly string[]
}

/** The blocks of a document in one of these languages, in its order. */
export async function blocksOf(document: string, ...languages: string[]): Promise<Block[]> {
  const page = await readFile(new URL(`../../${document}`, import.meta.url), 'utf8')
  return Array.from(
    page.matchAll(/^```(\w+)\n([^]*?)^```/gm),
    ([, language = '', text = '']): Block => ({
      document,
      language,
      text,
      lines: text.split('\n').filter(line => line !== '' && !line.startsWith('#')),
    }),
  ).filter(({ language }) => languages.includes(language))
}
