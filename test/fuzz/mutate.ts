import type { Dice } from './dice.ts'
import { interestingValue, KEYS, NUMBERS, RAW_JSON } from './interesting.ts'

/**
 * Change something in a text of lines of JSON: in its bytes, among its lines, or in the values of
 * one line, those included that stand as JSON inside a string.
 */

const RAW = '\u0001raw:'
const TOO_DEEP = '['.repeat(500)
/** How many places of one input are changed. */
const CHANGES: readonly number[] = [0, 0, 0, 1, 1, 1, 2, 2, 3, 5]
const LINE_FEED = 10

/** What a mutation may draw on. */
export interface Material {
  /** Valid sessions of a layer, and what has broken others. */
  readonly corpus: readonly Buffer[]
  /** The longest line that the layer takes, in bytes. */
  readonly maxLineBytes: number
}

/** A session, changed in one to five places; sometimes in none, to be delivered in odd pieces. */
export function mutate(input: Buffer, dice: Dice, material: Material): Buffer {
  let bytes = input
  for (let left = dice.pick(CHANGES); left > 0; left -= 1) {
    const kind = dice.below(20)
    if (kind < 9) bytes = changeLine(bytes, dice, line => mutateJsonText(line, dice))
    else if (kind < 14) bytes = mutateLines(bytes, dice, material)
    else if (kind < 19) bytes = mutateBytes(bytes, dice, material)
    else bytes = changeLine(bytes, dice, line => nearLimit(line, dice, material.maxLineBytes))
  }
  return bytes
}

function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = []
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(LINE_FEED, start)
    const stop = end === -1 ? bytes.length : end + 1
    lines.push(bytes.subarray(start, stop))
    start = stop
  }
  return lines
}

function changeLine(bytes: Buffer, dice: Dice, change: (line: string) => string): Buffer {
  const lines = linesOf(bytes)
  if (lines.length === 0) return bytes
  const at = dice.below(lines.length)
  const text = lines[at]?.toString('utf8') ?? ''
  const end = text.endsWith('\n') ? '\n' : ''
  lines[at] = Buffer.from(change(text.slice(0, text.length - end.length)) + end)
  return Buffer.concat(lines)
}

/** Whole frames in another order, twice, left out, or among those of another session. */
function mutateLines(bytes: Buffer, dice: Dice, { corpus }: Material): Buffer {
  const lines = linesOf(bytes)
  const at = dice.below(lines.length + 1)
  const other = dice.below(lines.length)
  const line = lines[other]
  switch (dice.below(6)) {
    case 0:
      lines.splice(at, 1)
      break
    case 1:
      if (line !== undefined) lines.splice(at, 0, line)
      break
    case 2:
      if (line !== undefined) {
        lines.splice(other, 1)
        lines.splice(at, 0, line)
      }
      break
    case 3: {
      const theirs = linesOf(dice.pick(corpus))
      lines.splice(at, 0, ...theirs.slice(dice.below(theirs.length + 1)))
      break
    }
    case 4:
      if (line !== undefined) {
        const copies = Array.from({ length: dice.pick([2, 15, 17, 40]) }, () => line)
        lines.splice(at, 0, ...copies)
      }
      break
    default:
      lines.splice(at, 0, Buffer.from(`${dice.pick(RAW_JSON)}\n`))
  }
  return Buffer.concat(lines)
}

function mutateBytes(bytes: Buffer, dice: Dice, { corpus }: Material): Buffer {
  const at = dice.below(bytes.length + 1)
  const length = dice.size(16)
  const splice = (removed: number, inserted: Uint8Array): Buffer =>
    Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + removed)])
  switch (dice.below(7)) {
    case 0: {
      if (at === bytes.length) return bytes
      const flipped = Buffer.from(bytes)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << dice.below(8))
      return flipped
    }
    case 1:
      return bytes.subarray(0, at)
    case 2:
      return splice(length, Buffer.alloc(0))
    case 3:
      return splice(0, bytes.subarray(at, at + length))
    case 4:
      return splice(0, Buffer.from(Array.from({ length }, () => dice.below(256))))
    case 5:
      return splice(
        dice.below(2),
        Buffer.from(
          dice.pick([
            '"',
            '\\',
            '{',
            '}',
            '[',
            ']',
            ',',
            ':',
            '\n',
            '\r',
            '\0',
            ' ',
            'é',
            '\ufeff',
            '0',
            '-',
            'e9',
          ]),
        ),
      )
    default: {
      const other = dice.pick(corpus)
      return Buffer.concat([bytes.subarray(0, at), other.subarray(dice.below(other.length + 1))])
    }
  }
}

/** A line that is as long as is allowed, or by a byte too long. */
function nearLimit(line: string, dice: Dice, maxLineBytes: number): string {
  const length = maxLineBytes + dice.pick([-1, 0, 1, 2, 700])
  const missing = Math.max(0, length - Buffer.byteLength(line))
  switch (dice.below(3)) {
    case 0:
      return line + ' '.repeat(missing)
    case 1:
      return ' '.repeat(missing) + line
    default:
      return line.replace(/"(?=[^"]*$)/, `${'x'.repeat(missing)}"`)
  }
}

/** Change the value that a text is, at any depth; where it is none, its characters. */
export function mutateJsonText(text: string, dice: Dice): string {
  // The parser itself would run out of stack, slowly.
  if (text.includes(TOO_DEEP)) return text.slice(0, dice.below(text.length + 1))
  let encoded: string
  try {
    encoded = JSON.stringify(mutateValue(JSON.parse(text), dice))
  } catch {
    return text.slice(0, dice.below(text.length + 1))
  }
  // What stands for JSON that no value gives.
  return encoded.replaceAll(/"\\u0001raw:(\d+)"/g, (_, index) => RAW_JSON[Number(index)] ?? '')
}

function mutateValue(value: unknown, dice: Dice): unknown {
  if (dice.oneIn(8)) return replacement(value, dice)
  if (typeof value === 'string') {
    const inner = value.trimEnd()
    const isJson = /^[[{"]/.test(inner) && inner.length > 1
    if (isJson && !dice.oneIn(8)) {
      return mutateJsonText(inner, dice) + (dice.oneIn(30) ? '' : value.slice(inner.length))
    }
    return mutateString(value, dice)
  }
  if (Array.isArray(value)) return mutateArray([...(value as unknown[])], dice)
  if (typeof value === 'object' && value !== null) return mutateObject(value, dice)
  return replacement(value, dice)
}

function replacement(value: unknown, dice: Dice): unknown {
  if (dice.oneIn(6)) return `${RAW}${dice.below(RAW_JSON.length)}`
  if (typeof value === 'number' && !dice.oneIn(3)) {
    return dice.oneIn(2) ? value + dice.pick([-1, 1, 0.5, 32, 33]) : dice.pick(NUMBERS)
  }
  return dice.oneIn(8) ? [value] : interestingValue(dice)
}

function mutateArray(items: unknown[], dice: Dice): unknown[] {
  const at = dice.below(items.length + 1)
  const other = dice.below(items.length)
  switch (dice.below(10)) {
    case 0:
      items.splice(at, 1)
      break
    case 1:
      items.splice(at, 0, interestingValue(dice))
      break
    case 2:
      items.splice(at, 0, ...items.slice(other, other + 1))
      break
    case 3:
      while (items.length < 40) items.push(items[other] ?? null)
      items.length = dice.pick([15, 16, 17, 18, 33, 40])
      break
    default:
      if (items.length === 0) items.push(interestingValue(dice))
      else items[other] = mutateValue(items[other], dice)
  }
  return items
}

function mutateObject(object: object, dice: Dice): unknown {
  const entries = Object.entries(object) as [string, unknown][]
  const at = dice.below(entries.length)
  const entry = entries[at]
  switch (dice.below(10)) {
    case 0:
      entries.splice(at, 1)
      break
    case 1:
      entries.push([dice.pick(KEYS), interestingValue(dice)])
      break
    case 2:
      if (entry !== undefined) entries[at] = [dice.pick(KEYS), entry[1]]
      break
    case 3:
      if (entry !== undefined) entries[at] = [mutateString(entry[0], dice), entry[1]]
      break
    default:
      if (entry === undefined) entries.push([dice.pick(KEYS), interestingValue(dice)])
      else entries[at] = [entry[0], mutateValue(entry[1], dice)]
  }
  // Not `fromEntries` into a literal: `__proto__` must stay a key of its own.
  return Object.fromEntries(entries)
}

function mutateString(text: string, dice: Dice): string {
  const at = dice.below(text.length + 1)
  switch (dice.below(7)) {
    case 0:
      return text.slice(0, at)
    case 1:
      return (
        text.slice(0, at) +
        dice.pick(['\ud800', '\n', '"', 'x', '0', 'F', 'é', ' ']) +
        text.slice(at)
      )
    case 2:
      return text.slice(0, at) + String.fromCharCode(dice.below(128)) + text.slice(at + 1)
    case 3:
      return text + text
    case 4:
      return text.toUpperCase()
    case 5:
      return dice.pick(KEYS)
    default:
      return text.replace(/\d+/, digits => String(Number(digits) + dice.pick([-1, 1, 31, 32, 33])))
  }
}
