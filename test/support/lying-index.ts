import { readFileSync, writeFileSync } from 'node:fs'

const PAGE_BYTES = 4_096

/** What marks a leaf of an index (sqlite.org/fileformat2.html, section 1.6). */
const INDEX_LEAF = 10

/** Alter a text in the first leaf of an index that has it: the index finds a row no more. */
export function makeIndexLie(file: string, text: string): void {
  const bytes = readFileSync(file)
  for (let start = PAGE_BYTES; start < bytes.length; start += PAGE_BYTES) {
    const at = bytes.subarray(start, start + PAGE_BYTES).indexOf(text)
    if (bytes[start] !== INDEX_LEAF || at === -1) continue
    bytes[start + at] = 'z'.charCodeAt(0)
    return writeFileSync(file, bytes)
  }
  throw new Error(`no leaf of an index has ${text}`)
}
