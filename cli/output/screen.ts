import { forTerminal } from './terminal.ts'

/** How much a terminal shows. */
export interface ScreenSize {
  readonly columns: number
  readonly rows: number
}

/** What a terminal is taken for that does not know its size, as a serial console: it says 0 by 0. */
const USUAL: ScreenSize = { columns: 80, rows: 24 }

/** The size that a terminal says it has, or else the usual one. */
export function sizeOf({ columns, rows }: ScreenSize): ScreenSize {
  return { columns: columns > 0 ? columns : USUAL.columns, rows: rows > 0 ? rows : USUAL.rows }
}

const HOME = '\u001B[H'
const CLEAR_TO_END_OF_LINE = '\u001B[K'
const CLEAR_BELOW = '\u001B[J'
/** A line that is longer than it was counted must not push the others down. */
const [NO_WRAP, WRAP] = ['\u001B[?7l', '\u001B[?7h']

/**
 * What makes a terminal show lines in place of what it shows, without a moment in which it is empty.
 * Lines that are too long are cut, and lines that are too many are counted.
 */
export function screenOf(lines: readonly string[], { columns, rows }: ScreenSize): string {
  const room = Math.max(1, rows - 1)
  const hidden = lines.length - room
  const shown = hidden > 0 ? [...lines.slice(0, room - 1), `… and ${hidden + 1} more lines`] : lines
  const drawn = shown.map(line => `${drawnLine(forTerminal(line), columns)}\n`)
  return `${NO_WRAP}${HOME}${drawn.join('')}${CLEAR_BELOW}${WRAP}`
}

/** Lines for a screen have no colours: each character is shown. */
function drawnLine(line: string, columns: number): string {
  const characters = Array.from(line)
  if (characters.length < columns) return `${line}${CLEAR_TO_END_OF_LINE}`
  // Behind a full line the cursor stands on its last character, which would be cleared as well.
  if (characters.length === columns) return line
  return `${characters.slice(0, Math.max(0, columns - 1)).join('')}…`
}
