import type { Source } from '../identity/names.ts'
import { keepNewest } from '../lib/keep-newest.ts'
import type { Clock } from '../lib/clock.ts'
import {
  asTreeFrame,
  MAX_ANNOUNCEMENTS,
  type Announcement,
  type Update,
} from './document-frames.ts'
import type { Outgoing } from './outgoing.ts'
import { firstTree, type LinkMap } from './first-tree.ts'
import { Spread, type Tree } from './spread.ts'
import type { Spreading } from './spreading.ts'

/** What is needed of a link. */
interface TreeLink {
  /** Whether this end dialed. */
  readonly dialed?: boolean
  /** The run at the other end. */
  readonly peer?: Source | undefined
  readonly send: (frame: unknown) => void
}

/** Trees of which it is remembered that they have begun; one that was forgotten begins anew. */
const MAX_BEGUN = 16_384

export interface TreesOptions<L> {
  /** The source of this node: nobody else is asked for it. */
  readonly self: Source
  readonly clock: Clock
  readonly spreading: Spreading
  /** How far this node has come with a source. */
  readonly held: (source: Source) => number
  /** A peer has announced what is held here too. */
  readonly compare: (announced: Announcement, from: L) => void
}

/** What one end of a link knows when a frame comes. */
export interface TreeFrameState {
  readonly outgoing: Outgoing
  /** Whether the digest of the peer has come. */
  readonly digested: boolean
}

/** The trees of one document: says and hears what `Spread` decides (PROTOCOL.md, "One copy"). */
export class Trees<L extends TreeLink> {
  readonly #options: TreesOptions<L>
  readonly #spread: Spread<L>
  /** Trees that have begun, and are as arrivals have made them. */
  readonly #begun = new Map<Tree, true>()
  #leftAt = -Infinity
  #map: LinkMap | undefined
  #wanting: { readonly timer: Disposable; readonly at: number } | undefined

  constructor(options: TreesOptions<L>) {
    this.#options = options
    this.#spread = new Spread(options.spreading)
  }

  /** Begin trees from now on by what is known of the links between all nodes. */
  follow(map: LinkMap): void {
    this.#map = map
  }

  join(link: L): void {
    this.#spread.join(link)
  }

  /** Both ends of a link hold what the other held. */
  settle(link: L): void {
    if (link.dialed !== true) return
    const tree = this.#spread.settle(link)
    if (tree !== undefined) link.send({ lazy: tree })
  }

  /** When a link ended last, on the monotonic clock: its other end may have brought what comes no more. */
  get leftAt(): number {
    return this.#leftAt
  }

  leave(link: L): void {
    this.#leftAt = this.#options.clock.monotonic()
    for (const tree of this.#spread.leave(link, this.#leftAt)) {
      for (const other of this.#spread.links()) other.send({ eager: tree })
    }
    this.#wantSoon()
  }

  /** Whether a link is sent the updates of a source whole. */
  isEager(link: L, source: Source): boolean {
    this.#begin(this.#spread.treeOf(source))
    return this.#spread.isEager(link, source)
  }

  /** An update has come: has it come too often over this link? */
  note([, sequence, source]: Update, from: L, isLive: boolean): void {
    const { clock, held } = this.#options
    const isHeld = sequence <= held(source)
    const now = clock.monotonic()
    const tree = this.#spread.arrived(from, [source, sequence], { isHeld, isLive, now })
    if (tree !== undefined) from.send({ lazy: tree })
  }

  /** @returns undefined when it is another frame, or why it is refused, if it is */
  take(
    frame: object,
    from: L,
    { outgoing, digested }: TreeFrameState,
  ): { readonly refused?: string } | undefined {
    const read = asTreeFrame(frame, this.#options.spreading.isShared)
    if (read === undefined) return undefined
    if (typeof read === 'string') return { refused: read }
    if (!digested) return { refused: `a ${read.kind} came before the digest` }
    switch (read.kind) {
      case 'lazy':
        this.#spread.heardLazy(from, read.tree)
        break
      case 'eager':
        this.#spread.heardEager(from, read.tree)
        break
      case 'want':
        this.#spread.heardWant(from, read.sources)
        outgoing.answer(read.sources)
        break
      case 'have':
        for (const announced of read.announced) this.#hearOf(announced, from, outgoing)
        this.#wantSoon()
    }
    return {}
  }

  #begin(tree: Tree): void {
    const { self, spreading } = this.#options
    if (tree === true || this.#map === undefined || this.#begun.has(tree)) return
    keepNewest(this.#begun, tree, true, MAX_BEGUN)
    const { copies } = spreading
    const first = firstTree({ origin: tree, self, copies, map: this.#map })
    if (first === undefined) return
    this.#spread.begin(tree, ({ peer }) => ({
      brings: peer === undefined || !first.announcedBy.has(peer),
      isSent: peer === undefined || !first.announcedTo.has(peer),
    }))
  }

  #hearOf(announced: Announcement, from: L, outgoing: Outgoing): void {
    const { self, clock, held, compare } = this.#options
    const { source, sequence } = announced
    outgoing.hearsOf(source, sequence)
    if (sequence <= held(source)) compare(announced, from)
    // What claims to be from here is never asked for.
    else if (source !== self) {
      this.#spread.heardHave(from, [source, sequence], held(source), clock.monotonic())
    }
  }

  /** Ask for what was announced when it is due. */
  #wantSoon(): void {
    const { clock, held } = this.#options
    const { nextAt } = this.#spread
    if (nextAt !== undefined && this.#wanting !== undefined && this.#wanting.at <= nextAt) return
    this.#wanting?.timer[Symbol.dispose]()
    this.#wanting = undefined
    if (nextAt === undefined) return
    const timer = clock.after(Math.max(nextAt - clock.monotonic(), 0), () => {
      this.#wanting = undefined
      const wants = this.#spread.due(clock.monotonic(), held)
      for (const { link, sources } of wants) {
        for (let at = 0; at < sources.length; at += MAX_ANNOUNCEMENTS) {
          link.send({ want: sources.slice(at, at + MAX_ANNOUNCEMENTS) })
        }
      }
      this.#wantSoon()
    })
    this.#wanting = { timer, at: nextAt }
  }
}
