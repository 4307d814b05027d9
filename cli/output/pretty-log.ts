import { foreignText } from '../../node/lib/foreign-text.ts'
import { styled, type Style } from './style.ts'

const LEVELS: ReadonlyMap<unknown, readonly [name: string, style: Style | undefined]> = new Map([
  [10, ['trace', 'dim']],
  [20, ['debug', 'dim']],
  [30, ['info ', undefined]],
  [40, ['WARN ', 'yellow']],
  [50, ['ERROR', 'red']],
  [60, ['FATAL', 'red']],
] as const)

/** What needs no quotes to be told apart from the field behind it. */
const PLAIN = /^[\w.:/#@+-]+$/

/**
 * A line of a log, as pino writes it, for a person: time, level, sentence, then the fields. A line
 * that is none stays as it is.
 */
export function prettyLine(line: string, hasColours: boolean): string {
  const fields = read(line)
  if (fields === undefined) return line
  const { level, time, msg, node: _, ...rest } = fields
  const [name, style] = LEVELS.get(level) ?? ['?    ', undefined]
  const shown = style === undefined ? name : styled(name, style, hasColours)
  const said = Object.entries(rest).map(([key, value]) => `${key}=${valueOf(value)}`)
  return [String(time), shown, foreignText(String(msg)), ...said].join('  ')
}

function read(line: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(line)
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : undefined
  } catch {
    return undefined
  }
}

function valueOf(value: unknown): string {
  const text = typeof value === 'string' ? foreignText(value) : foreignText(JSON.stringify(value))
  return PLAIN.test(text) || typeof value !== 'string' ? text : JSON.stringify(text)
}
