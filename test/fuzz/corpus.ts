import { readdirSync, readFileSync } from 'node:fs'

const FOLDER = new URL('corpus/', import.meta.url)

/** Every session in the corpus of a layer, in the order of the names of its files. */
export function readCorpus(layer: string): Buffer[] {
  const folder = new URL(`${layer}/`, FOLDER)
  return readdirSync(folder)
    .sort()
    .map(file => readFileSync(new URL(file, folder)))
}
