/** The digits of Z85 (ZeroMQ RFC 32): none of them is escaped in JSON. */
const DIGITS =
  '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#'

/** What each digit is worth, by its code; 255 is none. */
const VALUES = new Uint8Array(128).fill(255)
for (let value = 0; value < DIGITS.length; value += 1) VALUES[DIGITS.charCodeAt(value)] = value

const BASE = 85

/**
 * Bytes as text, four of them as five digits: a quarter longer, where base64 is a third longer. The
 * last one to three are as many digits and one more, as if zeros followed them.
 */
export function toBase85(bytes: Uint8Array): string {
  const text = Buffer.allocUnsafe(Math.ceil(bytes.length / 4) * 5)
  for (let at = 0, to = 0; at < bytes.length; at += 4, to += 5) {
    let group = 0
    for (let index = 0; index < 4; index += 1) group = group * 256 + (bytes[at + index] ?? 0)
    for (let index = 4; index >= 0; index -= 1) {
      text[to + index] = DIGITS.charCodeAt(group % BASE)
      group = Math.floor(group / BASE)
    }
  }
  return text.toString('latin1', 0, lengthOf(bytes.length))
}

/** @returns the bytes, or undefined when the text is not what `toBase85` makes of any */
export function fromBase85(text: string): Buffer | undefined {
  const length = Math.floor((text.length * 4) / 5)
  if (lengthOf(length) !== text.length) return undefined
  const bytes = Buffer.alloc(Math.ceil(text.length / 5) * 4)
  for (let at = 0, to = 0; at < text.length; at += 5, to += 4) {
    let group = 0
    for (let index = at; index < at + 5; index += 1) {
      const value = index < text.length ? (VALUES[text.charCodeAt(index)] ?? 255) : BASE - 1
      if (value === 255) return undefined
      group = group * BASE + value
    }
    if (group > 0xff_ff_ff_ff) {
      // Digits that are not there count as the greatest: only of the last group they may be too much.
      if (at + 5 <= text.length) return undefined
      group = 0xff_ff_ff_ff
    }
    bytes.writeUInt32BE(group, to)
  }
  const whole = bytes.subarray(0, length)
  // One text for what is meant: the digits of a last group could say more than its bytes.
  const tail = text.length - (text.length % 5)
  return toBase85(whole.subarray((tail / 5) * 4)) === text.slice(tail) ? whole : undefined
}

/** How many digits so many bytes are. */
function lengthOf(bytes: number): number {
  return bytes + Math.ceil(bytes / 4)
}
