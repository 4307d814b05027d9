import type { Clock } from '../lib/clock.ts'
import type { Source } from '../identity/names.ts'
import type { PeerClock } from './peer-clock.ts'
import { MAX_ANNOUNCEMENTS, type Update } from './document-frames.ts'

/** How many updates are handed to a link at a time while it catches up. */
const PAGE = 500

export interface OutgoingOptions {
  readonly clock: Clock
  /**
   * Whether an update may need others that were taken before it: then these go first, in the order
   * in which they were taken.
   */
  readonly isCausal: boolean
  /** How long announcements are gathered, in milliseconds. */
  readonly announceMs: () => number
  /** How long updates are gathered, of one source the newest, in milliseconds. */
  readonly relayMs: (update: Update) => number
  /** Whether the peer is sent an update whole. */
  readonly isEager: (update: Update) => boolean
  /** What the peer is known to hold: what it said, and what it was sent. */
  readonly peerClock: PeerClock
  /**
   * At most `limit` updates that the peer lacks, in causal order; where it is told, of these sources.
   * None where it lacks none.
   */
  readonly missing: (limit: number, only?: ReadonlySet<Source>) => Update[]
  /** What stands beside a sequence in an announcement of it. */
  readonly announcementOf: (source: Source, sequence: number) => unknown
  readonly send: (frame: unknown) => void
  /** Resolves at once, or when what was sent has left. */
  readonly drained: () => Promise<void>
  /** Whether the peer reads more slowly than it is sent to. */
  readonly isBehind: () => boolean
  /** What the peer lacks could not be read. */
  readonly onFailure: (error: unknown) => void
}

/** What a peer that holds nothing is sent first, instead of the older part of what it lacks. */
export interface Beginning {
  readonly frames: Iterable<object>
  /** How far the peer has heard each source when it has had them. */
  readonly heads: Iterable<readonly [Source, number]>
}

/** What goes to one peer of one document: each update once, whole or announced. */
export class Outgoing implements Disposable {
  readonly #options: OutgoingOptions
  /** What the peer was not sent, the newest of each source. */
  readonly #withheld = new Map<Source, number>()
  /** What the peer announced, and so may not know to be here as well. */
  readonly #announcedByPeer = new Map<Source, number>()
  readonly #unannounced = new Map<Source, number>()
  readonly #gathered = new Map<Source, Update>()
  readonly #timers = new Set<Disposable>()
  #isAnnouncing = false
  #isCatchingUp = false
  #hasEnded = false

  constructor(options: OutgoingOptions) {
    this.#options = options
  }

  /** The peer has announced how far it has come with a source. */
  hearsOf(source: Source, sequence: number): void {
    if (sequence <= this.#known(source)) return
    if (this.#options.isCausal) this.#announcedByPeer.set(source, sequence)
    this.hears(source, sequence)
  }

  /** The peer holds this, because it sent it or was sent it. */
  hears(source: Source, sequence: number): void {
    if (sequence <= this.#known(source)) return
    this.#options.peerClock.set(source, sequence)
    if ((this.#withheld.get(source) ?? 0) <= sequence) this.#withheld.delete(source)
    // Where nothing waits for it, what both have is not worth a word.
    const unannounced = this.#unannounced.get(source) ?? Infinity
    if (!this.#options.isCausal && unannounced <= sequence) this.#unannounced.delete(source)
  }

  /** Send an update, which is the next of what the peer lacks. */
  send(update: Update): void {
    // Not the other way round: what must go before it depends on what the peer holds without it.
    this.#options.send(update)
    this.hears(update[2], update[1])
  }

  /** There is something new: send it, or announce it. */
  offer(update: Update): void {
    const [, sequence, source] = update
    // Where the peer is being brought up to date, that includes it.
    if (this.#hasEnded || this.#isCatchingUp) return
    if (sequence <= this.#known(source)) {
      // Otherwise it would be sent, before something else, to a peer that has it.
      if ((this.#announcedByPeer.get(source) ?? 0) >= sequence) this.#say(source, sequence)
      return
    }
    if (!this.#options.isEager(update)) return this.#withhold(source, sequence)
    const relayMs = this.#options.relayMs(update)
    if (relayMs === 0) return this.#push(update)
    if (this.#gathered.size === 0) this.#after(relayMs, () => this.#flush())
    this.#gathered.set(source, update)
  }

  /**
   * Send updates that are not held here yet, in their order, unless something has to go before them:
   * what is not sent now is offered when they are held.
   * @returns whether any was sent
   */
  sendAhead(updates: readonly Update[]): boolean {
    const { isEager, isBehind } = this.#options
    if (this.#hasEnded || this.#isCatchingUp || this.#withheld.size > 0 || isBehind()) return false
    let isSent = false
    for (const update of updates) {
      if (update[1] <= this.#known(update[2])) continue
      if (!isEager(update)) break
      this.send(update)
      isSent = true
    }
    return isSent
  }

  /**
   * Send what the peer lacks, page by page, each when the one before has left.
   * @param only of these sources, where one update does not need others
   */
  async sendMissing(only?: ReadonlySet<Source>): Promise<void> {
    const { missing, drained, isBehind, isCausal } = this.#options
    if (this.#isCatchingUp) return
    if (only !== undefined && !isCausal) {
      for (const update of missing(Infinity, only)) this.send(update)
      return
    }
    this.#isCatchingUp = true
    try {
      if (isBehind()) await drained()
      while (!this.#hasEnded) {
        for (const update of missing(PAGE)) this.send(update)
        // Behind the last one nothing is waited for: what is offered meanwhile would have to wait.
        if (missing(1).length === 0) return
        await drained()
      }
    } finally {
      this.#isCatchingUp = false
    }
  }

  /** Send the rest of what the peer lacks. */
  sendRest(): void {
    for (;;) {
      const updates = this.#options.missing(Infinity)
      if (updates.length === 0) return
      for (const update of updates) this.send(update)
    }
  }

  /** Send a peer what its list begins with, and then what else it lacks. */
  async sendFrom({ frames, heads }: Beginning): Promise<void> {
    const { send, drained } = this.#options
    this.#isCatchingUp = true
    try {
      for (const frame of frames) {
        send(frame)
        await drained()
        if (this.#hasEnded) return
      }
      for (const [source, sequence] of heads) this.hears(source, sequence)
    } finally {
      this.#isCatchingUp = false
    }
    await this.sendMissing()
  }

  /** The peer asks for sources. */
  answer(sources: ReadonlySet<Source>): void {
    if (!sources.values().some(source => this.#withheld.has(source))) return
    this.sendMissing(sources).catch((error: unknown) => this.#options.onFailure(error))
  }

  [Symbol.dispose](): void {
    this.#hasEnded = true
    for (const timer of this.#timers) timer[Symbol.dispose]()
    this.#timers.clear()
  }

  #known(source: Source): number {
    return this.#options.peerClock.get(source)
  }

  #push(update: Update): void {
    const { isCausal, isBehind } = this.#options
    // What it may have seen goes first, or the peer would have to take it for a lie. And what a
    // newcomer is brought faster than it can pass on must not pile up for the next one.
    if (isCausal && (this.#withheld.size > 0 || isBehind())) {
      this.sendMissing().catch((error: unknown) => this.#options.onFailure(error))
    } else this.send(update)
  }

  #withhold(source: Source, sequence: number): void {
    this.#withheld.set(source, sequence)
    this.#say(source, sequence)
  }

  #say(source: Source, sequence: number): void {
    this.#unannounced.set(source, sequence)
    if (this.#isAnnouncing) return
    this.#isAnnouncing = true
    this.#after(this.#options.announceMs(), () => {
      this.#isAnnouncing = false
      this.#announce()
    })
  }

  #announce(): void {
    const { announcementOf, send } = this.#options
    if (this.#unannounced.size === 0) return
    const news = Array.from(this.#unannounced, ([source, sequence]) => [
      source,
      announcementOf(source, sequence),
    ])
    this.#unannounced.clear()
    for (let at = 0; at < news.length; at += MAX_ANNOUNCEMENTS) {
      send({ have: Object.fromEntries(news.slice(at, at + MAX_ANNOUNCEMENTS)) as object })
    }
  }

  #flush(): void {
    const gathered = [...this.#gathered.values()]
    this.#gathered.clear()
    for (const update of gathered) {
      const [, sequence, source] = update
      if (sequence <= this.#known(source)) continue
      if (this.#options.isEager(update)) this.#push(update)
      else this.#withhold(source, sequence)
    }
  }

  #after(ms: number, task: () => void): void {
    const timer = this.#options.clock.after(ms, () => {
      this.#timers.delete(timer)
      task()
    })
    this.#timers.add(timer)
  }
}
