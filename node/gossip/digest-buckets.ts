import { hash } from 'node:crypto'
import type { Source } from '../identity/names.ts'

/** Buckets that are kept, each some hundred bytes where something is in it: as many as an end may say. */
const MAX_BUCKETS = 1_024

/** Places that share a bucket, about: the more, the shorter what is said first and the longer what is opened. */
const PLACES_A_BUCKET = 32

/** What is said of a bucket, in characters of base64url: 96 bits. */
const SUM_CHARACTERS = 16

const SUM_BYTES = 12

/** The same, in numbers of 32 bits. */
const SUM_WORDS = SUM_BYTES / 4

const SUMS = /^[\w-]+$/

/** How far this node has come with a place. */
type Held = readonly [place: Source, sequence: number]

/** Which of the buckets that an end has said are the same at the other end. */
export interface SameBuckets {
  /** Whether that is so of the bucket with this number, of as many as are kept. */
  has(index: number): boolean
  /** One bit a bucket, in hexadecimal digits, the first bucket first. */
  readonly mask: string
}

/**
 * How far this node has come with each place, summed up by buckets, so that two nodes that hold
 * nearly the same find out where they differ by some bytes for each bucket, and not for each place
 * (PROTOCOL.md, "Buckets"). Which bucket a place is in only its hash decides. The sum of a bucket is
 * the bit-by-bit sum of hashes, so that fewer buckets are sums of these.
 */
export class DigestBuckets {
  readonly #sums = new Int32Array(MAX_BUCKETS * SUM_WORDS)
  /** The places in each bucket. */
  readonly #places: (Set<Source> | undefined)[] = []
  #size = 0

  /** How many places there are in all. */
  get size(): number {
    return this.#size
  }

  /** This node has come from one sequence of a place to another; 0 where it holds nothing of it. */
  move(place: Source, from: number, to: number): void {
    const index = indexOf(place)
    for (const sequence of [from, to]) {
      if (sequence > 0) add(this.#sums, index, hashOf(place, sequence))
    }
    const places = (this.#places[index] ??= new Set())
    this.#size -= places.size
    if (to > 0) places.add(place)
    else places.delete(place)
    this.#size += places.size
  }

  /** What is said of all buckets, as many as this node's places are worth. @param aside left out of them */
  sums(aside: Iterable<Held>): string {
    const worth = 2 ** Math.ceil(Math.log2(this.#size / PLACES_A_BUCKET))
    return this.#folded(Math.min(Math.max(worth, 1), MAX_BUCKETS), aside).join('')
  }

  /**
   * Which of the buckets that a peer has said are the same here; undefined where it has said none.
   * @param aside left out of them at both ends
   */
  compare(sums: unknown, aside: Iterable<Held>): SameBuckets | undefined {
    if (typeof sums !== 'string' || !SUMS.test(sums)) return undefined
    const count = sums.length / SUM_CHARACTERS
    if (!isCount(count)) return undefined
    const same = this.#folded(count, aside).map((sum, index) => {
      const at = index * SUM_CHARACTERS
      return sum === sums.slice(at, at + SUM_CHARACTERS)
    })
    return sameOf(same)
  }

  /** The places in buckets that are not the same. */
  *apart(same: SameBuckets): Iterable<Source> {
    for (const [index, places] of this.#places.entries()) {
      if (places !== undefined && !same.has(index)) yield* places
    }
  }

  /** What the sums are in so many buckets, each as it is said. */
  #folded(count: number, aside: Iterable<Held>): string[] {
    const folded = new Int32Array(count * SUM_WORDS)
    for (let index = 0; index < MAX_BUCKETS; index += 1) {
      const at = index * SUM_WORDS
      add(folded, foldedIndex(index, count), this.#sums.subarray(at, at + SUM_WORDS))
    }
    for (const [place, sequence] of aside) {
      if (sequence > 0) add(folded, foldedIndex(indexOf(place), count), hashOf(place, sequence))
    }
    const bytes = Buffer.alloc(count * SUM_BYTES)
    for (const [at, word] of folded.entries()) bytes.writeInt32BE(word, at * 4)
    return Array.from({ length: count }, (_, index) =>
      bytes.toString('base64url', index * SUM_BYTES, (index + 1) * SUM_BYTES),
    )
  }
}

/** @returns the buckets of a mask, or undefined where it is none of so many buckets */
export function readMask(mask: unknown, sums: string): SameBuckets | undefined {
  const count = sums.length / SUM_CHARACTERS
  if (typeof mask !== 'string' || mask.length !== Math.ceil(count / 4)) return undefined
  if (!/^[0-9a-f]+$/.test(mask)) return undefined
  const same = Array.from({ length: count }, (_, index) => {
    const digit = Number.parseInt(mask[Math.floor(index / 4)] ?? '', 16)
    return (digit & (8 >> (index % 4))) !== 0
  })
  const read = sameOf(same)
  return read.mask === mask ? read : undefined
}

function sameOf(same: readonly boolean[]): SameBuckets {
  const digits = Array.from({ length: Math.ceil(same.length / 4) }, (_, digit) => {
    const bits = [0, 1, 2, 3].map(bit => (same[digit * 4 + bit] === true ? 8 >> bit : 0))
    return bits.reduce((sum, bit) => sum + bit, 0).toString(16)
  })
  return {
    has: index => same[foldedIndex(index, same.length)] === true,
    mask: digits.join(''),
  }
}

function isCount(count: number): boolean {
  return Number.isInteger(Math.log2(count)) && count <= MAX_BUCKETS && count >= 1
}

/** The bucket of a place, of as many as are kept: the first ten bits of its hash. */
function indexOf(place: Source): number {
  return hash('sha256', place, 'buffer').readUInt16BE(0) >> 6
}

/** The bucket that one of those that are kept is added up in, where there are `count`. */
function foldedIndex(index: number, count: number): number {
  return Math.floor((index * count) / MAX_BUCKETS)
}

function hashOf(place: Source, sequence: number): Int32Array {
  const bytes = hash('sha256', `${place} ${sequence}`, 'buffer')
  return Int32Array.from({ length: SUM_WORDS }, (_, word) => bytes.readInt32BE(word * 4))
}

function add(sums: Int32Array, index: number, other: Int32Array): void {
  for (let word = 0; word < SUM_WORDS; word += 1) {
    const at = index * SUM_WORDS + word
    sums[at] = (sums[at] ?? 0) ^ (other[word] ?? 0)
  }
}
