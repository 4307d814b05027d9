import type { Clock } from '../lib/clock.ts'
import { momentOf, type Lookout } from '../lib/lookout.ts'
import { Contact, type Heard } from './contact.ts'

export interface IsolationOptions {
  readonly clock: Pick<Clock, 'now' | 'monotonic'>
  readonly lookout: Pick<Lookout, 'subscribe'>
  /** How long without a word from any peer makes a node isolated, in milliseconds. */
  readonly isolatedAfterMs: number
  /** How often peers say that they live, and after which silence they are dead, in milliseconds. */
  readonly times: { readonly heartbeatMs: number; readonly deadAfterMs: number }
  /** How much was heard of the peers in step. */
  readonly heard: () => Heard
  /** Whether the node knows peers at all: a node that is alone by design is never isolated. */
  readonly hasPeers: () => boolean
  /** It did not run for so long that its peers have given it up: what its links hold is old. */
  readonly onSlept: (sleptMs: number) => void
  readonly onChange: (isIsolated: boolean) => void
}

/**
 * Tells when the view of the list is stale: no peer in step has said anything for too long, asleep
 * or awake.
 */
export class Isolation implements Disposable {
  readonly #options: IsolationOptions
  readonly #contact: Contact
  readonly #subscription: Disposable
  #isIsolated = false

  constructor(options: IsolationOptions) {
    this.#options = options
    this.#contact = new Contact(momentOf(options.clock))
    this.#subscription = options.lookout.subscribe(() => this.look())
    this.look()
  }

  get isIsolated(): boolean {
    return this.#isIsolated
  }

  /** For how long no peer in step has been heard, in milliseconds; 0 while one says that it lives. */
  get aloneMs(): number {
    const { clock, heard, times } = this.#options
    const aloneMs = this.#contact.aloneMs(momentOf(clock))
    const [one] = heard()
    return one !== undefined && aloneMs < 2 * times.heartbeatMs ? 0 : aloneMs
  }

  /** Look now: also called when a peer has come into step, without a wait for the next look. */
  look(): void {
    const { clock, isolatedAfterMs, times, heard, hasPeers, onSlept, onChange } = this.#options
    const now = momentOf(clock)
    const sinceMs = this.#contact.look(now, heard())
    const hasOthers = hasPeers()
    if (!hasOthers) this.#contact.begin(now)
    const isIsolated = hasOthers && this.#contact.aloneMs(now) >= isolatedAfterMs
    const isChanged = isIsolated !== this.#isIsolated
    this.#isIsolated = isIsolated
    if (isChanged) onChange(isIsolated)
    // By now the other ends have closed: what waits in the sockets would pass for a sign of life.
    if (sinceMs >= Math.min(isolatedAfterMs, times.deadAfterMs)) onSlept(sinceMs)
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
  }
}
