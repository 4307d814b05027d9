import type { Source } from '../identity/names.ts'
import type { Authors } from './authors.ts'
import type { Checkpoint, UpTo } from './change.ts'
import { CheckpointCut, Cut, standingOf, type CheckpointEntry, type CutOptions } from './cut.ts'
import type { LoggedChange } from './store.ts'

/** Whether a checkpoint states the list as it was. */
type Truth =
  /** It is still to be found out: until then it does nothing. */
  | 'unchecked'
  /** It was found out at an earlier start, or is still to be: until then it is taken for true. */
  | 'presumed'
  | 'true'
  | 'untrue'

/** What a checkpoint does. */
export type CheckpointEffect = 'in effect' | 'void' | 'untrue' | 'unchecked'

interface Known {
  readonly entry: CheckpointEntry
  truth: Truth
  cut: CheckpointCut | undefined
}

/** The checkpoints of a list, and which grants add nothing behind them. */
export class Checkpoints {
  readonly #options: CutOptions
  readonly #authors: Authors
  /** By the hashes of their entries. */
  readonly #known = new Map<string, Known>()
  #standing: readonly CheckpointCut[] = []

  /** @param authors those of the whole list */
  constructor(authors: Authors, options: Omit<CutOptions, 'cuts'>) {
    this.#authors = authors
    this.#options = { ...options, cuts: () => this.#true() }
  }

  /** Those of which it is still to be found out whether they are true. */
  get open(): CheckpointEntry[] {
    return [...this.#known.values()]
      .filter(({ truth }) => truth === 'unchecked' || truth === 'presumed')
      .map(({ entry }) => entry)
  }

  /** Take a checkpoint, which does nothing before it is found to be true. @returns what takes it back */
  add(entry: CheckpointEntry, truth: 'unchecked' | 'presumed' = 'unchecked'): () => void {
    if (this.#known.has(entry.hash)) return () => {}
    this.#known.set(entry.hash, { entry, truth, cut: undefined })
    return () => void this.#known.delete(entry.hash)
  }

  /** Say whether a checkpoint was found to be true. */
  judge({ hash }: CheckpointEntry, isTrue: boolean): void {
    const known = this.#known.get(hash)
    if (known === undefined) return
    known.truth = isTrue ? 'true' : 'untrue'
    // What others state may have been made with it.
    if (!isTrue) for (const other of this.#known.values()) other.cut = undefined
  }

  /** Whether one has a source among its heads: what it covers there depends on the branch. */
  names(source: Source): boolean {
    return this.#known.values().some(({ entry }) => entry.change.heads.has(source))
  }

  /** The list at heads, as a checkpoint there has to state it. */
  cutAt(heads: UpTo): Cut {
    return new Cut(heads, this.#options)
  }

  /** Look again at which of them stand. @returns those that do now and did not, and whether one stands no longer */
  review(): { readonly risen: readonly CheckpointCut[]; readonly isFewer: boolean } {
    const before = this.#standing
    if (this.#known.size === 0) return { risen: [], isFewer: false }
    const cuts = [...this.#true()].filter(cut => !cut.isUsurping())
    this.#standing = standingOf(cuts, this.#authors)
    const risen = this.#standing.filter(cut => !before.includes(cut))
    return { risen, isFewer: before.some(cut => !this.#standing.includes(cut)) }
  }

  /** Whether a grant adds nothing behind one that stands. */
  voids(entry: LoggedChange): boolean {
    return this.#standing.some(cut => cut.voids(entry))
  }

  /** Those that stand. */
  get standing(): Checkpoint[] {
    return this.#standing.map(({ entry }) => entry.change)
  }

  /** What a checkpoint does now. */
  effectOf({ hash }: LoggedChange): CheckpointEffect {
    const known = this.#known.get(hash)
    if (known?.truth === 'untrue') return 'untrue'
    if (this.#standing.some(({ entry }) => entry.hash === hash)) return 'in effect'
    return known?.truth === 'true' || known?.truth === 'presumed' ? 'void' : 'unchecked'
  }

  /** Those that are true, or taken for it. What each covers never changes, so that its list is made once. */
  *#true(): Iterable<CheckpointCut> {
    for (const known of this.#known.values()) {
      if (known.truth === 'unchecked' || known.truth === 'untrue') continue
      known.cut ??= new CheckpointCut(known.entry, this.#options)
      yield known.cut
    }
  }
}
