/** A bug that could be made: a guard taken out of one file, which the fuzzers must notice. */
export interface Plant {
  readonly name: string
  /** The layer whose fuzzer must find it. */
  readonly layer: string
  /** The file that it is in, under node/. */
  readonly file: string
  /** A text that stands in the file once, and what takes its place. */
  readonly find: string
  readonly put: string
  /** Whether `npm test` looks for it too: the innermost layer and the outermost. */
  readonly isSample?: true
}

/** A bug in a file that is named elsewhere. */
export type Bug = Omit<Plant, 'layer' | 'file'>

export function inFile(layer: string, file: string, bugs: readonly Bug[]): Plant[] {
  return bugs.map(bug => ({ ...bug, layer, file }))
}
