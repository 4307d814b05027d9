import { foreignText } from '../node/lib/foreign-text.ts'

/** Between two columns. */
const GAP = '  '

/** Before what of a row does not fit into its first line. */
const INDENT = '    '

/** The least that is left of a cell which is cut. */
const LEAST = 24

/**
 * Rows of cells as aligned text. No cell breaks its row, and none is broken: on a terminal, what
 * does not fit into a line stands whole in a further one, and a cell that is longer than half a line
 * is cut.
 * @param columns how wide the terminal is; what goes to a file or a program is as wide as it is
 */
export function formatTable(texts: readonly (readonly string[])[], columns = Infinity): string[] {
  return linesOfRows(texts, columns).flat()
}

/**
 * The lines of each row of such a table, of which some columns are sentences: where one of these is
 * too long for a cell, all stand below their rows, whole.
 * @param sentences the numbers of their columns, from 0
 */
export function formatRows(
  texts: readonly (readonly string[])[],
  sentences: readonly number[],
  columns = Infinity,
): string[][] {
  const sentencesOf = (row: readonly string[]): string[] => sentences.map(at => row[at] ?? '')
  const isLong = texts.some(row => sentencesOf(row).some(cell => cell.length > mostOf(columns)))
  if (!isLong) return linesOfRows(texts, columns)
  const cells = texts.map(row => row.filter((_, at) => !sentences.includes(at)))
  return linesOfRows(cells, columns).map((lines, index) => {
    const below = sentencesOf(texts[index] ?? []).filter(cell => cell !== '')
    return [...lines, ...below.flatMap(cell => fold(foreignText(cell), columns, INDENT))]
  })
}

/**
 * A text in lines of whole words, each within the width of the terminal.
 * @param text or its words, of which some may have spaces
 * @param before what each line begins with
 * @param first what the first one begins with instead
 */
export function fold(
  text: string | readonly string[],
  columns: number,
  before = '',
  first = before,
): string[] {
  const lines: string[] = []
  let line = first
  for (const word of typeof text === 'string' ? text.split(' ') : text) {
    const isFirst = line === (lines.length === 0 ? first : before)
    if (!isFirst && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = `${before}${word}`
    } else line = isFirst ? `${line}${word}` : `${line} ${word}`
    // A word that is longer than a line is broken.
    for (; line.length > columns; line = `${before}${line.slice(columns)}`) {
      lines.push(line.slice(0, columns))
    }
  }
  return [...lines, line]
}

/** The lines of each row. */
function linesOfRows(texts: readonly (readonly string[])[], columns: number): string[][] {
  const rows = texts.map(row => row.map(cell => cut(foreignText(cell), columns)))
  const widths = widthsOf(rows)
  const lines = wrap(widths, columns)
  return rows.map(row =>
    lines
      .map(({ from, to }, line) => {
        const cells = row.slice(from, to).map((cell, at) => cell.padEnd(widths[from + at] ?? 0))
        const text = cells.join(GAP).trimEnd()
        return line === 0 || text === '' ? text : `${INDENT}${text}`
      })
      .filter((text, line) => line === 0 || text !== ''),
  )
}

/** The longest cell. */
function mostOf(columns: number): number {
  return Math.max(LEAST, Math.floor(columns / 2))
}

function cut(cell: string, columns: number): string {
  const most = mostOf(columns)
  return cell.length <= most ? cell : `${cell.slice(0, most - 1)}…`
}

function widthsOf(rows: readonly (readonly string[])[]): number[] {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length)
    })
  }
  return widths
}

/** Which columns stand in which line of a row. */
function wrap(widths: readonly number[], columns: number): { from: number; to: number }[] {
  const lines: { from: number; to: number }[] = []
  let from = 0
  let length = 0
  widths.forEach((width, column) => {
    const before = column > from ? GAP.length : 0
    if (column > from && length + before + width > columns) {
      lines.push({ from, to: column })
      from = column
      length = INDENT.length + width
    } else length += before + width
  })
  return [...lines, { from, to: widths.length }]
}

/** A table that grows: later rows are as wide as the widest cells so far. */
export class GrowingTable {
  readonly #out: (line: string) => void
  readonly #columns: number
  #widest: string[] = []

  /** @param out prints one line @param columns as of `formatTable` */
  constructor(out: (line: string) => void, columns = Infinity) {
    this.#out = out
    this.#columns = columns
  }

  print(rows: readonly (readonly string[])[]): void {
    const lines = linesOfRows([this.#widest, ...rows], this.#columns)
    for (const line of lines.slice(1).flat()) this.#out(line)
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
