import { nodeOf, type Name, type Source } from '../identity/names.ts'
import type { Clock } from '../lib/clock.ts'
import type { LinkMap } from './first-tree.ts'
import { Reach } from './reach.ts'

export interface LivenessOptions {
  /** This run of this node. */
  readonly self: Source
  readonly clock: Pick<Clock, 'monotonic' | 'after'>
  /** How long a run counts as alive that cannot be reached any more, in milliseconds. */
  readonly suspicionMs: number
  /** The runs of a node that are known. */
  readonly runsOf: (name: Name) => readonly Source[]
  /** Runs that could not be reached for so long are dead from now on. */
  readonly onDead: () => void
}

/**
 * Which runs are alive: those that can be reached. One that cannot be reached any more is suspected
 * first, so that no single word ends a node: the link that a peer gives up may have been its last
 * one, by chance or malice, and it has time to find another. One that said that it leaves, or that
 * another run of its name has followed, is not suspected but gone.
 */
export class Liveness implements Disposable, LinkMap {
  readonly #options: LivenessOptions
  readonly #reach: Reach
  readonly #left = new Set<Source>()
  /** Until when each that is suspected counts as alive, on the monotonic clock, by its name. */
  readonly #suspected = new Map<Name, { readonly run: Source; readonly until: number }>()
  #timer: Disposable | undefined

  constructor(options: LivenessOptions) {
    this.#options = options
    this.#reach = new Reach(options.self)
  }

  /** A run says which links it has, and whether these are its last words. */
  hear(run: Source, links: readonly Source[], isLeaving: boolean): void {
    if (isLeaving) this.#left.add(run)
    // Nobody is linked to it any more, whatever its peers have said so far.
    const isGone = isLeaving && run !== this.#options.self
    this.#note(this.#reach.name(run, isGone ? [] : links))
  }

  /** A run is not known any more. */
  forget(run: Source): void {
    this.#note(this.#reach.forget(run))
    this.#left.delete(run)
    const name = nodeOf(run)
    if (this.#suspected.get(name)?.run === run) this.#suspected.delete(name)
  }

  isLive(run: Source): boolean {
    return this.#reach.reached.has(run) || this.#suspected.get(nodeOf(run))?.run === run
  }

  /** How many runs count as alive, this one included. */
  get count(): number {
    return this.#reach.reached.size + this.#suspected.size
  }

  /** The runs that count as alive, this one included. */
  *live(): Iterable<Source> {
    yield* this.#reach.reached
    for (const { run } of this.#suspected.values()) yield run
  }

  runOf(name: Name): Source | undefined {
    return this.#options.runsOf(name).find(run => this.#reach.reached.has(run))
  }

  neighboursOf(run: Source): Iterable<Source> {
    return this.#reach.neighbours(run)
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
  }

  /** @param lost those that cannot be reached from now on */
  #note(lost: readonly Source[]): void {
    const { clock, suspicionMs } = this.#options
    const until = clock.monotonic() + suspicionMs
    if (suspicionMs > 0) {
      for (const run of lost) {
        if (!this.#left.has(run)) this.#suspected.set(nodeOf(run), { run, until })
      }
    }
    if (this.#suspected.size === 0) return
    for (const name of this.#suspected.keys()) {
      if (this.runOf(name) !== undefined) this.#suspected.delete(name)
    }
    this.#wait()
  }

  #wait(): void {
    const [first] = this.#suspected.values()
    if (first === undefined || this.#timer !== undefined) return
    const { clock, onDead } = this.#options
    this.#timer = clock.after(Math.max(first.until - clock.monotonic(), 0), () => {
      this.#timer = undefined
      const now = clock.monotonic()
      for (const [name, { until }] of this.#suspected) {
        if (until <= now) this.#suspected.delete(name)
      }
      this.#wait()
      onDead()
    })
  }
}
