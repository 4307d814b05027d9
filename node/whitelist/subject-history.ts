import { idOf, type ChangeId } from './change.ts'
import { stateOf, type SubjectState, type WeighedChange } from './merge.ts'
import type { LoggedChange, SubjectRow } from './store.ts'

/** A true checkpoint, by what it says of one subject. */
export interface Stating {
  covers(entry: LoggedChange): boolean
  /** What stood of the subject at its heads. */
  stateIn(history: SubjectHistory): SubjectState
}

/** An entry with the id of its change. */
export interface IdentifiedEntry extends SubjectRow {
  readonly id: ChangeId
}

/** All changes of one subject, and what stood of it at checkpoints, each found out once. */
export class SubjectHistory {
  readonly entries: readonly IdentifiedEntry[]
  readonly #states = new Map<Stating, SubjectState>()

  constructor(entries: Iterable<SubjectRow>) {
    this.entries = Array.from(entries, entry => ({ ...entry, id: idOf(entry) }))
  }

  /**
   * What decides about the subject by some of its changes (PROTOCOL.md, "Checkpoints"): what a
   * checkpoint covers and does not state is spent, and a grant that it states has seen all
   * revocations that it covers.
   */
  stateOf(
    entries: readonly IdentifiedEntry[],
    checkpoints: Iterable<Stating>,
    isVoid: (entry: LoggedChange) => boolean,
  ): SubjectState {
    return stateOf(this.weigh(entries, checkpoints, isVoid))
  }

  /** What of some of its changes counts, and what each of these has seen. */
  weigh(
    entries: readonly IdentifiedEntry[],
    checkpoints: Iterable<Stating>,
    isVoid: (entry: LoggedChange) => boolean,
  ): WeighedChange[] {
    const spent = new Set<LoggedChange>()
    const stated = new Map<ChangeId, readonly ChangeId[]>()
    for (const checkpoint of checkpoints) {
      const { grants, revocations } = this.#stateAt(checkpoint)
      const standing = new Set([...revocations, ...grants.map(({ id }) => id)])
      for (const entry of entries) {
        if (!standing.has(entry.id) && checkpoint.covers(entry)) spent.add(entry)
      }
      for (const { id } of grants) stated.set(id, [...(stated.get(id) ?? []), ...revocations])
    }
    const counted = entries.filter(entry => !spent.has(entry))
    return counted.map(entry => {
      const { id, change } = entry
      const seen = [...change.seen, ...(stated.get(id) ?? [])]
      return { id, change, seen, isVoid: isVoid(entry) }
    })
  }

  #stateAt(checkpoint: Stating): SubjectState {
    const state = this.#states.get(checkpoint) ?? checkpoint.stateIn(this)
    this.#states.set(checkpoint, state)
    return state
  }
}
