import { isRun, type Source } from '../identity/names.ts'
import type { Entry } from '../whitelist/entry.ts'
import { headsFrames, parseHeads } from '../whitelist/heads.ts'
import type { ChangeStore } from '../whitelist/store.ts'
import type { Whitelist } from '../whitelist/whitelist.ts'
import type { Announcement } from './document-frames.ts'
import type { DocumentStream } from './document-stream.ts'
import { asUpdate } from './update.ts'

/** How much of the hash of an entry stands in an announcement, in characters: 132 bits. */
const ANNOUNCED_HASH = 22

/** Entries of its own that a node shows on one link to a peer that announces others. */
const MAX_SHOWN = 8

export interface HeadComparisonOptions {
  readonly list: () => Pick<Whitelist, 'forkOf' | 'headHash' | 'heads' | 'heard'>
  readonly store: Pick<ChangeStore, 'ofSource'>
  /** Whether a source is one of this node. */
  readonly isOwn: (source: Source) => boolean
  /** A peer holds a source of this node up to here as this node does. */
  readonly onSpread: (source: Source, sequence: number) => void
  /**
   * A peer holds another entry at a place of this node.
   * @returns whether this node gives up its own
   */
  readonly onOther: (own: Entry) => boolean
  /** A peer holds another entry at a place of another node: what it sends next may have seen that. */
  readonly onFork: (from: DocumentStream) => void
}

/**
 * Equal clocks are not yet equal lists: two ends compare the hash of the newest entry of each source
 * when they meet, and of each entry that one announces. So a node that shows one entry here and
 * another there is found out also where neither is sent on.
 */
export class HeadComparison {
  readonly #options: HeadComparisonOptions
  /** The sources whose heads each peer has told. */
  readonly #compared = new WeakMap<DocumentStream, Set<Source>>()
  /** How many entries a peer was shown because it had announced others. */
  readonly #shown = new WeakMap<DocumentStream, number>()

  constructor(options: HeadComparisonOptions) {
    this.#options = options
  }

  openings(): Iterable<object> {
    return headsFrames(this.#options.list())
  }

  /** Take a page of the heads of a peer. @returns why it is refused, if it is */
  take(frame: object, from: DocumentStream): { readonly refused?: string } {
    const list = this.#options.list()
    const heads = parseHeads(frame)
    if (heads === undefined) return { refused: 'the heads are malformed' }
    const compared = this.#compared.get(from) ?? new Set()
    this.#compared.set(from, compared)
    for (const [source, { sequence, hash }] of heads) {
      // Of what is not held here there may be any number.
      if (list.heard(source) === 0) continue
      // Each may cost a look into the log, and an answer.
      if (compared.has(source)) return { refused: 'the heads come twice' }
      compared.add(source)
      if (list.forkOf(source) <= sequence || list.heard(source) < sequence) continue
      if (list.heard(source) === sequence && list.headHash(source) === hash) {
        this.#spread(source, sequence)
      } else this.#meet({ source, sequence, hash }, from)
    }
    return {}
  }

  /** What stands in an announcement of an entry. */
  announcementOf(source: Source, sequence: number): unknown {
    const list = this.#options.list()
    if (!isRun(source) || list.heard(source) !== sequence) return sequence
    return [sequence, list.headHash(source).slice(0, ANNOUNCED_HASH)]
  }

  /** A peer announces an entry at a place that is held here. */
  compare({ source, sequence, hash }: Announcement, from: DocumentStream): void {
    const list = this.#options.list()
    if (hash === undefined || list.forkOf(source) <= sequence) return
    if (list.heard(source) !== sequence) return
    if (list.headHash(source).startsWith(hash)) return this.#spread(source, sequence)
    const shown = this.#shown.get(from) ?? 0
    if (shown >= MAX_SHOWN) return
    this.#shown.set(from, shown + 1)
    this.#meet({ source, sequence, hash }, from)
  }

  #spread(source: Source, sequence: number): void {
    if (this.#options.isOwn(source)) this.#options.onSpread(source, sequence)
  }

  /** A peer holds something at a place that is not the newest here, or another entry. */
  #meet({ source, sequence, hash = '' }: Announcement, from: DocumentStream): void {
    const [own] = this.#options.store.ofSource(source, sequence)
    if (own?.change.sequence !== sequence) return
    if (own.hash.startsWith(hash)) this.#spread(source, sequence)
    // What nobody has heard is told nobody: it would prove that this node lied.
    else if (this.#options.isOwn(source) && this.#options.onOther(own)) return
    // With ours the peer has the proof that the node of the source lied, and what others that it is
    // sent may have seen.
    else {
      from.send(asUpdate(own))
      this.#options.onFork(from)
    }
  }
}
