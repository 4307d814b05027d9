import { hash } from 'node:crypto'
import { compactCertificate, ownSize, wholeCertificate } from './compact-certificate.ts'
import { RAW_SIGNATURE, rawSignature, wholeSignature } from './raw-signature.ts'

/**
 * What stands for a piece of JSON (PROTOCOL.md, "Packed frames"): a byte that no JSON has, and then
 * what it needs. The bytes that a piece is made of stand apart, one behind the other.
 */
const PIECE = {
  /** So many bytes as base64url without padding. */
  base64url: 1,
  /** The same as base64. */
  base64: 2,
  /** The same as hexadecimal digits. */
  hex: 3,
  /** The 64 bytes of a signature of P-256, as base64url of its DER. */
  signature: 4,
  /** A length, and what a certificate has in common with others, as base64 of its DER. */
  certificate: 5,
  /** The fingerprint of the certificate so many before. */
  fingerprint: 6,
  /** A length, and the name of a run, of which the digits are 8 bytes. */
  run: 7,
  /** The run that was named as so manieth. */
  again: 8,
} as const

/** JSON in fewer bytes. */
export interface DenseText {
  /** The JSON with pieces of it written otherwise: what compression makes short. */
  readonly text: Buffer
  /** The bytes that pieces are made of, which nothing makes shorter. */
  readonly bytes: Buffer
}

/** The greatest number in a piece: that of bytes, or of a run. */
const MAX_NUMBER = 0x7f_ff

const RUN_BYTES = 8

/** Digits of a fingerprint: SHA-256 in hexadecimal. */
const FINGERPRINT = 64

/** Characters that a certificate takes at least where it is packed: the 97 bytes of key and signature in Z85. */
const CERTIFICATE_CHARACTERS = 120

/** Bytes that a piece is made of at least: the 22 digits and letters that it stands for may be hexadecimal. */
const LEAST_BYTES = 11

/** A run, or what is digits and letters for so long that it is likely to stand for bytes. */
const PIECES = /(?<![\w.-])([\w.-]{1,64})#([0-9a-f]{16})(?![0-9a-f])|[\w+/-]{22,}={0,2}/g

const HEX = /^[0-9a-f]+$/

/** Write JSON in fewer bytes: digits and letters that stand for bytes as these, and names of runs once. */
export function denseText(json: string): DenseText {
  const text: Buffer[] = []
  const bytes: Buffer[] = []
  const runs = new Map<string, number>()
  const certificates: string[] = []
  let from = 0
  for (const match of json.matchAll(PIECES)) {
    const [whole, name, digits] = match
    const piece =
      name === undefined || digits === undefined
        ? pieceOf(whole, certificates)
        : runOf(whole, [name, digits], runs)
    if (piece === undefined) continue
    text.push(Buffer.from(json.slice(from, match.index)), piece.text)
    bytes.push(piece.bytes)
    from = match.index + whole.length
  }
  text.push(Buffer.from(json.slice(from)))
  return { text: Buffer.concat(text), bytes: Buffer.concat(bytes) }
}

const NOTHING = Buffer.alloc(0)

function runOf(
  run: string,
  [name, digits]: readonly [string, string],
  runs: Map<string, number>,
): DenseText | undefined {
  const known = runs.get(run)
  if (known !== undefined) return pieceWith(PIECE.again, known, NOTHING)
  if (runs.size > MAX_NUMBER) return undefined
  runs.set(run, runs.size)
  const head = Buffer.from([PIECE.run, name.length])
  return { text: Buffer.concat([head, Buffer.from(name)]), bytes: Buffer.from(digits, 'hex') }
}

/** @param certificates the fingerprints of those that went before */
function pieceOf(whole: string, certificates: string[]): DenseText | undefined {
  if (whole.length % 2 === 0 && HEX.test(whole)) {
    const before = whole.length === FINGERPRINT ? certificates.lastIndexOf(whole) : -1
    if (before === -1) return pieceOfBytes(PIECE.hex, Buffer.from(whole, 'hex'))
    return pieceWith(PIECE.fingerprint, certificates.length - 1 - before, NOTHING)
  }
  const url = Buffer.from(whole, 'base64url')
  if (url.toString('base64url') === whole) {
    const numbers = rawSignature(url)
    if (numbers === undefined) return pieceOfBytes(PIECE.base64url, url)
    return { text: Buffer.from([PIECE.signature]), bytes: numbers }
  }
  const der = Buffer.from(whole, 'base64')
  if (der.toString('base64') !== whole) return undefined
  const { common, own } = compactCertificate(der) ?? {}
  if (common === undefined || own === undefined) return pieceOfBytes(PIECE.base64, der)
  const piece = pieceWith(PIECE.certificate, common.length, own)
  if (piece === undefined) return undefined
  certificates.push(hash('sha256', der))
  return { text: Buffer.concat([piece.text, common]), bytes: own }
}

function pieceOfBytes(kind: number, bytes: Buffer): DenseText | undefined {
  return pieceWith(kind, bytes.length, bytes)
}

function pieceWith(kind: number, number: number, bytes: Buffer): DenseText | undefined {
  if (number > MAX_NUMBER) return undefined
  return { text: Buffer.from([kind, ...numberOf(number)]), bytes }
}

/** A number of up to 15 bits in one byte, or in two of which the first has its first bit set. */
function numberOf(value: number): number[] {
  return value < 0x80 ? [value] : [0x80 | (value >> 8), value & 0xff]
}

/**
 * The JSON that was written so, in UTF-8 that is not looked into yet.
 * @param maxBytes what it may be at most
 * @param characters what it was packed into: whoever has others work out certificates pays for it
 * @returns undefined when it is longer, or a piece of it cannot be
 */
export function readDenseText(
  dense: DenseText,
  { maxBytes, characters }: { readonly maxBytes: number; readonly characters: number },
): Buffer | undefined {
  return new DenseReader(dense, maxBytes, Math.floor(characters / CERTIFICATE_CHARACTERS)).read()
}

class DenseReader {
  readonly #text: Cursor
  readonly #bytes: Cursor
  readonly #maxBytes: number
  readonly #maxCertificates: number
  readonly #runs: Buffer[] = []
  readonly #certificates: { readonly der: Buffer; fingerprint?: Buffer }[] = []

  constructor({ text, bytes }: DenseText, maxBytes: number, maxCertificates: number) {
    this.#text = new Cursor(text)
    this.#bytes = new Cursor(bytes)
    this.#maxBytes = maxBytes
    this.#maxCertificates = maxCertificates
  }

  read(): Buffer | undefined {
    const read: Buffer[] = []
    let length = 0
    while (!this.#text.isAtEnd) {
      const piece = this.#text.takeText() ?? this.#piece()
      if (piece === undefined) return undefined
      length += piece.length
      // Looked at for each: a few bytes may stand for many.
      if (length > this.#maxBytes) return undefined
      read.push(piece)
    }
    return this.#bytes.isAtEnd ? Buffer.concat(read) : undefined
  }

  #piece(): Buffer | undefined {
    const [kind] = this.#text.take(1) ?? []
    switch (kind) {
      case PIECE.base64url:
        return written(this.#takeBytes(), 'base64url')
      case PIECE.base64:
        return written(this.#takeBytes(), 'base64')
      case PIECE.hex:
        return written(this.#takeBytes(), 'hex')
      case PIECE.signature: {
        const numbers = this.#bytes.take(RAW_SIGNATURE)
        return numbers && written(wholeSignature(numbers), 'base64url')
      }
      case PIECE.certificate:
        return this.#certificate(this.#text.take(this.#text.takeNumber()))
      case PIECE.fingerprint:
        return this.#fingerprint(this.#text.takeNumber())
      case PIECE.run:
        return this.#run(this.#text.take(this.#text.takeNumber()))
      case PIECE.again:
        return this.#runs[this.#text.takeNumber() ?? Infinity]
      default:
        return undefined
    }
  }

  /** Of fewer bytes than a piece has, a short frame could hold so many that they hold the reader up. */
  #takeBytes(): Buffer | undefined {
    const count = this.#text.takeNumber()
    return count === undefined || count < LEAST_BYTES ? undefined : this.#bytes.take(count)
  }

  #certificate(common: Buffer | undefined): Buffer | undefined {
    if (common === undefined || this.#certificates.length >= this.#maxCertificates) return undefined
    const own = this.#bytes.take(ownSize(common))
    const der = own && wholeCertificate({ common, own })
    if (der === undefined) return undefined
    this.#certificates.push({ der })
    return written(der, 'base64')
  }

  #fingerprint(before: number | undefined): Buffer | undefined {
    const certificate = before === undefined ? undefined : this.#certificates.at(-1 - before)
    if (certificate === undefined) return undefined
    certificate.fingerprint ??= written(hash('sha256', certificate.der, 'buffer'), 'hex')
    return certificate.fingerprint
  }

  #run(name: Buffer | undefined): Buffer | undefined {
    const digits = this.#bytes.take(RUN_BYTES)
    if (name === undefined || digits === undefined) return undefined
    const run = Buffer.concat([name, Buffer.from(`#${digits.toString('hex')}`)])
    this.#runs.push(run)
    return run
  }
}

/** Takes bytes from the first one on. */
class Cursor {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  /** @returns undefined when there are not so many */
  take(count: number | undefined): Buffer | undefined {
    if (count === undefined || this.#at + count > this.#bytes.length) return undefined
    this.#at += count
    return this.#bytes.subarray(this.#at - count, this.#at)
  }

  /** All that stands for itself; undefined where a piece is next. */
  takeText(): Buffer | undefined {
    const from = this.#at
    while ((this.#bytes[this.#at] ?? 0) >= 0x20) this.#at += 1
    return this.#at > from ? this.#bytes.subarray(from, this.#at) : undefined
  }

  takeNumber(): number | undefined {
    const [first] = this.take(1) ?? []
    if (first === undefined || first < 0x80) return first
    const [second] = this.take(1) ?? []
    return second === undefined ? undefined : (first & 0x7f) * 256 + second
  }
}

function written(bytes: Buffer, encoding: BufferEncoding): Buffer
function written(bytes: Buffer | undefined, encoding: BufferEncoding): Buffer | undefined
function written(bytes: Buffer | undefined, encoding: BufferEncoding): Buffer | undefined {
  return bytes && Buffer.from(bytes.toString(encoding))
}
