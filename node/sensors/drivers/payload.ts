import { isRecord } from '../../lib/record.ts'
import { SENSOR_KINDS, type SensorEvent, type SensorKind } from '../kinds.ts'

/** A value as a device writes it. */
export type Word = string | number | boolean

/** How the payloads of a device are to be read. */
export interface PayloadFormat {
  readonly kind: SensorKind
  /**
   * The field of a JSON object that holds the value; dots lead into objects in it. Default that of
   * the kind (`SENSOR_KINDS`).
   */
  readonly field?: string | undefined
  /**
   * The boolean that means *closed*. Default `true` for the field `contact`, which says whether the
   * two halves of the switch touch. For everything else a boolean says neither until this is set.
   */
  readonly closedWhen?: boolean | undefined
  /** What means *open*, and what *closed*, instead of all that usually does. Both or none. */
  readonly open?: readonly Word[] | undefined
  readonly closed?: readonly Word[] | undefined
  /** The unit that it measures in: that of the kind, or one of its `conversions`. */
  readonly unit?: string | undefined
  /** The field that says when the value was measured: ISO 8601, or seconds or ms since 1970. */
  readonly timeField?: string | undefined
  /** Age from which on a value that says its time is no longer told, ms. Default 600000. */
  readonly maxAgeMs?: number | undefined
}

/** A value. `at` where it says when it was measured. */
export type Value =
  | { type: 'open' | 'close'; at?: number }
  | (Omit<Extract<SensorEvent, { type: 'reading' }>, 'at'> & { at?: number })

/** What one payload says of the value. */
export type ValueMeaning =
  | Value
  /** Nothing about this sensor: nothing at all, or an object without the field. */
  | { type: 'irrelevant' }
  /** It should have said something, and `reason` is why it did not. */
  | { type: 'malformed'; reason: string }

/** A payload, decoded. */
export type Payload =
  | { type: 'empty' }
  /** `value`: JSON, or text that is none. */
  | { type: 'value'; value: unknown }
  | { type: 'malformed'; reason: string }

export const MAX_AGE_MS = 600_000

/** A device whose clock is ahead by less than this is believed. */
const MAX_AHEAD_MS = 60_000

/** Numbers below it are seconds since 1970, others milliseconds. As seconds it is the year 5138. */
const FIRST_MILLISECONDS = 1e11

/** A date and a time of day; without a zone it is that of the node. */
const ISO_8601 = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$/

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Decode a line of a program, or a message of a broker. */
export function decodePayload(bytes: Uint8Array): Payload {
  let text: string
  try {
    text = utf8.decode(bytes).trim()
  } catch {
    return malformed('a value is not UTF-8')
  }
  if (text === '') return { type: 'empty' }
  try {
    return { type: 'value', value: JSON.parse(text) as unknown }
  } catch {
    return { type: 'value', value: text }
  }
}

/**
 * What a payload says of the value: one JSON value, for a door also a word without quotes; an object
 * is read by its field.
 *
 * | kind             | value                                                                   |
 * |------------------|-------------------------------------------------------------------------|
 * | door             | a word of `open` or `closed`; without those `open`, `close`, `closed`   |
 * |                  | (any case), or a boolean, see `closedWhen`                              |
 * | with a quantity  | a number, within its range (`SENSOR_KINDS`)                             |
 *
 * A reason never quotes the payload: every client is told it.
 * @param now wall clock, ms since 1970
 */
export function valueOf(payload: Payload, format: PayloadFormat, now: number): ValueMeaning {
  if (payload.type === 'malformed') return payload
  if (payload.type === 'empty') return { type: 'irrelevant' }
  const { value } = payload
  if (!isRecord(value)) {
    if (format.timeField !== undefined)
      return malformed('a value does not say when it was measured')
    return meaningOf(value, format, format.closedWhen)
  }
  const field = format.field ?? SENSOR_KINDS[format.kind].field
  const found = fieldOf(value, field)
  if (found === undefined) return { type: 'irrelevant' }
  const closedWhen = format.closedWhen ?? (field === 'contact' ? true : undefined)
  const meaning = meaningOf(found.value, format, closedWhen)
  const { timeField, maxAgeMs = MAX_AGE_MS } = format
  if (timeField === undefined || !isValue(meaning)) return meaning
  const at = timeOf(fieldOf(value, timeField)?.value)
  if (at === undefined) return malformed('a value does not say when it was measured')
  if (at > now + MAX_AHEAD_MS) return malformed('a value is dated in the future')
  if (now - at > maxAgeMs) return malformed(`a value is older than ${maxAgeMs / 1_000} s`)
  return { ...meaning, at: Math.min(at, now) }
}

/** The value at a field, whose dots lead into objects; a field that has that whole name comes first. */
export function fieldOf(object: object, field: string): { value: unknown } | undefined {
  if (Object.hasOwn(object, field)) return { value: (object as Record<string, unknown>)[field] }
  for (let dot = field.indexOf('.'); dot !== -1; dot = field.indexOf('.', dot + 1)) {
    const outer = field.slice(0, dot)
    if (!Object.hasOwn(object, outer)) continue
    const inner = (object as Record<string, unknown>)[outer]
    if (isRecord(inner)) return fieldOf(inner, field.slice(dot + 1))
  }
  return undefined
}

/** Fields of an object as `field` names them, for people: the first ones, none too long. */
export function fieldNames(payload: Payload, most = 20): string[] {
  const names: string[] = []
  const collect = (object: object, before: string): void => {
    for (const [key, value] of Object.entries(object)) {
      if (names.length === most) return
      if (isRecord(value) && before.length < 100) collect(value, `${before}${key}.`)
      else names.push(`${before}${key}`.slice(0, 100))
    }
  }
  if (payload.type === 'value' && isRecord(payload.value)) collect(payload.value, '')
  return names
}

/** Whether `value` is one of `words`, however the device writes it: `1` is `'1'`. */
export function isOneOf(words: readonly Word[], value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return false
  return words.some(word => String(word) === String(value))
}

function meaningOf(
  value: unknown,
  format: PayloadFormat,
  closedWhen: boolean | undefined,
): ValueMeaning {
  const { quantity } = SENSOR_KINDS[format.kind]
  if (quantity === undefined) return moveOf(value, format, closedWhen)
  if (typeof value !== 'number') return malformed('a value is no number')
  // JSON has no NaN, but 1e999 is Infinity.
  const { unit, symbol, min, max, conversions } = quantity
  const convert = conversions[format.unit ?? unit]
  const measured = convert === undefined ? value : Math.round(convert(value) * 1_000) / 1_000
  if (measured < min || measured > max) {
    return malformed(`${measured} ${symbol} is not from ${min} to ${max} ${symbol}`)
  }
  return { type: 'reading', value: measured, unit }
}

function moveOf(
  value: unknown,
  { open, closed }: PayloadFormat,
  closedWhen: boolean | undefined,
): ValueMeaning {
  if (open !== undefined || closed !== undefined) {
    const isOpen = isOneOf(open ?? [], value)
    // A word that is on both lists, or on none, says nothing.
    if (isOpen !== isOneOf(closed ?? [], value)) return { type: isOpen ? 'open' : 'close' }
    return malformed('a value is none of the words for open and closed')
  }
  if (typeof value === 'boolean') {
    if (closedWhen !== undefined) return { type: value === closedWhen ? 'close' : 'open' }
    return malformed('a boolean says neither open nor closed: set `closedWhen`')
  }
  switch (typeof value === 'string' ? value.trim().toLowerCase() : undefined) {
    case 'open':
      return { type: 'open' }
    case 'close':
    case 'closed':
      return { type: 'close' }
    default:
      return malformed('a value says neither open nor closed: set `open`, `closed`')
  }
}

function timeOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value < FIRST_MILLISECONDS ? value * 1_000 : value
  if (typeof value !== 'string') return undefined
  const at = ISO_8601.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(at) ? undefined : at
}

export function isValue(meaning: ValueMeaning): meaning is Value {
  return meaning.type !== 'irrelevant' && meaning.type !== 'malformed'
}

function malformed(reason: string): { type: 'malformed'; reason: string } {
  return { type: 'malformed', reason }
}
