/** Bytes of each of the two numbers that a signature of P-256 is. */
const NUMBER = 32

/** Bytes of both. */
export const RAW_SIGNATURE = 2 * NUMBER

const SEQUENCE = 0x30
const INTEGER = 0x02

/**
 * The two numbers of a signature of P-256, 32 bytes each, without what DER says around them (RFC
 * 3279, section 2.2.3).
 * @returns undefined when these bytes are not such a signature
 */
export function rawSignature(der: Buffer): Buffer | undefined {
  const length = der[3] ?? 0
  const raw = Buffer.alloc(RAW_SIGNATURE)
  for (const [index, bytes] of [der.subarray(4, 4 + length), der.subarray(6 + length)].entries()) {
    const number = bytes[0] === 0 ? bytes.subarray(1) : bytes
    if (number.length > NUMBER) return undefined
    raw.set(number, (index + 1) * NUMBER - number.length)
  }
  return wholeSignature(raw).equals(der) ? raw : undefined
}

/** The signature in DER of which these are the numbers. */
export function wholeSignature(raw: Buffer): Buffer {
  const numbers = [raw.subarray(0, NUMBER), raw.subarray(NUMBER)].flatMap(bytes => {
    const first = bytes.findIndex(byte => byte !== 0)
    const number = bytes.subarray(first === -1 ? NUMBER - 1 : first)
    // The first bit of a number is its sign.
    const sign = (number[0] ?? 0) > 0x7f ? [0] : []
    return [INTEGER, sign.length + number.length, ...sign, ...number]
  })
  return Buffer.from([SEQUENCE, numbers.length, ...numbers])
}
