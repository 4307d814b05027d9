import { createHash, ECDH } from 'node:crypto'

/**
 * PROTOCOL.md, "Packed frames": JSON in which bytes below 0x20 stand for pieces that are made of
 * other bytes.
 */
const DIGITS =
  '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#'

/** @returns undefined when it is no Z85, its last group as short as it can be */
export function bytesOfZ85(text: string): Buffer | undefined {
  if (text.length % 5 === 1) return undefined
  const bytes: number[] = []
  for (let at = 0; at < text.length; at += 5) {
    const group = text.slice(at, at + 5)
    const values = Array.from(group.padEnd(5, '#'), digit => DIGITS.indexOf(digit))
    if (values.includes(-1)) return undefined
    const whole = values.reduce((sum, value) => sum * 85 + value, 0)
    const shift = 2 ** (8 * (5 - group.length))
    const count = group.length - 1
    const read = Math.floor(Math.min(whole, 2 ** 32 - 1) / shift)
    // The digits of these bytes, as if zeros followed.
    const digits = [4, 3, 2, 1, 0].map(power => Math.floor((read * shift) / 85 ** power) % 85)
    const written = digits.map(digit => DIGITS[digit]).join('')
    if (written.slice(0, group.length) !== group) return undefined
    for (let index = count - 1; index >= 0; index -= 1)
      bytes.push(Math.floor(read / 256 ** index) % 256)
  }
  return Buffer.from(bytes)
}

/**
 * @param most certificates at most
 * @returns undefined when a piece cannot be, or bytes are left
 */
export function readDense(text: Buffer, bytes: Buffer, most: number): Buffer | undefined {
  const certificates: string[] = []
  const runs: string[] = []
  const read: Buffer[] = []
  let at = 0
  let used = 0
  const own = (count: number): Buffer => {
    if (used + count > bytes.length) throw new RangeError('there are not so many bytes')
    used += count
    return bytes.subarray(used - count, used)
  }
  const next = (count: number): Buffer => {
    if (at + count > text.length) throw new RangeError('the text is cut off')
    at += count
    return text.subarray(at - count, at)
  }
  const number = (): number => {
    const first = next(1).readUInt8()
    return first < 128 ? first : (first - 128) * 256 + next(1).readUInt8()
  }
  const known = (list: readonly string[], index: number): string => {
    const one = list.at(index)
    if (one === undefined) throw new RangeError('it was not named before')
    return one
  }
  const pieces: readonly (() => string)[] = [
    () => own(number()).toString('base64url'),
    () => own(number()).toString('base64'),
    () => own(number()).toString('hex'),
    () => derOf(own(64)).toString('base64url'),
    () => {
      const der = certificateOf(next(number()), own)
      certificates.push(createHash('sha256').update(der).digest('hex'))
      if (certificates.length > most) throw new RangeError('there are too many certificates')
      return der.toString('base64')
    },
    () => known(certificates, -1 - number()),
    () => {
      const name = next(number()).toString('latin1')
      const run = `${name}#${own(8).toString('hex')}`
      runs.push(run)
      return run
    },
    () => known(runs, number()),
  ]
  try {
    while (at < text.length) {
      const byte = next(1)
      const kind = byte.readUInt8()
      const piece = pieces[kind - 1]
      if (kind >= 0x20) read.push(byte)
      else if (piece === undefined) return undefined
      // The name of a run stands as its bytes do.
      else read.push(Buffer.from(piece(), 'latin1'))
    }
  } catch {
    return undefined
  }
  return used === bytes.length ? Buffer.concat(read) : undefined
}

function derOf(numbers: Buffer): Buffer {
  const integers = [numbers.subarray(0, 32), numbers.subarray(32)].map(number => {
    let hex = number.toString('hex').replace(/^(?:00)+/, '')
    if (hex === '') hex = '00'
    if (Number.parseInt(hex.slice(0, 2), 16) > 127) hex = `00${hex}`
    return `02${(hex.length / 2).toString(16).padStart(2, '0')}${hex}`
  })
  const both = integers.join('')
  return Buffer.from(`30${(both.length / 2).toString(16).padStart(2, '0')}${both}`, 'hex')
}

function certificateOf(common: Buffer, own: (count: number) => Buffer): Buffer {
  const behind = (part: string, from: number): number => {
    const found = common.indexOf(Buffer.from(part, 'hex'), from)
    if (found === -1) throw new RangeError('it is no certificate')
    return found + part.length / 2
  }
  const serial = behind('a00302010202', 0)
  const length = common.subarray(serial, serial + 1).readUInt8()
  const key = behind('301306072a8648ce3d020106082a8648ce3d030107034200', serial)
  const identifier = behind('0603551d0e04160414', key)
  const number = own(length)
  const point = Buffer.from(
    ECDH.convertKey(own(33), 'prime256v1', undefined, undefined, 'uncompressed'),
  )
  const signature = derOf(own(64))
  return Buffer.concat([
    common.subarray(0, serial + 1),
    number,
    common.subarray(serial + 1, key),
    point,
    common.subarray(key, identifier),
    createHash('sha1').update(point).digest(),
    common.subarray(identifier),
    Buffer.from([signature.length + 1, 0]),
    signature,
  ])
}
