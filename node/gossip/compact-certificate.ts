import { ECDH, hash } from 'node:crypto'
import { rawSignature, wholeSignature, RAW_SIGNATURE } from './raw-signature.ts'

/** What stands before a point of P-256 in a certificate: the algorithm of the key, and that 65 bytes of it follow (RFC 5480). */
const KEY = Buffer.from('301306072a8648ce3d020106082a8648ce3d030107034200', 'hex')

/** What stands before the identifier of a key: the extension, and that 20 bytes follow (RFC 5280, section 4.2.1.2). */
const KEY_IDENTIFIER = Buffer.from('0603551d0e04160414', 'hex')

/** What stands before the signature of an authority: ECDSA with SHA-256, and a string of bits. */
const SIGNATURE = Buffer.from('300a06082a8648ce3d04030203', 'hex')

const CURVE = 'prime256v1'

/** A point of P-256 that is compressed (SEC 1, section 2.3.3), and one that is not. */
const COMPRESSED = 33
const UNCOMPRESSED = 65

/** SHA-1, which names a key here and vouches for nothing. */
const IDENTIFIER = 20

/** What stands before the length of a serial number: that the certificate is of version 3, and a number. */
const SERIAL = Buffer.from('a00302010202', 'hex')

/** A certificate in two parts, of which only the first is like that of others. */
export interface CompactCertificate {
  /** What all certificates of an authority have in common, and their names. */
  readonly common: Buffer
  /** Serial number, compressed point and signature, one behind the other. */
  readonly own: Buffer
}

/**
 * A certificate without what follows from the rest of it: the second half of the point that its key
 * is, the identifier of the key where that is the hash of the point, and what DER says around the
 * two numbers of a signature.
 * @returns undefined when it is not of that kind: key and signature are of P-256
 */
export function compactCertificate(der: Buffer): CompactCertificate | undefined {
  const serial = endOf(der, SERIAL, 0)
  const key = serial && endOf(der, KEY, serial)
  const identifier = key && endOf(der, KEY_IDENTIFIER, key)
  if (serial === undefined || key === undefined || identifier === undefined) return undefined
  const bits = der.lastIndexOf(SIGNATURE) + SIGNATURE.length
  const numbers = rawSignature(der.subarray(bits + 2))
  const point = compressed(der.subarray(key, key + UNCOMPRESSED))
  if (bits < identifier || numbers === undefined || point === undefined) return undefined
  const named = serial + 1 + (der[serial] ?? 0)
  const compact = {
    common: Buffer.concat([
      der.subarray(0, serial + 1),
      der.subarray(named, key),
      der.subarray(key + UNCOMPRESSED, identifier),
      der.subarray(identifier + IDENTIFIER, bits),
    ]),
    own: Buffer.concat([der.subarray(serial + 1, named), point, numbers]),
  }
  const sized = ownSize(compact.common) === compact.own.length
  return sized && wholeCertificate(compact)?.equals(der) === true ? compact : undefined
}

/** How many bytes of its own a certificate has. @returns undefined when it is none */
export function ownSize(common: Buffer): number | undefined {
  const serial = endOf(common, SERIAL, 0)
  return serial && (common[serial] ?? 0) + COMPRESSED + RAW_SIGNATURE
}

/** What `compactCertificate` was given. @returns undefined for what it never makes */
export function wholeCertificate({ common, own }: CompactCertificate): Buffer | undefined {
  const serial = endOf(common, SERIAL, 0)
  const key = serial && endOf(common, KEY, serial)
  const identifier = key && endOf(common, KEY_IDENTIFIER, key)
  if (serial === undefined || key === undefined || identifier === undefined) return undefined
  const numbers = own.length - RAW_SIGNATURE
  const point = uncompressed(own.subarray(numbers - COMPRESSED, numbers))
  if (point === undefined) return undefined
  const signature = wholeSignature(own.subarray(numbers))
  return Buffer.concat([
    common.subarray(0, serial + 1),
    own.subarray(0, numbers - COMPRESSED),
    common.subarray(serial + 1, key),
    point,
    common.subarray(key, identifier),
    hash('sha1', point, 'buffer'),
    common.subarray(identifier),
    Buffer.from([signature.length + 1, 0]),
    signature,
  ])
}

function endOf(bytes: Buffer, part: Buffer, from: number): number | undefined {
  const at = bytes.indexOf(part, from)
  return at === -1 ? undefined : at + part.length
}

function compressed(point: Buffer): Buffer | undefined {
  if (point.length !== UNCOMPRESSED || point[0] !== 4) return undefined
  return Buffer.concat([
    Buffer.from([2 + ((point.at(-1) ?? 0) & 1)]),
    point.subarray(1, COMPRESSED),
  ])
}

/** @returns undefined when no point of the curve is so compressed */
function uncompressed(point: Buffer): Buffer | undefined {
  if (point.length !== COMPRESSED) return undefined
  try {
    return Buffer.from(ECDH.convertKey(point, CURVE, undefined, undefined, 'uncompressed'))
  } catch {
    return undefined
  }
}
