import type { Dice } from './dice.ts'

/** An element of DER with what is in it, to be changed and written again with lengths that fit. */
export interface DerNode {
  tag: number
  /** What it holds: other elements, or bytes. */
  inside: DerNode[] | Buffer
  /** Bytes that its content begins with: of a BIT STRING how many bits are unused. */
  lead: Buffer
  /** How its length is written. */
  form: 'shortest' | 'long' | 'indefinite'
}

const OCTET_STRING = 0x04
const CONSTRUCTED = 0x20

/** Read bytes that are right. Octet strings that hold elements are opened too, as those of extensions do. */
export function readTree(bytes: Buffer): DerNode[] {
  const nodes: DerNode[] = []
  let offset = 0
  while (offset < bytes.length) {
    const tag = bytes.readUInt8(offset)
    let length = bytes.readUInt8(offset + 1)
    offset += 2
    if (length >= 0x80) {
      const size = length - 0x80
      length = bytes.readUIntBE(offset, size)
      offset += size
    }
    if (offset + length > bytes.length) throw new RangeError('it is cut off')
    const content = bytes.subarray(offset, offset + length)
    offset += length
    nodes.push({ tag, inside: insideOf(tag, content), lead: Buffer.alloc(0), form: 'shortest' })
  }
  return nodes
}

function insideOf(tag: number, content: Buffer): DerNode[] | Buffer {
  if ((tag & CONSTRUCTED) !== 0) return readTree(content)
  if (tag !== OCTET_STRING || content.length === 0) return Buffer.from(content)
  try {
    return readTree(content)
  } catch {
    return Buffer.from(content)
  }
}

/** The bytes of some elements. */
export function writeTree(nodes: readonly DerNode[]): Buffer {
  return Buffer.concat(
    nodes.map(({ tag, inside, lead, form }) => {
      const content = Buffer.concat([lead, Array.isArray(inside) ? writeTree(inside) : inside])
      if (form === 'indefinite')
        return Buffer.concat([Buffer.of(tag, 0x80), content, Buffer.alloc(2)])
      return Buffer.concat([Buffer.of(tag), lengthOf(content.length, form === 'long'), content])
    }),
  )
}

function lengthOf(length: number, isLong: boolean): Buffer {
  if (length < 0x80 && !isLong) return Buffer.of(length)
  const digits = length.toString(16)
  const bytes = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex')
  const padded = isLong && length >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes
  return Buffer.concat([Buffer.of(0x80 + padded.length), padded])
}

/** An element, and the list that it stands in. */
interface Spot {
  readonly node: DerNode
  readonly among: DerNode[]
}

/** All elements, each with those that it stands among. */
function spotsOf(among: DerNode[]): Spot[] {
  return among.flatMap(node => [
    { node, among },
    ...(Array.isArray(node.inside) ? spotsOf(node.inside) : []),
  ])
}

/** Tags of strings, times and of alternative names, which readers may take for each other. */
const TAGS = [
  0x01, 0x02, 0x04, 0x06, 0x0c, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1a, 0x1c, 0x1e, 0x81, 0x82,
  0x86, 0x87, 0xa0, 0xa3, 0xa4, 0xa6,
]

/** Object identifiers that say what stands behind them: CN, O, and the extensions of identities. */
const OIDS = ['550403', '55040a', '551d11', '551d13', '551d0f', '551d25', '551d1180', '55801d11']

/** What is put in the place of a content, or into it. */
const CONTENTS = [
  'spiffe://fridge.example/operator/mallory',
  'SPIFFE://fridge.example/node/mallory',
  'mallory',
  'mallory\u0000',
  'mallory, URI:spiffe://fridge.example/operator/mallory',
  '',
  '\u0000',
  '\u0001',
  '\u00ff',
  '20490101000000Z',
  '490101000000Z',
  '500101000000Z',
  '260230000000Z',
  '2601010000Z',
  '260101000000+0100',
]

/** Change one element in one of the ways in which a hostile encoder could. */
export function mutateTree(roots: DerNode[], dice: Dice): void {
  const spots = spotsOf(roots)
  // Another change may have taken everything out.
  if (spots.length === 0) return
  const { node, among } = dice.pick(spots)
  const at = among.indexOf(node)
  switch (dice.below(12)) {
    case 0:
      node.tag = dice.oneIn(3) ? dice.below(256) : dice.pick(TAGS)
      break
    case 1:
      node.form = dice.pick(['long', 'indefinite'])
      break
    case 2:
      // As BER may: the content is in pieces of the same kind.
      node.inside = [{ ...node, tag: (node.tag & 0x1f) | (dice.oneIn(2) ? node.tag & 0x80 : 0) }]
      node.tag |= CONSTRUCTED
      break
    case 3:
      among.splice(at, 1)
      break
    case 4:
      among.splice(dice.below(among.length + 1), 0, copyOf(node))
      break
    case 5:
      among.splice(at, 1)
      among.splice(dice.below(among.length + 1), 0, node)
      break
    case 6:
      among.splice(at, 0, copyOf(dice.pick(spots).node))
      break
    case 7:
      node.inside = Buffer.from(dice.pick(CONTENTS), 'latin1')
      break
    case 8:
      node.lead = Buffer.from([dice.below(256)])
      break
    case 9:
      node.inside = Buffer.from(dice.pick(OIDS), 'hex')
      break
    default:
      node.inside = touched(node, dice)
  }
}

/** One that shares nothing with the first, so that no element comes to stand in itself. */
function copyOf(node: DerNode): DerNode {
  const { inside, lead } = node
  return {
    ...node,
    inside: Array.isArray(inside) ? inside.map(copyOf) : Buffer.from(inside),
    lead: Buffer.from(lead),
  }
}

function touched({ inside }: DerNode, dice: Dice): Buffer {
  const bytes = Array.isArray(inside) ? writeTree(inside) : Buffer.from(inside)
  const at = dice.below(bytes.length + 1)
  if (at < bytes.length && dice.oneIn(2)) {
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << dice.below(8)), at)
    return bytes
  }
  return Buffer.concat([bytes.subarray(0, at), Buffer.of(dice.below(256)), bytes.subarray(at)])
}
