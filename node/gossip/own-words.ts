import type { Clock } from '../lib/clock.ts'
import { keepNewest } from '../lib/keep-newest.ts'
import { nodeOf, type Name, type Source } from '../identity/names.ts'
import type { DocumentStream } from './document-stream.ts'
import type { Update } from './document.ts'

/** How often a node is heard about itself at once, before the rate. */
const BURST = 20

/** How often it is heard in the long run, a second. */
const PER_SECOND = 4

/** Parts of runs of one node of which a link may have something waiting: eight runs have 24. */
const MAX_PARTS = 24

/** Nodes whose pace is remembered at once, but for those of which something waits. */
const MAX_PACES = 4_096

export interface OwnWordsOptions {
  readonly clock: Clock
  /** Check an update, keep it and pass it on. */
  readonly take: (update: Update, from: DocumentStream) => void
}

interface Pace {
  tokens: number
  at: number
  timer: Disposable | undefined
}

/**
 * How often each node is heard about itself. One that says something new without end would be
 * passed on by all others, each at the speed of its lines; so beyond a pace only its newest words
 * count, and what they replace is never checked.
 */
export class OwnWords implements Disposable {
  readonly #options: OwnWordsOptions
  readonly #paces = new Map<Name, Pace>()
  /** What waits, by the link that brought it: no link can put its own in the place of another's. */
  readonly #waiting = new Map<DocumentStream, Map<Source, Update>>()

  constructor(options: OwnWordsOptions) {
    this.#options = options
  }

  /** Take an update now, or later if it is then still the newest of its run. */
  hear(update: Update, from: DocumentStream): void {
    const [, sequence, source] = update
    const name = nodeOf(source)
    const pace = this.#paceOf(name)
    if (pace.timer === undefined && pace.tokens >= 1) {
      pace.tokens -= 1
      return this.#options.take(update, from)
    }
    const waiting = this.#waiting.get(from) ?? new Map<Source, Update>()
    this.#waiting.set(from, waiting)
    const other = waiting.get(source)
    if (other === undefined || other[1] < sequence) keepNewest(waiting, source, update, MAX_PARTS)
    pace.timer ??= this.#options.clock.after(1_000 / PER_SECOND, () => this.#takeNewest(name, pace))
  }

  /** A link has ended: what it brought is not taken any more. */
  forget(from: DocumentStream): void {
    const dropped = this.#waiting.get(from) ?? new Map<Source, Update>()
    this.#waiting.delete(from)
    for (const source of dropped.keys()) this.#stopUnlessAwaited(nodeOf(source))
  }

  [Symbol.dispose](): void {
    for (const { timer } of this.#paces.values()) timer?.[Symbol.dispose]()
    this.#waiting.clear()
  }

  /** A timer is not kept for what no link waits for. The pace of the node goes on. */
  #stopUnlessAwaited(name: Name): void {
    const pace = this.#paces.get(name)
    if (pace?.timer === undefined) return
    for (const waiting of this.#waiting.values()) {
      if (waiting.keys().some(source => nodeOf(source) === name)) return
    }
    pace.timer[Symbol.dispose]()
    pace.timer = undefined
  }

  /** Of each link and run the newest: most links brought the same, which is checked once. */
  #takeNewest(name: Name, pace: Pace): void {
    pace.timer = undefined
    for (const [from, waiting] of this.#waiting) {
      for (const [source, update] of waiting) {
        if (nodeOf(source) !== name) continue
        waiting.delete(source)
        this.#options.take(update, from)
      }
      if (waiting.size === 0) this.#waiting.delete(from)
    }
    pace.tokens = 0
    pace.at = this.#options.clock.monotonic()
  }

  #paceOf(name: Name): Pace {
    const now = this.#options.clock.monotonic()
    const pace = this.#paces.get(name) ?? { tokens: BURST, at: now, timer: undefined }
    pace.tokens = Math.min(BURST, pace.tokens + ((now - pace.at) / 1_000) * PER_SECOND)
    pace.at = now
    this.#paces.set(name, pace)
    if (this.#paces.size > MAX_PACES) {
      for (const [other, { timer }] of this.#paces)
        if (timer === undefined) this.#paces.delete(other)
    }
    return pace
  }
}
