import { isRun, type Source } from '../identity/names.ts'
import { headsFrame, parseHeads } from '../whitelist/heads.ts'
import type { ChangeStore } from '../whitelist/store.ts'
import type { Whitelist } from '../whitelist/whitelist.ts'
import type { Announcement } from './document-frames.ts'
import type { DocumentStream } from './document.ts'
import { asUpdate } from './update.ts'

/** How much of the hash of an entry stands in an announcement, in characters: 132 bits. */
const ANNOUNCED_HASH = 22

/** Entries of its own that a node shows on one link to a peer that announces others. */
const MAX_SHOWN = 8

export interface HeadComparisonOptions {
  readonly list: Pick<Whitelist, 'changes' | 'forkOf' | 'headHash' | 'heads' | 'heard'>
  readonly store: Pick<ChangeStore, 'ofSource'>
}

/**
 * Equal clocks are not yet equal lists: two ends compare the hash of the newest entry of each source
 * when they meet, and of each entry that one announces. So a node that shows one entry here and
 * another there is found out also where neither is sent on.
 */
export class HeadComparison {
  readonly #options: HeadComparisonOptions
  readonly #compared = new WeakSet<DocumentStream>()
  /** How many entries a peer was shown because it had announced others. */
  readonly #shown = new WeakMap<DocumentStream, number>()

  constructor(options: HeadComparisonOptions) {
    this.#options = options
  }

  *openings(): Iterable<object> {
    const { list } = this.#options
    if (list.changes > 0) yield headsFrame(list)
  }

  /** Take the heads of a peer. @returns why they are refused, if they are */
  take(frame: object, from: DocumentStream): { readonly refused?: string } {
    const { list } = this.#options
    const heads = parseHeads(frame)
    if (heads === undefined) return { refused: 'the heads are malformed' }
    if (this.#compared.has(from)) return { refused: 'the heads come twice' }
    this.#compared.add(from)
    for (const [source, { sequence, hash }] of heads) {
      if (list.forkOf(source) <= sequence || list.heard(source) < sequence) continue
      if (list.heard(source) === sequence && list.headHash(source) === hash) continue
      this.#show({ source, sequence, hash }, from)
    }
    return {}
  }

  /** What stands in an announcement of an entry. */
  announcementOf(source: Source, sequence: number): unknown {
    const { list } = this.#options
    if (!isRun(source) || list.heard(source) !== sequence) return sequence
    return [sequence, list.headHash(source).slice(0, ANNOUNCED_HASH)]
  }

  /** A peer announces an entry at a place that is held here. */
  compare({ source, sequence, hash }: Announcement, from: DocumentStream): void {
    const { list } = this.#options
    if (hash === undefined || list.forkOf(source) <= sequence) return
    if (list.heard(source) !== sequence || list.headHash(source).startsWith(hash)) return
    const shown = this.#shown.get(from) ?? 0
    if (shown >= MAX_SHOWN) return
    this.#shown.set(from, shown + 1)
    this.#show({ source, sequence, hash }, from)
  }

  /** The peer holds another entry at a place: with ours it has the proof that its node lied. */
  #show({ source, sequence, hash }: Announcement, from: DocumentStream): void {
    const [own] = this.#options.store.ofSource(source, sequence)
    if (own?.change.sequence === sequence && own.hash !== hash) from.send(asUpdate(own))
  }
}
