import type { Source } from '../identity/names.ts'
import type { Authors } from './authors.ts'
import type { Checkpoint, UpTo } from './change.ts'
import {
  BaseCut,
  CheckpointCut,
  Cut,
  outermostOf,
  standingOf,
  type CheckpointEntry,
  type CutOptions,
} from './cut.ts'
import type { Base, LoggedChange, LogPart } from './store.ts'

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

/** What follows from another look at the checkpoints. */
interface Reviewed {
  /** Whether one stands, or is true, that was not before: what it takes away is to be looked up. */
  readonly isMore: boolean
  /**
   * Whether what follows is to be looked up for all subjects: one is so no longer, or grants were
   * void by one in the list that another states, which are not void any more.
   */
  readonly isOther: boolean
}

function hasMore(cuts: readonly CheckpointCut[], before: readonly CheckpointCut[]): boolean {
  return cuts.some(cut => !before.includes(cut))
}

/** The checkpoints of a list, what they leave to decide, and which grants add nothing behind them. */
export class Checkpoints {
  readonly #options: CutOptions
  readonly #authors: Authors
  /** By the hashes of their entries. */
  readonly #known = new Map<string, Known>()
  #standing: readonly CheckpointCut[] = []
  #outermost: readonly CheckpointCut[] = []
  /** Those that may void what is stated where the log begins. */
  #doubtful: readonly CheckpointCut[] = []
  #base: { readonly cut: BaseCut; readonly noted: Base } | undefined

  /** @param authors those of the whole list */
  constructor(authors: Authors, options: Omit<CutOptions, 'cuts' | 'base'>) {
    this.#authors = authors
    const base = (): BaseCut | undefined => this.#base?.cut
    this.#options = { ...options, cuts: () => this.#true(), base }
  }

  /** The log begins at a checkpoint. */
  beginAt(entry: CheckpointEntry, noted: Base): void {
    this.#base = { cut: new BaseCut(entry, this.#options, noted), noted }
  }

  /**
   * The log begins at a later one by now, which is true and covers all others: it is the list of
   * before, by other rows.
   */
  moveBase(noted: Base): void {
    const known = this.#known.get(noted.checkpoint)
    if (known === undefined) return
    this.beginAt(known.entry, noted)
    // What they were found to hold was read of rows that have left the log.
    for (const other of this.#known.values()) other.cut = undefined
    known.cut = this.#base?.cut
    this.review()
  }

  /** That at which the log begins. */
  get base(): BaseCut | undefined {
    return this.#base?.cut
  }

  /** Those of which it is still to be found out, and can be, whether they are true. */
  get open(): CheckpointEntry[] {
    return [...this.#known.values()]
      .filter(({ truth }) => truth === 'unchecked' || truth === 'presumed')
      .filter(known => this.#canBeJudged(known))
      .map(({ entry }) => entry)
  }

  /** Take a checkpoint of the log for true before its turn, or for what was found out before it began. */
  presume(entry: CheckpointEntry): void {
    const { cut, noted } = this.#base ?? {}
    if (noted?.checkpoint === entry.hash) {
      this.#known.set(entry.hash, { entry, truth: 'true', cut })
    } else if (cut?.covers(entry) === true) {
      const truth = noted?.true.has(entry.hash) === true ? 'true' : 'untrue'
      this.#known.set(entry.hash, { entry, truth, cut: undefined })
    } else this.add(entry, 'presumed')
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
    if (isTrue) return
    for (const other of this.#known.values()) {
      if (other.cut !== this.#base?.cut) other.cut = undefined
    }
  }

  /** Whether one has a source among its heads: what it covers there depends on the branch. */
  names(source: Source): boolean {
    return this.#known.values().some(({ entry }) => entry.change.heads.has(source))
  }

  /** Whether what decides about the list at heads can be read: it is in the log, or the base has it. */
  canStateAt(heads: UpTo): boolean {
    if (this.#base === undefined || this.#options.log.isComplete) return true
    return this.cutAt(heads).part === 'left'
  }

  /** The list at heads, as a checkpoint there has to state it. */
  cutAt(heads: UpTo): Cut {
    return new Cut(heads, this.#options)
  }

  /** Look again at which of them stand, and what they leave to decide. @returns what is to be looked up */
  review(): Reviewed {
    const [standing, outermost] = [this.#standing, this.#outermost]
    if (this.#known.size === 0) return { isMore: false, isOther: false }
    const cuts = [...this.#true()]
    this.#outermost = outermostOf(cuts)
    this.#standing = standingOf(
      cuts.filter(cut => !cut.isUsurping()),
      this.#authors,
    )
    const base = this.#base?.cut
    // What that at which the log begins holds has had its effect there, but for what stands only now.
    this.#doubtful = cuts.filter(
      cut =>
        base?.holds(cut) !== true || (this.#standing.includes(cut) && !base.standing.includes(cut)),
    )
    const isMore = hasMore(this.#standing, standing) || hasMore(this.#outermost, outermost)
    const hasFallen = cuts.some(
      cut => cut.entry.change.former.length > 0 && !this.#standing.includes(cut),
    )
    const isLess = hasMore(standing, this.#standing) || hasMore(outermost, cuts)
    // One beside that at which the log begins may not state what was taken over from there.
    const isBeside =
      base !== undefined &&
      this.#outermost.some(cut => cut !== base && !outermost.includes(cut) && !cut.holds(base))
    return { isMore, isOther: isLess || isBeside || (isMore && hasFallen) }
  }

  /** Those that are true, without those that another one holds: behind them counts what they state. */
  get outermost(): readonly CheckpointCut[] {
    return this.#outermost
  }

  /** The part of the log that decides. */
  get part(): LogPart {
    const isLeft = this.#base !== undefined && this.#outermost.every(({ part }) => part === 'left')
    return isLeft ? 'left' : 'all'
  }

  /** The cut of one that is known to be true. */
  cutOf(hash: string): CheckpointCut | undefined {
    return this.#true().find(({ entry }) => entry.hash === hash)
  }

  /** Whether a grant adds nothing behind one that stands. */
  voids(entry: LoggedChange): boolean {
    return this.#standing.some(cut => cut.voids(entry))
  }

  /** Whether a grant adds nothing behind a true one, whether or not that stands. */
  mayVoid(entry: LoggedChange): boolean {
    return this.#true().some(cut => cut.voids(entry))
  }

  /** Whether an entry may decide nothing though the checkpoint states it at which the log begins. */
  mayVoidStated(entry: LoggedChange): boolean {
    const base = this.#base?.cut
    return this.#doubtful.some(cut => {
      const isBeside = cut !== base && base?.holds(cut) !== true
      return cut.voids(entry) || (isBeside && cut.covers(entry))
    })
  }

  /** Those that stand. */
  get standing(): Checkpoint[] {
    return this.#standing.map(({ entry }) => entry.change)
  }

  /** The hashes of those that stand. */
  get standingHashes(): string[] {
    return this.#standing.map(({ entry }) => entry.hash)
  }

  /** What a checkpoint does now. */
  effectOf({ hash }: LoggedChange): CheckpointEffect {
    const known = this.#known.get(hash)
    if (known?.truth === 'untrue') return 'untrue'
    if (this.#standing.some(({ entry }) => entry.hash === hash)) return 'in effect'
    return known?.truth === 'true' || known?.truth === 'presumed' ? 'void' : 'unchecked'
  }

  /** Those that are true, or taken for it. What each covers never changes, so that its list is made once. */
  *#true(): Generator<CheckpointCut, void> {
    for (const known of this.#known.values()) {
      if (known.truth !== 'true' && known.truth !== 'presumed') continue
      if (!this.#canBeJudged(known)) continue
      known.cut ??= new CheckpointCut(known.entry, this.#options)
      yield known.cut
    }
  }

  /** What is not read of the archives may be what one covers: then it does nothing. */
  #canBeJudged(known: Known): boolean {
    if (this.#base === undefined || known.truth === 'true' || this.#options.log.isComplete)
      return true
    known.cut ??= new CheckpointCut(known.entry, this.#options)
    return known.cut.part === 'left'
  }
}
