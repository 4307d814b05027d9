import { WHOLE_LIST, type Source, type Subject } from '../identity/names.ts'
import { Authors } from './authors.ts'
import { idOf, type ChangeId, type Checkpoint, type UpTo } from './change.ts'
import { stateOf, type SubjectState } from './merge.ts'
import type { StateLeaf } from './state-root.ts'
import type { ChangeLog, LoggedChange } from './store.ts'
import type { Vouchers } from './vouchers.ts'

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
}

/**
 * The list as it was at given heads, by the log as it is now: of what is there, what is at or below
 * the heads, and nothing else.
 */
export class Cut {
  readonly #options: CutOptions
  readonly #heads: UpTo
  readonly #authors: Authors
  #standing: readonly CheckpointCut[] | undefined

  constructor(heads: UpTo, options: CutOptions) {
    const { log, forkOf } = options
    this.#options = options
    this.#heads = heads
    this.#authors = new Authors({ forkOf, find: (place, hash) => log.find(place, hash) })
    for (const entry of log.withdrawals()) {
      if (this.covers(entry)) this.#authors.withdraw(entry.change)
    }
  }

  /** Whether an entry is at or below the heads. */
  covers(entry: LoggedChange): boolean {
    return this.#authors.isWithin(entry, this.#heads)
  }

  /** What decided about a subject. */
  stateOf(subject: Subject): SubjectState {
    return this.#stateOf(this.#entriesOf(subject))
  }

  /** What the root over the list says of a subject; undefined where there is nothing to say. */
  leafOf(subject: Subject): StateLeaf | undefined {
    if (subject === WHOLE_LIST) {
      const checkpoints = this.#standingCheckpoints().map(({ entry }) => entry.hash)
      return checkpoints.length === 0 ? undefined : { subject, checkpoints: checkpoints.sort() }
    }
    const entries = this.#entriesOf(subject)
    const state = this.#stateOf(entries)
    const revocations = [...state.revocations].sort()
    const grants = state.grants.map(({ id }) => id).sort()
    if (revocations.length + grants.length === 0) return undefined
    const withdrawals = entries
      .filter(({ change }) => change.kind === 'revocation' && change.upTo !== undefined)
      .map(({ hash }) => hash)
    if (withdrawals.length === 0) return { subject, revocations, grants }
    return { subject, revocations, grants, withdrawals: [...new Set(withdrawals)].sort() }
  }

  #stateOf(entries: readonly LoggedChange[]): SubjectState {
    return stateOf(
      entries.map(entry => ({
        id: idOf(entry),
        change: entry.change,
        isVoid: this.#isVoid(entry),
      })),
    )
  }

  #entriesOf(subject: Subject): LoggedChange[] {
    return [...this.#options.log.ofSubject(subject)].filter(entry => this.covers(entry))
  }

  #isVoid(entry: LoggedChange): boolean {
    return (
      this.#authors.isVoid(entry) ||
      this.#standingCheckpoints().some(checkpoint => checkpoint.voids(entry))
    )
  }

  #standingCheckpoints(): readonly CheckpointCut[] {
    this.#standing ??= standingOf(
      [...this.#options.cuts()].filter(({ entry }) => this.covers(entry)),
      this.#authors,
    )
    return this.#standing
  }
}

/** A checkpoint that is known to be true, or taken for it, with the list that it states. */
export class CheckpointCut extends Cut {
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
    if (entry.change.kind !== 'grant' || this.covers(entry)) return false
    return this.isFormer(entry) || this.#isOutdated(entry)
  }

  /** Whether an authority that is a former one here vouches for an entry, or a certificate that had ended. */
  isFormer({ change, hash }: LoggedChange): boolean {
    const { former, at } = this.entry.change
    const signatures = this.#log.find(change, hash)?.signatures
    if (signatures === undefined) return true
    return [signatures.operatorCertificate, signatures.nodeCertificate].some(fingerprint => {
      const voucher = this.#vouchers.voucherOf(fingerprint)
      if (voucher?.authority === undefined) return true
      return former.includes(voucher.authority) || voucher.endsAt < at
    })
  }

  /** Whether it calls an authority a former one that is trusted here, by the word of one that is not. */
  isUsurping(): boolean {
    const { change, hash } = this.entry
    if (!change.former.some(authority => this.#vouchers.isTrusted(authority))) return false
    const signatures = this.#log.find(change, hash)?.signatures
    if (signatures === undefined) return true
    return [signatures.operatorCertificate, signatures.nodeCertificate].some(fingerprint => {
      const authority = this.#vouchers.voucherOf(fingerprint)?.authority
      return authority === undefined || !this.#vouchers.isTrusted(authority)
    })
  }

  /** Whether the author of a grant had seen what stood here no longer. */
  #isOutdated({ change: { subject, seen } }: LoggedChange): boolean {
    if (seen.length === 0) return false
    const covered = new Set<ChangeId>()
    for (const entry of this.#log.ofSubject(subject)) {
      const id = idOf(entry)
      if (seen.includes(id) && this.covers(entry)) covered.add(id)
    }
    if (covered.size === 0) return false
    const { grants, revocations } = this.stateOf(subject)
    const frontier = grants.length > 0 ? new Set(grants.map(({ id }) => id)) : revocations
    return !covered.isSubsetOf(frontier)
  }
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
