import {
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hash,
  hkdfSync,
  type KeyObject,
} from 'node:crypto'
import { isSource, type Source } from '../identity/names.ts'
import { keepNewest } from '../lib/keep-newest.ts'
import { isSequence } from '../whitelist/change.ts'

/**
 * One word of many nodes: that each of them has applied the changes of a source up to a sequence. The
 * tags of all of them are one, so that it is as short as the marks of the nodes (Katz, Lindell:
 * Aggregate Message Authentication Codes, 2008).
 */
export interface Tally {
  /** The source that is to hear it. */
  readonly to: Source
  readonly applied: number
  /** The marks of the runs that have applied it, each once. */
  readonly marks: ReadonlySet<string>
  /** The tags of all of them, each bit the sum without carry. */
  readonly tag: Buffer
}

/** A tally as it travels: the marks one behind the other, the tag in base64url. */
export type TallyFrame = readonly [to: Source, applied: number, marks: string, tag: string]

/** Runs in one tally. */
const MAX_MARKS = 4_096

/** Characters of the mark of a run: 36 bits of a hash. */
const MARK_LENGTH = 6

const TAG_BYTES = 16

/** Secrets that are kept: with each run that is known, and some that were. */
const MAX_SECRETS = 8_192

const MARKS = /^(?:[\w-]{6})+$/
const TAG = /^[\w-]{22}$/
const KEY = /^[\w-]{43}$/

/** What names a run in a tally. */
export function markOf(run: Source): string {
  return hash('sha256', `run\n${run}`, 'base64url').slice(0, MARK_LENGTH)
}

export function encodeTally({ to, applied, marks, tag }: Tally): TallyFrame {
  return [to, applied, [...marks].join(''), tag.toString('base64url')]
}

/** @returns the tally, not yet known to be the word of its nodes, or why it is malformed */
export function parseTally(value: unknown): Tally | string {
  if (!Array.isArray(value) || value.length !== 4) return 'a tally has missing fields'
  const [to, applied, text, tag] = value as unknown[]
  if (!isSource(to) || !isSequence(applied)) return 'a tally names no place'
  if (typeof text !== 'string' || text.length > MAX_MARKS * MARK_LENGTH || !MARKS.test(text)) {
    return 'the marks of a tally are malformed'
  }
  if (typeof tag !== 'string' || !TAG.test(tag)) return 'the tag of a tally is malformed'
  const marks = new Set<string>()
  for (let at = 0; at < text.length; at += MARK_LENGTH) marks.add(text.slice(at, at + MARK_LENGTH))
  if (marks.size * MARK_LENGTH !== text.length) return 'a tally names a run twice'
  return { to, applied, marks, tag: Buffer.from(tag, 'base64url') }
}

/** Whether a value can be the key of a run for tallies, X25519 in base64url. */
export function isTallyKey(value: unknown): value is string {
  return typeof value === 'string' && KEY.test(value)
}

/** Two tallies of one place as one; undefined where some node is in both. */
export function joinTallies(one: Tally, other: Tally): Tally | undefined {
  if (one.to !== other.to || one.applied !== other.applied) return undefined
  if (!one.marks.isDisjointFrom(other.marks)) return undefined
  if (one.marks.size + other.marks.size > MAX_MARKS) return undefined
  return { ...one, marks: one.marks.union(other.marks), tag: sumOf(one.tag, other.tag) }
}

export function sumOf(one: Buffer, other: Buffer): Buffer {
  return Buffer.from(one.map((byte, at) => byte ^ (other[at] ?? 0)))
}

export function emptyTag(): Buffer {
  return Buffer.alloc(TAG_BYTES)
}

/** A key of X25519, both parts of it. */
export interface TallyKeyPair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/**
 * The key of one run, and the secrets that it shares with others: what a run says to another in a
 * tally only these two can have made, so no relay can say it for one of them.
 */
export class TallyKey {
  readonly #privateKey: KeyObject
  /** X25519 in base64url: its node signs it with what it says of itself. */
  readonly publicKey: string
  readonly #secrets = new Map<string, Buffer>()

  /** @param pair X25519. Default: one that is drawn for this run */
  constructor({ privateKey, publicKey }: TallyKeyPair = generateKeyPairSync('x25519')) {
    this.#privateKey = privateKey
    this.publicKey = publicKey.export({ format: 'jwk' }).x ?? ''
  }

  /** Whether the secret with a run is known already: else it costs 50 µs to work out. */
  knows(publicKey: string): boolean {
    return this.#secrets.has(publicKey)
  }

  /**
   * What proves that a run has applied the changes of a source, to the run that accepts them.
   * @param publicKey of the other of the two
   * @returns undefined where the key of the other is none
   */
  tag(publicKey: string, run: Source, to: Source, applied: number): Buffer | undefined {
    const secret = this.#secretWith(publicKey)
    if (secret === undefined) return undefined
    const text = `fridge/1 tally\n${run} ${to} ${applied}`
    return createHmac('sha256', secret).update(text).digest().subarray(0, TAG_BYTES)
  }

  #secretWith(publicKey: string): Buffer | undefined {
    const known = this.#secrets.get(publicKey)
    if (known !== undefined) return known
    try {
      const key = createPublicKey({
        key: { kty: 'OKP', crv: 'X25519', x: publicKey },
        format: 'jwk',
      })
      const shared = diffieHellman({ privateKey: this.#privateKey, publicKey: key })
      const secret = Buffer.from(hkdfSync('sha256', shared, '', 'fridge/1 tally', 32))
      keepNewest(this.#secrets, publicKey, secret, MAX_SECRETS)
      return secret
    } catch {
      // Of those 43 characters some are no point that has a secret.
      return undefined
    }
  }
}
