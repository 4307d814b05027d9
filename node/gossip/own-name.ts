import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Name } from '../identity/names.ts'
import type { LinkTimes } from './link.ts'

export interface OwnNameOptions {
  readonly times: LinkTimes
  readonly clock: Pick<Clock, 'monotonic'>
  readonly log: Log
}

/** A peer that turns this node away because another runs under its name. */
interface Refusal {
  readonly firstAt: number
  readonly text: string
}

/**
 * Whether another machine runs under the name of this node. A node that has lost its power is told
 * so as well, for as long as its peers have not found its last run dead.
 */
export class OwnName {
  readonly #options: OwnNameOptions
  readonly #refusals = new Map<Name, Refusal>()
  #inUse: string | undefined
  #isSaid = false

  constructor(options: OwnNameOptions) {
    this.#options = options
  }

  /** What a peer has said of the other machine; undefined while there is none. */
  get inUse(): string | undefined {
    return this.#inUse
  }

  /** Whether a peer has turned this node away, and has not taken it in since. */
  isRefusedBy(peer: Name): boolean {
    return this.#refusals.has(peer)
  }

  /** A peer turns this node away. */
  refused(by: Name, text: string): void {
    const { times, clock } = this.#options
    const now = clock.monotonic()
    const { firstAt } = this.#refusals.get(by) ?? { firstAt: now }
    this.#refusals.set(by, { firstAt, text })
    if (now - firstAt > 2 * times.deadAfterMs) this.#note(text)
  }

  /** The other machine itself was met. */
  met(text: string): void {
    this.#note(text)
  }

  /** A peer has taken this node in. */
  accepted(by: Name): void {
    this.#refusals.delete(by)
    if (this.#refusals.size > 0) return
    this.#inUse = undefined
    this.#isSaid = false
  }

  #note(text: string): void {
    this.#inUse = text
    if (this.#isSaid) return
    this.#isSaid = true
    this.#options.log.error(
      {
        detail: text,
        fix: 'stop one, and give it a name of its own: fridge certs issue node NAME',
      },
      'another node runs under the name of this one: give each its own',
    )
  }
}
