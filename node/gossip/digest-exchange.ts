import type { Source } from '../identity/names.ts'
import { pagesOf, type Digest } from './document-frames.ts'
import { readMask, type DigestBuckets, type SameBuckets } from './digest-buckets.ts'
import type { PeerClock } from './peer-clock.ts'

/** Up to so many sources an end says at once how far it has heard each: that is shorter than to ask. */
const SAID_AT_ONCE = 16

export interface DigestExchangeOptions {
  /** The source of this node. */
  readonly id: Source
  /** How far this node has come with each source. */
  readonly held: (source: Source) => number
  readonly sources: () => Iterable<Source>
  /** The same, summed up; undefined in a document of which the digest is always said whole. */
  readonly buckets: DigestBuckets | undefined
  /** The sources of both ends, which are named in any case: a newcomer has news of itself alone. */
  readonly aside: readonly Source[]
  readonly peerClock: PeerClock
  readonly send: (frame: object) => void
}

/**
 * Says how far this node has heard each source, of as few as will do: first what all of them sum up
 * to by buckets, and then those that lie in buckets which differ at the peer, or that the peer holds
 * (PROTOCOL.md, "Buckets").
 */
export class DigestExchange {
  readonly #options: DigestExchangeOptions
  #sums: string | undefined
  #hasSaid = false
  #hasHeard = false

  constructor(options: DigestExchangeOptions) {
    this.#options = options
  }

  /** Say what an end says first. */
  begin(): void {
    const { buckets, peerClock, send, sources } = this.#options
    if (buckets === undefined || buckets.size <= SAID_AT_ONCE) return this.#say(sources())
    this.#sums = buckets.sums(this.#aside())
    peerClock.watch()
    return send({ buckets: this.#sums })
  }

  /** The peer says its buckets. @returns why that is refused, if it is */
  hearBuckets(frame: object, isDigested: boolean): string | undefined {
    const { buckets } = this.#options
    const { buckets: sums, ...rest } = frame as Record<string, unknown>
    const same = Object.keys(rest).length > 0 ? undefined : buckets?.compare(sums, this.#aside())
    if (buckets === undefined || same === undefined) return 'buckets are malformed'
    if (this.#hasHeard || isDigested) return 'buckets come out of place'
    this.#hasHeard = true
    if (!this.#hasSaid) this.#say([...buckets.apart(same), ...this.#options.aside], same)
    return undefined
  }

  /**
   * The digest of the peer has come: what it is told of this node's is then what it holds itself.
   * @returns the sources of which it names all that it holds, where these are not all, or why it is refused
   */
  hear({ same }: Digest): { readonly apart?: Iterable<Source> } | string {
    if (!this.#hasSaid) this.#say(this.#options.peerClock.said())
    if (same === undefined) return {}
    const read = this.#sums === undefined ? undefined : readMask(same, this.#sums)
    const apart = read && this.#options.buckets?.apart(read)
    if (apart === undefined) return 'a digest compares what was not said'
    return { apart: [...apart, ...this.#options.aside] }
  }

  #aside(): (readonly [Source, number])[] {
    const { aside, held } = this.#options
    return aside.map(source => [source, held(source)])
  }

  #say(sources: Iterable<Source>, same?: SameBuckets): void {
    const { id, held, send } = this.#options
    this.#hasSaid = true
    const clock = new Map<Source, number>()
    for (const source of sources) if (held(source) > 0) clock.set(source, held(source))
    for (const page of pagesOf({ id, clock, ...(same && { same: same.mask }) })) send(page)
  }
}
