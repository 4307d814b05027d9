import type { SourceClock } from './peer-clock.ts'
import { subscribeTo } from '../lib/listeners.ts'
import { nodeOf, WHOLE_LIST, type Source } from '../identity/names.ts'
import { idOf, type Change } from '../whitelist/change.ts'
import type { Entry, Stray } from '../whitelist/entry.ts'
import type { ChangeStore, LoggedChange } from '../whitelist/store.ts'
import type { Whitelist } from '../whitelist/whitelist.ts'
import type { OwnSource } from './own-source.ts'

/** A source of this node that is not used any more, because peers have heard it otherwise. */
export interface EndedSource {
  readonly source: Source
  readonly why: string
  /** What this node accepted in it and nobody else can take any more: to be asked for again. */
  readonly lost: readonly Entry[]
}

export interface OwnPastOptions {
  /** This run of this node. */
  readonly run: Source
  /** The source that numbers the changes accepted here. */
  readonly source: OwnSource
  readonly list: () => Pick<Whitelist, 'changesOf' | 'heads' | 'heard' | 'holds' | 'holdsSeen'>
  readonly store: Pick<ChangeStore, 'ofSource' | 'ofSubject' | 'withdrawals'>
  /** Called when it cannot be remembered that a source has ended. */
  readonly onFailure: (error: unknown) => void
}

/**
 * What this node accepted itself, and how far peers have heard of it: a node that was restored or
 * resumed may hold less of that than they do, or something else.
 */
export class OwnPast {
  readonly #options: OwnPastOptions
  readonly #listeners = new Set<(ended: EndedSource) => void>()
  /** For each source of this node how far peers hold what this node holds. */
  readonly #spread = new Map<Source, number>()
  #isBehind = false

  constructor(options: OwnPastOptions) {
    this.#options = options
  }

  /** Whether changes of this node were given up, and those of its peers have not all come yet. */
  get isBehind(): boolean {
    return this.#isBehind
  }

  /** Hear of each source of this node that peers have heard otherwise. */
  subscribe(listener: (ended: EndedSource) => void): Disposable {
    return subscribeTo(this.#listeners, listener)
  }

  /** Whether a source is one of this node, of any of its runs. */
  isOwn(source: Source): boolean {
    return nodeOf(source) === nodeOf(this.#options.run)
  }

  /** Another run of this node lives: what this one shares with it is not used any more. */
  noteTwin(): void {
    if (this.#options.source.isShared) this.end('another node runs under the name of this one')
  }

  /** A peer has told how far it has heard each source. */
  digested(clock: SourceClock): void {
    const { source, list } = this.#options
    const own = source.candidate
    if (own === undefined) return
    // More of it may be a lie: only a change that comes, signed with the own key, proves it.
    if ((clock.get(own) ?? 0) <= list().heard(own)) source.confirm()
  }

  /** A peer holds a source of this node up to here as this node does. */
  noteSpread(source: Source, sequence: number): void {
    this.#spread.set(source, Math.max(this.#spread.get(source) ?? 0, sequence))
  }

  /** Whether a peer has heard of an entry of this node: by its word, or because others have seen it. */
  isSpread({ change: { source, sequence } }: Entry): boolean {
    const isKnown = (): boolean => sequence <= (this.#spread.get(source) ?? 0)
    if (isKnown()) return true
    for (const entry of this.#options.store.ofSource(source, sequence)) {
      if (this.#isSeenElsewhere(entry)) this.noteSpread(source, entry.change.sequence)
    }
    return isKnown()
  }

  /** A peer brings what stands behind all that this node holds of a source, perhaps of its own. */
  noteBrought({ change: { source, sequence } }: Entry): void {
    if (!this.isOwn(source)) return
    if (source === this.#options.source.candidate) {
      this.end('a peer has heard more of it than this node')
    }
    this.noteSpread(source, sequence)
  }

  /** What this node holds at a place that a peer holds otherwise, if nobody else has heard of it. */
  unspreadRival(strays: readonly Stray[]): Entry | undefined {
    const { list, store } = this.#options
    const rival = strays[0]?.entry
    const isOwn = rival !== undefined && this.isOwn(rival.change.source)
    if (!isOwn || !list().holds(rival.change) || this.isSpread(rival)) return undefined
    const [own] = store.ofSource(rival.change.source, rival.change.sequence)
    return own?.hash === rival.hash ? own : undefined
  }

  /** Changes of this node are given up: what was accepted before may be otherwise as well. */
  fallBehind(): void {
    this.#isBehind = true
  }

  /** The first change of this node that has seen what was given up: no peer could take it. */
  firstUnheld(): Entry | undefined {
    const { list, store } = this.#options
    for (const [source] of list().heads()) {
      if (!this.isOwn(source)) continue
      for (const entry of store.ofSource(source, (this.#spread.get(source) ?? 0) + 1)) {
        if (!list().holdsSeen(entry.change)) return entry
      }
    }
    return undefined
  }

  /** A peer has sent all that this node lacked. */
  caughtUp(): void {
    this.#isBehind = false
  }

  /** A source is not used any more, and said so: that of what is lost, else the one in use. */
  end(why: string, lost: readonly Entry[] = []): void {
    const { source: own, onFailure } = this.#options
    const source = lost[0]?.change.source ?? own.candidate
    if (source === undefined) return
    try {
      if (source === own.candidate) own.end()
    } catch (error) {
      onFailure(error)
    }
    for (const listener of this.#listeners) listener({ source, why, lost })
  }

  #isSeenElsewhere(entry: Entry): boolean {
    const { store } = this.#options
    const about = [...store.ofSubject(entry.change.subject)]
    const id = idOf(entry)
    // Of two texts of one wish it is not known which one was seen.
    const isOnly = about.every(other => other.hash === entry.hash || idOf(other) !== id)
    const hasSeen = ({ change }: LoggedChange): boolean =>
      !this.isOwn(change.source) && ((isOnly && change.seen.includes(id)) || names(change, entry))
    const others = [about, store.ofSubject(WHOLE_LIST), store.withdrawals()]
    return others.some(changes => Iterator.from(changes).some(hasSeen))
  }
}

/** Whether a change names an entry by its place and its hash. */
function names(change: Change, { change: { source }, hash }: Entry): boolean {
  if (change.kind === 'grant') return false
  const last = change.kind === 'checkpoint' ? change.heads : change.upTo
  return last?.get(source)?.hash === hash
}
