import { keepNewest } from '../lib/keep-newest.ts'
import { nodeOf, type Name, type Source } from '../identity/names.ts'

/** Updates of which it is remembered which links brought them. */
const MAX_ARRIVALS = 1_024

/** Sources that one link may have announced more of than is held. */
const MAX_ANNOUNCED = 4_096

/** Trees of which one link may have asked for news alone. */
const MAX_LAZY = 4_096

/** How long what was announced may take to come by itself before it is asked for, at most, in milliseconds. */
const MOST_WAIT_MS = 250

/** How long an update that has come may take to be checked and stored before it is asked for all the same, in milliseconds. */
const CHECK_MS = 50

/** Share of the newest measurement in how far announcements are ahead of what they announce. */
const SMOOTHING = 0.2

/** A tree: of one node, whose updates take their own ways, or `true` for the one that all share. */
export type Tree = Name | true

export interface SpreadOptions {
  /**
   * Whether all sources share one tree, over which updates go both ways. Otherwise each node has
   * its own, of the links that bring its updates first.
   */
  readonly isShared: boolean
  /** How many copies of an update are welcome; a link that brings one more is asked to announce. */
  readonly copies: number
  /**
   * How long what was announced may take to come by itself before it is asked for, at least, in
   * milliseconds. Less costs copies where links differ by more than that.
   */
  readonly leastWaitMs: number
  /**
   * Moments at which something is asked for are this far apart, in milliseconds. More gathers what
   * was announced of many sources in one question, and delays it.
   */
  readonly stepMs: number
  /** How many links are asked for the same at once. Each that answers in vain costs a copy. */
  readonly askAtOnce: number
  /** How long links that were asked may take to answer before others are asked, in milliseconds. */
  readonly askNextMs: number
}

/** That a link is asked for what it has announced of sources. */
export interface Want<L> {
  readonly link: L
  readonly sources: readonly Source[]
}

interface State {
  /** Trees of which the peer wants announcements. */
  readonly lazyOut: Map<Tree, true>
  /** Trees of which the peer only announces: it was asked to, or is taken to know that by itself. */
  readonly lazyIn: Map<Tree, 'asked' | 'agreed'>
  /** What the peer has announced and is not held here. */
  readonly announced: Map<Source, number>
  /** When the peer was asked for what it had announced; it has not sent that since. */
  readonly asked: Map<Source, number>
}

interface Wait {
  readonly since: number
  dueAt: number
  /** Whether every link that has announced it was asked. */
  isSpent: boolean
}

/**
 * Which links carry an update whole and which only announce it: a tree that grows out of the first
 * arrivals (Plumtree: Leitão, Pereira, Rodrigues, 2007). Every link starts eager. One that brings
 * what has come often enough is asked to announce; what was announced and does not come is asked
 * for, and that link is eager again. The digest at the start of a link stays the truth that
 * repairs: a peer that does not keep to this delays, and hides nothing.
 *
 * A function of its inputs: times are handed in, and what is to be said is handed back.
 */
export class Spread<L> {
  readonly #options: SpreadOptions
  readonly #links = new Map<L, State>()
  /** Which links have brought an update, by its place, in their order. */
  readonly #arrivals = new Map<string, L[]>()
  /** Since when it is known that more of a source is held elsewhere, and when it is asked for. */
  readonly #waits = new Map<Source, Wait>()
  #nextAt: number | undefined
  /** How far announcements are ahead of what they announce, in milliseconds. */
  #aheadMs = 0

  constructor(options: SpreadOptions) {
    this.#options = options
  }

  join(link: L): void {
    this.#links.set(link, {
      lazyOut: new Map(),
      lazyIn: new Map(),
      announced: new Map(),
      asked: new Map(),
    })
  }

  /**
   * A link has ended: what was waited for is asked for at once where else it was announced.
   * @returns the trees that no link brings any more, which all others are asked to bring again
   */
  leave(link: L, now: number): Tree[] {
    this.#links.delete(link)
    const states = [...this.#links.values()]
    for (const [source, wait] of this.#waits) {
      if (states.some(({ announced }) => announced.has(source))) wait.dueAt = now
      else this.#waits.delete(source)
    }
    this.#nextAt = this.#waits.size > 0 ? now : undefined
    const [first, ...others] = states
    const orphaned = [...(first?.lazyIn.keys() ?? [])].filter(tree =>
      others.every(({ lazyIn }) => lazyIn.has(tree)),
    )
    for (const state of states) {
      for (const tree of orphaned) this.#makeEager(state, tree)
    }
    return orphaned
  }

  /**
   * The ends of a link are in step: is it to announce, where another one brings all? The end that
   * dialed asks, so that the first link of a node is not the one that is to announce.
   * @returns the tree for which to ask the peer to announce, if any
   */
  settle(link: L): Tree | undefined {
    const state = this.#links.get(link)
    return state !== undefined && this.#options.isShared ? this.#prune(state, true) : undefined
  }

  /**
   * Begin a tree of which nothing has come yet with the links that both ends of each know to be part
   * of it.
   * @param isPart which links are to bring it whole, and which are to be sent it whole
   */
  begin(
    tree: Tree,
    isPart: (link: L) => { readonly brings: boolean; readonly isSent: boolean },
  ): void {
    for (const [link, { lazyIn, lazyOut }] of this.#links) {
      const { brings, isSent } = isPart(link)
      if (!brings && !lazyIn.has(tree)) keepNewest(lazyIn, tree, 'agreed', MAX_LAZY)
      if (!isSent) keepNewest(lazyOut, tree, true, MAX_LAZY)
    }
  }

  /** The links that there are. */
  links(): Iterable<L> {
    return this.#links.keys()
  }

  treeOf(source: Source): Tree {
    return this.#options.isShared ? true : nodeOf(source)
  }

  /** Whether a link is sent the updates of a source whole. */
  isEager(link: L, source: Source): boolean {
    return this.#links.get(link)?.lazyOut.has(this.treeOf(source)) === false
  }

  /**
   * A link has brought an update. @returns the tree for which to ask the peer to announce, if any
   * @param isHeld whether the update was here before this copy
   * @param isLive whether it came as news, not in the exchange at the start of the link
   */
  arrived(
    link: L,
    [source, sequence]: readonly [Source, number],
    { isHeld, isLive, now }: { isHeld: boolean; isLive: boolean; now: number },
  ): Tree | undefined {
    const state = this.#links.get(link)
    if (state === undefined) return undefined
    // What is old, or less than was announced, is no answer: else the peer would be asked for ever.
    if (sequence >= (state.announced.get(source) ?? 0)) state.asked.delete(source)
    const place = `${source} ${sequence}`
    const known = this.#arrivals.get(place)
    const arrivals = known ?? []
    if (arrivals.includes(link)) return undefined
    if (known === undefined) keepNewest(this.#arrivals, place, arrivals, MAX_ARRIVALS)
    const { copies } = this.#options
    const isTooMany = arrivals.length >= copies || (isHeld && known === undefined)
    if (arrivals.length < copies) arrivals.push(link)
    const wait = this.#waits.get(source)
    if (wait !== undefined) {
      this.#measure(now - wait.since)
      // It is not held before its signatures are checked and it is stored.
      if (!isHeld) wait.dueAt = Math.max(wait.dueAt, now + CHECK_MS)
    }
    if (!isTooMany || !isLive) return undefined
    return this.#prune(state, this.treeOf(source))
  }

  /** The peer wants announcements of a tree from now on. */
  heardLazy(link: L, tree: Tree): void {
    const state = this.#links.get(link)
    if (state === undefined) return
    keepNewest(state.lazyOut, tree, true, MAX_LAZY)
    if (this.#options.isShared) state.lazyIn.set(tree, 'asked')
  }

  /** The peer wants sources whole again. */
  heardWant(link: L, sources: Iterable<Source>): void {
    for (const source of sources) this.heardEager(link, this.treeOf(source))
  }

  /** The peer wants the updates of a tree whole again. */
  heardEager(link: L, tree: Tree): void {
    const state = this.#links.get(link)
    state?.lazyOut.delete(tree)
    if (this.#options.isShared) state?.lazyIn.delete(tree)
  }

  /** The peer has announced how far it has come with a source. @param held how far this end has */
  heardHave(
    link: L,
    [source, sequence]: readonly [Source, number],
    held: number,
    now: number,
  ): void {
    const state = this.#links.get(link)
    if (state === undefined || sequence <= held) return
    const most = Math.max(sequence, state.announced.get(source) ?? 0)
    keepNewest(state.announced, source, most, MAX_ANNOUNCED)
    const wait = this.#waits.get(source)
    if (wait?.isSpent === false) return
    const { stepMs } = this.#options
    const dueAt = Math.ceil((now + this.#waitMs()) / stepMs) * stepMs
    this.#waits.set(source, { since: wait?.since ?? now, dueAt, isSpent: false })
    this.#nextAt = Math.min(this.#nextAt ?? dueAt, dueAt)
  }

  /** When `due` has something to say next; undefined when nothing is waited for. */
  get nextAt(): number | undefined {
    return this.#nextAt
  }

  /**
   * Whom to ask for what was announced and has not come. The links that are asked are eager again.
   * @param held how far this end has come with a source
   */
  due(now: number, held: (source: Source) => number): Want<L>[] {
    const wants = new Map<L, Source[]>()
    for (const [source, wait] of this.#waits) {
      if (wait.dueAt > now) continue
      const links = this.#chooseSome(source, held(source), now)
      if (links.length === 0) {
        // Those that were asked may answer yet, and what they did not is asked of nobody twice.
        this.#spend(source, wait, now)
        continue
      }
      wait.dueAt = now + this.#options.askNextMs
      for (const link of links) {
        const sources = wants.get(link) ?? []
        wants.set(link, sources)
        sources.push(source)
      }
    }
    this.#nextAt = undefined
    for (const { dueAt } of this.#waits.values()) {
      this.#nextAt = Math.min(this.#nextAt ?? dueAt, dueAt)
    }
    return Array.from(wants, ([link, sources]) => ({ link, sources }))
  }

  /**
   * There is nobody left to ask. How late it comes is measured all the same, or nodes that answer
   * late would be asked for every update.
   */
  #spend(source: Source, wait: Wait, now: number): void {
    const until = wait.since + MOST_WAIT_MS
    const isAwaited = this.#links.values().some(({ announced }) => announced.has(source))
    if (!isAwaited || until <= now) this.#waits.delete(source)
    else Object.assign(wait, { dueAt: until, isSpent: true })
  }

  /** As many links as are asked at once: the question and the answer of one may both be lost. */
  #chooseSome(source: Source, held: number, now: number): L[] {
    const chosen: L[] = []
    while (chosen.length < this.#options.askAtOnce) {
      const link = this.#choose(source, held, now)
      if (link === undefined) break
      chosen.push(link)
    }
    return chosen
  }

  /** The link that announced the most of a source, and more than is held, and owes no answer about it. */
  #choose(source: Source, held: number, now: number): L | undefined {
    let chosen: L | undefined
    let most = held
    for (const [link, { announced, asked }] of this.#links) {
      const sequence = announced.get(source) ?? 0
      if (sequence <= held) announced.delete(source)
      else if (sequence > most && !asked.has(source)) {
        chosen = link
        most = sequence
      }
    }
    const state = chosen === undefined ? undefined : this.#links.get(chosen)
    if (state === undefined) return undefined
    keepNewest(state.asked, source, now, MAX_ANNOUNCED)
    this.#makeEager(state, this.treeOf(source))
    return chosen
  }

  #makeEager({ lazyIn, lazyOut }: State, tree: Tree): void {
    lazyIn.delete(tree)
    if (this.#options.isShared) lazyOut.delete(tree)
  }

  /** Never the last links that bring a tree: what they bring, however late, is all that comes. */
  #prune(state: State, tree: Tree): Tree | undefined {
    const before = state.lazyIn.get(tree)
    if (before === 'asked') return undefined
    let eager = 0
    for (const { lazyIn } of this.#links.values()) if (!lazyIn.has(tree)) eager += 1
    if (before === undefined && eager <= this.#options.copies) return undefined
    keepNewest(state.lazyIn, tree, 'asked', MAX_LAZY)
    if (this.#options.isShared) state.lazyOut.set(tree, true)
    return tree
  }

  #measure(aheadMs: number): void {
    this.#aheadMs += SMOOTHING * (aheadMs - this.#aheadMs)
  }

  #waitMs(): number {
    return Math.min(Math.max(4 * this.#aheadMs, this.#options.leastWaitMs), MOST_WAIT_MS)
  }
}
