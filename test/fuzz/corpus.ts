import { readdirSync, readFileSync } from 'node:fs'

const FOLDER = new URL('corpus/', import.meta.url)

/** A session in the corpus: `valid-…` is accepted, `crash-…` and `stall-…` are refused. */
export interface Session {
  readonly file: string
  readonly bytes: Buffer
}

/** Every session in the corpus of a layer, in the order of the names of its files. */
export function readCorpus(layer: string): Session[] {
  const folder = new URL(`${layer}/`, FOLDER)
  return readdirSync(folder)
    .sort()
    .map(file => ({ file, bytes: readFileSync(new URL(file, folder)) }))
}
