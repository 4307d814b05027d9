/** One table that a bench prints. */
export interface Table {
  readonly title: string
  /** The first row is the head. */
  readonly rows: readonly (readonly string[])[]
  readonly notes?: readonly string[]
}

export interface BenchOptions {
  /** A tenth of the rounds or so: to see that it runs, not to quote. */
  readonly quick: boolean
  /** Say what goes on; to stderr. */
  readonly progress: (text: string) => void
  /** Print a line at once, for benches that take long; to stdout, before the tables that are returned. */
  readonly print: (line: string) => void
}

export type Bench = (options: BenchOptions) => Promise<Table[]>

/**
 * The value below which a share of the samples lies (nearest rank).
 * @param share above 0, at most 1
 */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5)
}
