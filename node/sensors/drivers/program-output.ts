import { SENSOR_KINDS, type SensorEvent, type SensorKind } from '../kinds.ts'

/** How the lines of a program are to be read. */
export interface OutputFormat {
  readonly kind: SensorKind
  /** The field of a JSON object that holds the value. Default that of the kind (`SENSOR_KINDS`). */
  readonly field?: string | undefined
  /**
   * The boolean that means *closed*. Default `true` for the field `contact`, which says whether the
   * two halves of the switch touch. For everything else a boolean says neither until this is set.
   */
  readonly closedWhen?: boolean | undefined
}

/** What one line says. */
export type LineMeaning =
  | { type: 'open' | 'close' }
  | Omit<Extract<SensorEvent, { type: 'reading' }>, 'at'>
  /** Nothing about this sensor: an empty line, or an object without the field. */
  | { type: 'irrelevant' }
  /** It should have said something, and `reason` is why it did not. */
  | { type: 'malformed'; reason: string }

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Read one line of what a program prints. It is one JSON value, or for a door also `open`, `close`
 * or `closed` without quotes; an object is read by its field.
 *
 * | kind             | value                                                                |
 * |------------------|----------------------------------------------------------------------|
 * | door             | `open`, `close`, `closed` (any case), or a boolean, see `closedWhen` |
 * | with a quantity  | a number in its unit, within its range (`SENSOR_KINDS`)              |
 *
 * A reason never quotes the line: every client is told it.
 */
export function parseOutputLine(line: Uint8Array, format: OutputFormat): LineMeaning {
  let text: string
  try {
    text = utf8.decode(line).trim()
  } catch {
    return malformed('a line is not UTF-8')
  }
  if (text === '') return { type: 'irrelevant' }
  const { quantity, field: usualField } = SENSOR_KINDS[format.kind]
  const bare = quantity === undefined ? doorWord(text) : undefined
  if (bare !== undefined) return bare
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return malformed('a line is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return meaningOf(value, format.kind, format.closedWhen)
  }
  const field = format.field ?? usualField
  if (!Object.hasOwn(value, field)) return { type: 'irrelevant' }
  const closedWhen = format.closedWhen ?? (field === 'contact' ? true : undefined)
  return meaningOf((value as Record<string, unknown>)[field], format.kind, closedWhen)
}

function meaningOf(value: unknown, kind: SensorKind, closedWhen: boolean | undefined): LineMeaning {
  const { quantity } = SENSOR_KINDS[kind]
  if (quantity === undefined) {
    if (typeof value === 'boolean' && closedWhen !== undefined) {
      return { type: value === closedWhen ? 'close' : 'open' }
    }
    if (typeof value === 'boolean') {
      return malformed('a boolean says neither open nor closed: closedWhen is not set')
    }
    const word = typeof value === 'string' ? doorWord(value) : undefined
    return word ?? malformed('a line says neither open nor closed')
  }
  if (typeof value !== 'number') return malformed('a line holds no number')
  // JSON has no NaN, but 1e999 is Infinity.
  const { unit, symbol, min, max } = quantity
  if (value < min || value > max) {
    return malformed(`${value} ${symbol} is not from ${min} to ${max} ${symbol}`)
  }
  return { type: 'reading', value, unit }
}

function doorWord(text: string): LineMeaning | undefined {
  switch (text.toLowerCase()) {
    case 'open':
      return { type: 'open' }
    case 'close':
    case 'closed':
      return { type: 'close' }
    default:
      return undefined
  }
}

function malformed(reason: string): LineMeaning {
  return { type: 'malformed', reason }
}
