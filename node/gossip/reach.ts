import type { Source } from '../identity/names.ts'

const NOBODY: readonly Source[] = []

/** One of two searches that look for each other. */
interface Search {
  readonly seen: Set<Source>
  readonly open: Source[]
}

/**
 * Which runs can be reached from one of them over links that both of their ends name: a dead
 * node's last words name its links still. Kept as links come and go: where one goes, its ends and
 * this run look for each other, and meet after a few steps unless they were parted.
 */
export class Reach {
  readonly #self: Source
  /** The links that each run names: about a dozen, of which a set would take three times the memory. */
  readonly #named = new Map<Source, readonly Source[]>()
  #reached: Set<Source>
  #steps = 0

  /** @param self where all ways begin */
  constructor(self: Source) {
    this.#self = self
    this.#reached = new Set([self])
  }

  /** How many links were looked at so far: what it costs. */
  get steps(): number {
    return this.#steps
  }

  /** The runs that can be reached, the first one included. */
  get reached(): ReadonlySet<Source> {
    return this.#reached
  }

  /** A run names its links. @returns the runs that cannot be reached any more */
  name(run: Source, links: readonly Source[]): Source[] {
    const before = new Set(this.#linksOf(run))
    const after = new Set(links)
    this.#named.set(run, links)
    const lost: Source[] = []
    const gone = [...before].filter(
      other => !after.has(other) && this.#linksOf(other).includes(run),
    )
    if (gone.length > 0) for (const end of [run, ...gone]) lost.push(...this.#part(end))
    for (const other of after) {
      if (before.has(other) || !this.#linksOf(other).includes(run)) continue
      if (this.#reached.has(run)) this.#add(other)
      else if (this.#reached.has(other)) this.#add(run)
    }
    return lost.filter(one => !this.#reached.has(one))
  }

  /** A run is not known any more. @returns the runs that cannot be reached any more */
  forget(run: Source): Source[] {
    const lost = this.name(run, [])
    this.#named.delete(run)
    return lost
  }

  /** The runs that a run is linked to, as both say. */
  *neighbours(run: Source): Iterable<Source> {
    for (const other of this.#linksOf(run)) {
      this.#steps += 1
      if (this.#linksOf(other).includes(run)) yield other
    }
  }

  #linksOf(run: Source): readonly Source[] {
    return this.#named.get(run) ?? NOBODY
  }

  /** Add all that can be reached over a run. */
  #add(from: Source): void {
    const open = [from]
    for (let run = open.pop(); run !== undefined; run = open.pop()) {
      if (this.#reached.has(run)) continue
      this.#reached.add(run)
      open.push(...this.neighbours(run))
    }
  }

  /** Take out all that are joined to a run, unless it can be reached still. @returns those */
  #part(end: Source): Source[] {
    if (!this.#reached.has(end)) return []
    const away: Search = { seen: new Set([end]), open: [end] }
    const home: Search = { seen: new Set([this.#self]), open: [this.#self] }
    if (away.seen.has(this.#self)) return []
    for (;;) {
      const [search, other] = home.open.length < away.open.length ? [home, away] : [away, home]
      const run = search.open.shift()
      if (run === undefined) {
        const isWhole = search === home
        const lost = isWhole
          ? [...this.#reached].filter(one => !home.seen.has(one))
          : [...away.seen].filter(one => this.#reached.has(one))
        for (const one of lost) this.#reached.delete(one)
        return lost
      }
      for (const next of this.neighbours(run)) {
        if (other.seen.has(next)) return []
        if (search.seen.has(next)) continue
        search.seen.add(next)
        search.open.push(next)
      }
    }
  }
}
