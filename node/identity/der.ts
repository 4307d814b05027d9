/** One element of DER (ITU-T X.690): its tag as the first byte has it, and what it holds. */
export interface DerElement {
  readonly tag: number
  readonly content: Uint8Array
}

/** Tags of the elements that certificates are made of. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/**
 * The elements that stand in these bytes, one behind the other, and nothing else.
 * @throws RangeError for whatever DER does not allow: another reader might see other names in it
 */
export function readElements(bytes: Uint8Array): DerElement[] {
  const elements: DerElement[] = []
  let offset = 0
  const take = (count: number): Uint8Array => {
    if (offset + count > bytes.length) throw new RangeError('it is cut off')
    offset += count
    return bytes.subarray(offset - count, offset)
  }
  while (offset < bytes.length) {
    const [tag = 0, short = 0] = take(2)
    if ((tag & 0x1f) === 0x1f) throw new RangeError('it has a tag of more than one byte')
    let length = short
    if (short >= 0x80) {
      if (short === 0x80 || short > 0x83) throw new RangeError('it has a length that is none')
      length = 0
      for (const byte of take(short - 0x80)) length = length * 256 + byte
      const least = short === 0x81 ? 0x80 : 256 ** (short - 0x81)
      if (length < least) throw new RangeError('it has a length that is not in its shortest form')
    }
    elements.push({ tag, content: take(length) })
  }
  return elements
}

/** What the one element holds that these bytes are. @throws RangeError when they are anything else */
export function readOnly(bytes: Uint8Array, tag: number): Uint8Array {
  const [element, ...others] = readElements(bytes)
  if (others.length > 0) throw new RangeError('there is more of it than there should be')
  return contentOf(element, tag)
}

/** What an element holds. @throws RangeError when it is missing, or another than expected */
export function contentOf(element: DerElement | undefined, tag: number): Uint8Array {
  if (element === undefined) throw new RangeError('a part of it is missing')
  if (element.tag !== tag) throw new RangeError('a part of it is of another kind')
  return element.content
}

/** Whether it says true. @throws RangeError when it is missing, or neither true nor false */
export function readBoolean(element: DerElement | undefined): boolean {
  const content = contentOf(element, TAG.boolean)
  const [value] = content
  if (content.length !== 1 || (value !== 0 && value !== 0xff)) {
    throw new RangeError('a part of it is neither true nor false')
  }
  return value !== 0
}

/**
 * An object identifier in dots, `2.5.29.19`.
 * @throws RangeError when it is not in its shortest form: two would be one
 */
export function readOid(content: Uint8Array): string {
  const isWhole = content.length > 0 && (content.at(-1) ?? 0) < 0x80
  const isShortest = content.every(
    (byte, index) => byte !== 0x80 || (content[index - 1] ?? 0) >= 0x80,
  )
  if (!isWhole || !isShortest) throw new RangeError('an identifier in it is none')
  const arcs: number[] = []
  let arc = 0
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f)
    if (byte >= 0x80) continue
    arcs.push(arc)
    arc = 0
  }
  const [both = 0, ...rest] = arcs
  const first = Math.min(Math.floor(both / 40), 2)
  return [first, both - first * 40, ...rest].join('.')
}

/**
 * A time in the two forms that certificates use (RFC 5280, section 4.1.2.5): seconds, in UTC.
 * @returns milliseconds since 1970
 * @throws RangeError when it is anything else
 */
export function readTime(element: DerElement | undefined): number {
  const text = element === undefined ? '' : Buffer.from(element.content).toString('latin1')
  // Of two digits the years from 50 on are of the century before.
  const century = Number(text.slice(0, 2)) < 50 ? '20' : '19'
  const whole = element?.tag === TAG.utcTime ? `${century}${text}` : text
  const isTime = element?.tag === TAG.utcTime || element?.tag === TAG.generalizedTime
  const [, ...parts] = TIME.exec(whole) ?? []
  const [year, month, day, hour, minute, second] = parts
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  // A day that its month does not have would be one of the next.
  const isWhole = !Number.isNaN(time) && new Date(time).getUTCDate() === Number(day)
  if (!isTime || !isWhole) throw new RangeError('a date of it is none')
  return time
}

const TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/
