import { isRun, WHOLE_LIST, type Source, type Subject } from '../identity/names.ts'
import { Authors } from './authors.ts'
import type { ChangeId, Checkpoint, Place, UpTo } from './change.ts'
import type { SubjectState } from './merge.ts'
import type { StateLeaf } from './state-root.ts'
import type {
  Base,
  CertifiedChange,
  ChangeLog,
  LoggedChange,
  LogPart,
  SubjectRow,
} from './store.ts'
import type { StandingGrant } from './standing-grants.ts'
import { SubjectHistory, type Stating } from './subject-history.ts'
import { isTrustedNow, type Vouchers } from './vouchers.ts'

/** A checkpoint with the hash of its entry. */
export interface CheckpointEntry extends LoggedChange {
  readonly change: Checkpoint
}

/** What the list at a checkpoint is made from. */
export interface CutOptions {
  readonly log: ChangeLog
  readonly forkOf: (source: Source) => number
  readonly vouchers: Vouchers
  /** The checkpoints that are known to be true, or taken for it. */
  readonly cuts: () => Iterable<CheckpointCut>
  /** That at which the log begins, if a part of it has left it. */
  readonly base: () => CheckpointCut | undefined
}

/** What a checkpoint has to state of a subject. */
export interface SubjectAtHeads {
  /** What the root over the list says of it; undefined where there is nothing to say. */
  readonly leaf: StateLeaf | undefined
  /** What the changes here have seen that is not here. */
  readonly lacking: readonly SubjectRow[]
}

/**
 * The list as it was at given heads, by the log as it is now: of what is there, what is at or below
 * the heads, and nothing else.
 */
export class Cut {
  readonly #options: CutOptions
  readonly #heads: UpTo
  readonly #authors: Authors
  /** The hashes of the strays that are named by themselves. */
  readonly #strays: ReadonlySet<string>
  #counted: readonly CheckpointCut[] | undefined
  #outermost: readonly CheckpointCut[] | undefined

  constructor(heads: UpTo, options: CutOptions) {
    const { log, forkOf } = options
    this.#options = options
    this.#heads = heads
    const strays = heads.entries().filter(([source]) => !isRun(source))
    this.#strays = new Set(strays.map(([, { hash }]) => hash))
    this.#authors = new Authors({ forkOf, find: (place, hash) => log.find(place, hash) })
    for (const entry of log.withdrawals()) {
      if (this.covers(entry)) this.#authors.withdraw(entry.change)
    }
  }

  /** Whether an entry is at or below the heads, or a stray that is one of them. */
  covers(entry: { readonly change: Place; readonly hash: string }): boolean {
    return this.#strays.has(entry.hash) || this.#authors.isWithin(entry, this.#heads)
  }

  /** Whether a checkpoint, and all that it covers, is at or below the heads. */
  holds({ entry }: CheckpointCut): boolean {
    return (
      this.covers(entry) &&
      entry.change.heads
        .entries()
        .every(([source, { sequence, hash }]) =>
          this.covers({ change: { source, sequence }, hash }),
        )
    )
  }

  /** What decided about a subject. */
  stateIn(history: SubjectHistory): SubjectState {
    const entries = history.entries.filter(entry => this.covers(entry))
    return history.stateOf(entries, this.#outermostHeld(), entry => this.#isVoid(entry))
  }

  /** What a checkpoint here has to state of a subject. */
  lookAt(subject: Subject): SubjectAtHeads {
    if (subject === WHOLE_LIST) {
      const checkpoints = this.standing.map(({ entry }) => entry.hash)
      const leaf = { subject, checkpoints: checkpoints.sort() }
      return { leaf: checkpoints.length === 0 ? undefined : leaf, lacking: [] }
    }
    const history = this.historyOf(subject)
    return { leaf: this.#leafOf(subject, history), lacking: this.#lackingIn(history) }
  }

  /** The changes of a subject, as far as they may count here. */
  historyOf(subject: Subject): SubjectHistory {
    return new SubjectHistory(this.#options.log.ofSubject(subject, this.part))
  }

  /** The part of the log that decides here. */
  get part(): LogPart {
    const base = this.#options.base()
    return base !== undefined && this.holds(base) ? 'left' : 'all'
  }

  #leafOf(subject: Subject, history: SubjectHistory): StateLeaf | undefined {
    const state = this.stateIn(history)
    const revocations = [...state.revocations].sort()
    const grants = state.grants.map(({ id }) => id).sort()
    if (revocations.length + grants.length === 0) return undefined
    const withdrawals = history.entries
      .filter(({ change }) => change.kind === 'revocation' && change.upTo !== undefined)
      .filter(entry => this.covers(entry))
      .map(({ hash }) => hash)
    if (withdrawals.length === 0) return { subject, revocations, grants }
    return { subject, revocations, grants, withdrawals: [...new Set(withdrawals)].sort() }
  }

  /** What is not known at all has left the log, which begins at a checkpoint that covers it. */
  #lackingIn({ entries }: SubjectHistory): SubjectRow[] {
    const base = this.part === 'left' ? this.#options.base() : undefined
    const covered = entries.filter(entry => this.covers(entry))
    const here = new Set(covered.map(({ id }) => id))
    const seen = new Set<ChangeId>()
    for (const entry of covered) {
      if (base?.covers(entry) === true) continue
      for (const id of entry.change.seen) if (!here.has(id)) seen.add(id)
    }
    return seen.size === 0 ? [] : entries.filter(({ id }) => seen.has(id))
  }

  /** The checkpoints here that no other one here holds. */
  #outermostHeld(): readonly CheckpointCut[] {
    this.#outermost ??= outermostOf([...this.#options.cuts()].filter(cut => this.holds(cut)))
    return this.#outermost
  }

  #isVoid(entry: LoggedChange): boolean {
    return this.#authors.isVoid(entry) || this.standing.some(checkpoint => checkpoint.voids(entry))
  }

  /** The checkpoints that stand here. */
  get standing(): readonly CheckpointCut[] {
    this.#counted ??= standingOf(
      [...this.#options.cuts()].filter(({ entry }) => this.covers(entry)),
      this.#authors,
    )
    return this.#counted
  }
}

/** A checkpoint that is known to be true, or taken for it, with the list that it states. */
export class CheckpointCut extends Cut implements Stating {
  readonly entry: CheckpointEntry
  readonly #log: ChangeLog
  readonly #vouchers: Vouchers

  constructor(entry: CheckpointEntry, options: CutOptions) {
    super(entry.change.heads, options)
    this.entry = entry
    this.#log = options.log
    this.#vouchers = options.vouchers
  }

  /** Whether a grant adds nothing behind this checkpoint. Revocations count always. */
  voids(entry: LoggedChange): boolean {
    return entry.change.kind === 'grant' && !this.covers(entry) && this.isFormer(entry)
  }

  /** Whether an authority that is a former one here vouches for an entry, or a certificate that had ended. */
  isFormer(entry: LoggedChange | CertifiedChange): boolean {
    const { former, at } = this.entry.change
    const { signatures } =
      'signatures' in entry ? entry : (this.#log.find(entry.change, entry.hash) ?? {})
    if (signatures === undefined) return true
    return [signatures.operatorCertificate, signatures.nodeCertificate].some(fingerprint => {
      const voucher = this.#vouchers.voucherOf(fingerprint)
      if (voucher?.authority === undefined) return true
      return former.includes(voucher.authority) || voucher.endsAt < at
    })
  }

  /** The hashes of entries that it covers and that may be named by what it does not: as heads, or up to where an author counts. */
  namedBehind(): Set<string> {
    const named = new Set(this.entry.change.heads.values().map(({ hash }) => hash))
    for (const one of this.#log.withdrawals()) {
      if (one.change.kind !== 'revocation' || this.covers(one)) continue
      for (const { hash } of one.change.upTo?.values() ?? []) named.add(hash)
    }
    return named
  }

  /** Whether it calls an authority a former one that is trusted here, by the word of one that is not. */
  isUsurping(): boolean {
    const { change, hash } = this.entry
    if (!change.former.some(authority => this.#vouchers.isTrusted(authority))) return false
    const signatures = this.#log.find(change, hash)?.signatures
    return signatures === undefined || !isTrustedNow(signatures, this.#vouchers)
  }
}

/** The checkpoint at which a log begins: of what it covers that is left which it states. */
export class BaseCut extends CheckpointCut {
  readonly #base: Base

  constructor(entry: CheckpointEntry, options: CutOptions, base: Base) {
    super(entry, options)
    this.#base = base
  }

  /** Whether an entry that it covers is one of those that it states. */
  hasStated({ hash, isStray }: Pick<SubjectRow, 'hash' | 'isStray'>): boolean {
    // What is filed as a stray since stands in its place as well, or was spent.
    return !this.#base.spent.has(hash) && (!isStray || this.#base.strays.has(hash))
  }

  override get part(): LogPart {
    return 'left'
  }

  override stateIn({ entries }: SubjectHistory): SubjectState {
    const stated = entries.filter(one => !one.isArchived && this.covers(one) && this.hasStated(one))
    const grants = new Map<ChangeId, StandingGrant>()
    for (const { id, change } of stated) {
      if (change.kind === 'grant') grants.set(id, { id, change })
    }
    const revocations = stated.filter(({ change }) => change.kind === 'revocation')
    return { grants: [...grants.values()], revocations: new Set(revocations.map(({ id }) => id)) }
  }
}

/** Those of some checkpoints that no other one holds. @param cuts each behind all that it holds */
export function outermostOf(cuts: readonly CheckpointCut[]): CheckpointCut[] {
  const outermost: CheckpointCut[] = []
  for (const cut of cuts.toReversed()) {
    if (!outermost.some(other => other.holds(cut))) outermost.push(cut)
  }
  return outermost
}

/**
 * The checkpoints that stand among some: those of no author who was removed out of sight of them,
 * and of none who no longer counts by another one. Two that call each other former fall both.
 */
export function standingOf(cuts: readonly CheckpointCut[], authors: Authors): CheckpointCut[] {
  const counted = cuts.filter(({ entry }) => !authors.isVoid(entry))
  return counted.filter(
    ({ entry }) =>
      !counted.some(
        other => other.entry !== entry && !other.covers(entry) && other.isFormer(entry),
      ),
  )
}
