import type { Random } from '../../node/lib/clock.ts'
import { seededRandom } from '../../node/sensors/drivers/seeded-random.ts'
import { RETRANSMIT_MS } from '../simulation/simulated-wire.ts'

/** One way of a link. */
interface Way {
  /** How long a byte is under way, ms. */
  readonly delayMs: number
  /** How much later than others its next packet comes, because it is lost at first, ms. */
  lateMs: number
  /** When what was sent last arrives, ms. */
  arrivesAt: number
}

/** The ways of the links that are open, by the nodes at both ends; some packets are lost, and sent again as by TCP. */
export class Ways<N> {
  readonly #ways = new Map<N, Map<N, Way>>()
  readonly #random: Random
  #loss = 0

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  /** Open both ways of a link. */
  open(one: N, other: N, delayMs: number): void {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      const ways = this.#ways.get(from) ?? new Map<N, Way>()
      const way = { delayMs, lateMs: 0, arrivesAt: 0 }
      this.#draw(way)
      this.#ways.set(from, ways.set(to, way))
    }
  }

  close(one: N, other: N): void {
    this.#ways.get(one)?.delete(other)
    this.#ways.get(other)?.delete(one)
  }

  /** Lose this share of packets from now on. */
  lose(share: number): void {
    this.#loss = share
    for (const ways of this.#ways.values()) for (const way of ways.values()) this.#draw(way)
  }

  /** @returns how long what is sent now is under way, ms: what is behind a lost packet waits for it */
  send(from: N, to: N, now: number): number {
    const way = this.#ways.get(from)?.get(to)
    // What is sent over a link that has ended arrives nowhere.
    if (way === undefined) return 0
    way.arrivesAt = Math.max(way.arrivesAt, now + way.delayMs + way.lateMs)
    this.#draw(way)
    return way.arrivesAt - now
  }

  /**
   * When a flood of a change would be at each node: by the fastest ways there are, with the packets
   * that are about to be lost, ms.
   * @param sends whether a node sends it on
   */
  flood(first: N, sends: (node: N) => boolean): ReadonlyMap<N, number> {
    const atMs = new Map([[first, 0]])
    // A map is gone through in the order in which nodes are added: one that is reached sooner is again.
    for (const [node, sentMs] of atMs) {
      if (!sends(node)) continue
      for (const [peer, { delayMs, lateMs }] of this.#ways.get(node) ?? []) {
        const comesMs = sentMs + Math.ceil(delayMs + lateMs)
        if (comesMs >= (atMs.get(peer) ?? Infinity)) continue
        atMs.delete(peer)
        atMs.set(peer, comesMs)
      }
    }
    return atMs
  }

  #draw(way: Way): void {
    way.lateMs = 0
    for (let again = RETRANSMIT_MS; this.#random() < this.#loss; again *= 2) way.lateMs += again
  }
}
