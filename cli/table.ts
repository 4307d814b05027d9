import { foreignText } from '../node/lib/foreign-text.ts'

/** Rows of cells as aligned text, two spaces between columns. No cell breaks its row. */
export function formatTable(texts: readonly (readonly string[])[]): string[] {
  const rows = texts.map(row => row.map(foreignText))
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length)
    })
  }
  return rows.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** A table that grows: later rows are as wide as the widest cells so far. */
export class GrowingTable {
  readonly #out: (line: string) => void
  #widest: string[] = []

  /** @param out prints one line */
  constructor(out: (line: string) => void) {
    this.#out = out
  }

  print(rows: readonly (readonly string[])[]): void {
    for (const line of formatTable([this.#widest, ...rows]).slice(1)) this.#out(line)
    for (const row of rows) {
      row.forEach((cell, column) => {
        if (cell.length > (this.#widest[column]?.length ?? 0)) this.#widest[column] = cell
      })
    }
  }
}

/** `1 client`, `2 clients`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
