import type { Clock } from '../lib/clock.ts'

export interface IsolationOptions {
  readonly clock: Clock
  /** How long without any peer makes a node isolated, in milliseconds. */
  readonly isolatedAfterMs: number
  /** How long the node has been without any peer, in milliseconds; 0 while it has one. */
  readonly aloneMs: () => number
  /** Whether the node knows peers at all: a node that is alone by design is never isolated. */
  readonly hasPeers: () => boolean
  readonly onChange: (isIsolated: boolean) => void
}

/** How late isolation may be noticed, in milliseconds. */
const LOOK_MS = 250

/** Tells when the view of the list is stale because no peer has been heard for too long. */
export class Isolation implements Disposable {
  readonly #options: IsolationOptions
  #isIsolated = false
  #timer: Disposable | undefined

  constructor(options: IsolationOptions) {
    this.#options = options
    this.look()
  }

  get isIsolated(): boolean {
    return this.#isIsolated
  }

  /** Look now: also called when a peer has been heard again, without a wait for the timer. */
  look(): void {
    const { clock, isolatedAfterMs, aloneMs, hasPeers, onChange } = this.#options
    this.#timer?.[Symbol.dispose]()
    this.#timer = clock.after(LOOK_MS, () => this.look())
    const isIsolated = hasPeers() && aloneMs() >= isolatedAfterMs
    if (isIsolated === this.#isIsolated) return
    this.#isIsolated = isIsolated
    onChange(isIsolated)
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
  }
}
