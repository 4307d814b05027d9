import { hash } from 'node:crypto'
import type { Signer } from '../identity/signers.ts'

/** Chains of which an end says at the start of a link that it holds them; of more the latest. */
export const MAX_HELD = 16_384

/** How much of a hash names a chain, in characters: 48 bits, of chains that an authority has signed. */
const MARK_LENGTH = 8

const MARK = /^[\w-]{8}$/

/** A hash is taken of each chain once. */
const marks = new WeakMap<Signer, string>()

/** What names a certificate with its intermediates: a renewed intermediate makes it another chain. */
export function markOf(signer: Signer): string {
  const known = marks.get(signer)
  if (known !== undefined) return known
  const mark = hash('sha256', signer.chain.join(' '), 'base64url').slice(0, MARK_LENGTH)
  marks.set(signer, mark)
  return mark
}

/**
 * Which certificates each end of a link holds, for all documents on it: so that each comes to a
 * node once, and not once on each link of each run.
 */
export class CertificateExchange {
  /** The chains that the peer holds, by their marks. */
  readonly #peerHolds = new Set<string>()
  #follows: (signer: Signer) => boolean = () => false
  #hasTold = false
  #hasHeard = false

  /** What the peer is told first, on whichever stream is the first. */
  tell(held: Iterable<Signer>): object[] {
    if (this.#hasTold) return []
    this.#hasTold = true
    const holds = Array.from(held, markOf).slice(-MAX_HELD)
    return holds.length > 0 ? [{ holds }] : []
  }

  /** The peer says what it holds. @returns why that is refused, if it is */
  hear(frame: object): string | undefined {
    const { holds, ...rest } = frame as Record<string, unknown>
    const isList = Array.isArray(holds) && holds.length <= MAX_HELD
    if (!isList || Object.keys(rest).length > 0) return 'what a peer holds is malformed'
    if (this.#hasHeard) return 'what a peer holds comes twice'
    this.#hasHeard = true
    for (const mark of holds as unknown[]) {
      if (typeof mark !== 'string' || !MARK.test(mark)) return 'what a peer holds is malformed'
      this.#peerHolds.add(mark)
    }
    return undefined
  }

  /** From now on it is asked whether the peer holds a certificate by what else it is known to hold. */
  infer(follows: (signer: Signer) => boolean): void {
    this.#follows = follows
  }

  /** A certificate has come from the peer. */
  came(signer: Signer): void {
    this.#peerHolds.add(markOf(signer))
  }

  /** Whether the peer lacks a certificate that it is about to need; it is sent it then. */
  lacks(signer: Signer): boolean {
    const mark = markOf(signer)
    if (this.#peerHolds.has(mark)) return false
    this.#peerHolds.add(mark)
    return !this.#follows(signer)
  }
}
