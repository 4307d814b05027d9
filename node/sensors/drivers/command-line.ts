import type { SensorKind } from '../sensor.ts'

/** How the lines of a program are to be read. */
export interface LineFormat {
  readonly kind: SensorKind
  /**
   * The field of a JSON object that holds the value. Default `contact` for a door and `temperature`
   * for a thermometer, as Zigbee2MQTT names them.
   */
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
  /** Degrees Celsius. */
  | { type: 'reading'; value: number }
  /** Nothing about this sensor: an empty line, or an object without the field. */
  | { type: 'irrelevant' }
  /** It should have said something, and `reason` is why it did not. */
  | { type: 'malformed'; reason: string }

/** What a thermometer beside a fridge can truly read, °C. */
const RANGE = { min: -100, max: 200 }

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Read one line of a program. It is one JSON value, or for a door also `open`, `close` or `closed`
 * without quotes; an object is read by its field.
 *
 * | kind        | value                                                             |
 * |-------------|-------------------------------------------------------------------|
 * | door        | `open`, `close`, `closed` (any case), or a boolean, see `closedWhen` |
 * | temperature | a number, °C, from -100 to 200                                    |
 *
 * A reason never quotes the line: every client is told it.
 */
export function parseCommandLine(line: Uint8Array, format: LineFormat): LineMeaning {
  let text: string
  try {
    text = utf8.decode(line).trim()
  } catch {
    return malformed('a line is not UTF-8')
  }
  if (text === '') return { type: 'irrelevant' }
  const bare = format.kind === 'door' ? doorWord(text) : undefined
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
  const field = format.field ?? (format.kind === 'door' ? 'contact' : 'temperature')
  if (!Object.hasOwn(value, field)) return { type: 'irrelevant' }
  const closedWhen = format.closedWhen ?? (field === 'contact' ? true : undefined)
  return meaningOf((value as Record<string, unknown>)[field], format.kind, closedWhen)
}

function meaningOf(value: unknown, kind: SensorKind, closedWhen: boolean | undefined): LineMeaning {
  if (kind === 'door') {
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
  if (value < RANGE.min || value > RANGE.max) {
    return malformed(`${value} °C is not from ${RANGE.min} to ${RANGE.max} °C`)
  }
  return { type: 'reading', value }
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
