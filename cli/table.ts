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

/** `1 client`, `2 clients`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
