import { hash } from 'node:crypto'
import type { Source } from '../identity/names.ts'

/** Buckets that are kept, each some hundred bytes where something is in it: as many as an end may say. */
const MAX_BUCKETS = 1_024

/** Places that share a bucket, about: the more, the shorter what is said first and the longer what is opened. */
const PLACES_A_BUCKET = 32

/** What is said of a bucket, in characters of base64url: 96 bits. */
const SUM_CHARACTERS = 16

const SUM_BYTES = 12

const SUMS = /^[\w-]+$/

interface Bucket {
  readonly sum: Buffer
  readonly places: Set<Source>
}

/** How far this node has come with a place. */
type Held = readonly [place: Source, sequence: number]

/** Which of the buckets that an end has said are the same at the other end. */
export interface SameBuckets {
  readonly count: number
  has(place: Source): boolean
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
  readonly #buckets: (Bucket | undefined)[] = []
  #places = 0

  /** How many places there are in all. */
  get size(): number {
    return this.#places
  }

  /** This node has come from one sequence of a place to another; 0 where it holds nothing of it. */
  move(place: Source, from: number, to: number): void {
    const index = indexOf(place)
    const bucket = (this.#buckets[index] ??= { sum: Buffer.alloc(SUM_BYTES), places: new Set() })
    for (const sequence of [from, to]) if (sequence > 0) add(bucket.sum, hashOf(place, sequence))
    this.#places -= bucket.places.size
    if (to > 0) bucket.places.add(place)
    else bucket.places.delete(place)
    this.#places += bucket.places.size
  }

  /** What is said of all buckets, as many as this node's places are worth. @param aside left out of them */
  sums(aside: Iterable<Held>): string {
    const worth = 2 ** Math.ceil(Math.log2(this.#places / PLACES_A_BUCKET))
    return this.#folded(Math.min(Math.max(worth, 1), MAX_BUCKETS), aside)
      .map(sum => sum.toString('base64url'))
      .join('')
  }

  /**
   * Which of the buckets that a peer has said are the same here; undefined where it has said none.
   * @param aside left out of them at both ends
   */
  compare(sums: unknown, aside: Iterable<Held>): SameBuckets | undefined {
    if (typeof sums !== 'string' || !SUMS.test(sums)) return undefined
    const count = sums.length / SUM_CHARACTERS
    if (!isCount(count)) return undefined
    const folded = this.#folded(count, aside)
    const same = folded.map((sum, index) => {
      const at = index * SUM_CHARACTERS
      return sum.toString('base64url') === sums.slice(at, at + SUM_CHARACTERS)
    })
    return sameOf(same)
  }

  /** The places in buckets that are not the same. */
  *apart(same: SameBuckets): Iterable<Source> {
    for (const bucket of this.#buckets) {
      const [first] = bucket?.places ?? []
      if (bucket === undefined || first === undefined || same.has(first)) continue
      yield* bucket.places
    }
  }

  #folded(count: number, aside: Iterable<Held>): Buffer[] {
    const folded = Array.from({ length: count }, () => Buffer.alloc(SUM_BYTES))
    for (const [index, bucket] of this.#buckets.entries()) {
      const sum = folded[Math.floor((index * count) / MAX_BUCKETS)]
      if (bucket !== undefined && sum !== undefined) add(sum, bucket.sum)
    }
    for (const [place, sequence] of aside) {
      const sum = folded[Math.floor((indexOf(place) * count) / MAX_BUCKETS)]
      if (sequence > 0 && sum !== undefined) add(sum, hashOf(place, sequence))
    }
    return folded
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
  const count = same.length
  const digits = Array.from({ length: Math.ceil(count / 4) }, (_, digit) => {
    const bits = [0, 1, 2, 3].map(bit => (same[digit * 4 + bit] === true ? 8 >> bit : 0))
    return bits.reduce((sum, bit) => sum + bit, 0).toString(16)
  })
  return {
    count,
    has: place => same[Math.floor((indexOf(place) * count) / MAX_BUCKETS)] === true,
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

function hashOf(place: Source, sequence: number): Buffer {
  return hash('sha256', `${place} ${sequence}`, 'buffer').subarray(0, SUM_BYTES)
}

function add(sum: Buffer, other: Buffer): void {
  for (let at = 0; at < SUM_BYTES; at += 4) {
    sum.writeInt32BE(sum.readInt32BE(at) ^ other.readInt32BE(at), at)
  }
}
