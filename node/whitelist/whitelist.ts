import {
  isAuthor,
  isRun,
  subjectOf,
  WHOLE_LIST,
  type Name,
  type Source,
  type Subject,
} from '../identity/names.ts'
import { allOrNone } from './all-or-none.ts'
import { Authors } from './authors.ts'
import { Checkpoints, type CheckpointEffect } from './checkpoints.ts'
import type { CheckpointCut, CheckpointEntry, Cut } from './cut.ts'
import {
  idOf,
  type Change,
  type ChangeId,
  type ChangeRequest,
  type Checkpoint,
  type Head,
  type Place,
  type UpTo,
} from './change.ts'
import { conflicts, type Entry, type Stray } from './entry.ts'
import { ListLoader } from './list-loader.ts'
import { HeardSources, type Fit } from './heard-sources.ts'
import { frontierOf, type SubjectState } from './merge.ts'
import type { Base, ChangeLog, HeldEntry, LoggedChange, LogPart } from './store.ts'
import { SubjectHistory } from './subject-history.ts'
import { SubjectStates } from './subject-states.ts'
import { UnsavedLog } from './unsaved-log.ts'
import type { Vouchers } from './vouchers.ts'

/**
 * One replica of the whitelist, in memory: the state of each subject and how far each source
 * has been heard. It looks into the log where changes met that had not seen each other, and
 * writes nothing.
 */
export class Whitelist {
  /** What takes the list over from its log. */
  readonly loader: ListLoader
  readonly #log: UnsavedLog
  readonly #subjects: SubjectStates
  readonly #sources = new HeardSources()
  readonly #authors: Authors
  readonly #checkpoints: Checkpoints
  #changes = 0
  /** Whether an author was revoked since: which grants that voids, and do not stand, is not known. */
  #hasVoided = false

  constructor(log: ChangeLog, vouchers: Vouchers) {
    this.#log = new UnsavedLog(log)
    const forkOf = (source: Source): number => this.forkOf(source)
    this.#authors = new Authors({ forkOf, find: (place, hash) => this.#log.find(place, hash) })
    this.#checkpoints = new Checkpoints(this.#authors, { log: this.#log, forkOf, vouchers })
    this.#subjects = new SubjectStates({
      historyOf: subject =>
        new SubjectHistory(this.#log.ofSubject(subject, this.#checkpoints.part)),
      isVoid: entry => this.isVoid(entry),
      checkpoints: () => this.#checkpoints.outermost,
    })
    this.loader = new ListLoader({
      log: this.#log,
      sources: this.#sources,
      authors: this.#authors,
      checkpoints: this.#checkpoints,
      subjects: this.#subjects,
    })
  }

  /** How many changes it has merged. */
  get changes(): number {
    return this.loader.changes + this.#changes
  }

  /** How many subjects it knows, admitted or not. */
  get size(): number {
    return this.#subjects.size
  }

  /** How many subjects are still to be looked up in the log. */
  get unsettled(): number {
    return this.#subjects.unsettled
  }

  state(subject: Subject): SubjectState {
    return this.#subjects.get(subject)
  }

  subjects(): IterableIterator<[Subject, SubjectState]> {
    return this.#subjects.entries()
  }

  /** The greatest sequence merged, by source. */
  clock(): Map<Source, number> {
    return this.#sources.clock()
  }

  /** The newest entry of each source; strays, whose place says what they are, left out. */
  heads(): Iterable<[Source, Head]> {
    return this.#sources.heads()
  }

  /** All that a checkpoint of now covers: the newest entry of each source, and each stray. */
  everything(): UpTo {
    return this.#sources.everything()
  }

  /** The greatest sequence merged of one source, 0 where none. */
  heard(source: Source): number {
    return this.#sources.head(source)?.sequence ?? 0
  }

  /** The hash that the next entry of a source must name as the one before it. */
  headHash(source: Source): string {
    return this.#sources.head(source)?.hash ?? ''
  }

  /** Whether a place has been merged. */
  holds(place: Place): boolean {
    return this.heard(place.source) >= place.sequence
  }

  /**
   * Whether an entry is the next of its source. A digest cannot represent a hole, so there are
   * none: sequences are contiguous, each entry links to the one before, and a change may have
   * seen only what its receiver holds as well (links deliver in causal order).
   */
  fit(entry: Entry): Fit {
    const fit = this.#sources.fit(entry)
    if (fit !== 'next') return fit
    return this.holdsSeen(entry.change) ? 'next' : 'unseen'
  }

  /** Whether all that an author says to have seen is here: what it names cannot be made up. */
  holdsSeen(change: Change): boolean {
    const { subject, seen } = change
    for (const id of seen) {
      if (!this.#subjects.stands(subject, id) && !this.#log.has(subject, id)) return false
    }
    if (change.kind === 'checkpoint') return this.#holdsBelow(change.heads)
    return change.kind === 'grant' || this.#authors.holdsUpTo(change)
  }

  /**
   * Merge an entry whose `fit` is `next`. What it returns takes it back, if it is the last.
   * @throws what the log does that cannot be read: then nothing is merged
   */
  merge(entry: UnsavedEntry): () => void {
    return allOrNone(this.#merging(entry))
  }

  *#merging(entry: UnsavedEntry): Iterable<() => void> {
    yield this.#sources.advance(entry)
    yield this.#authors.noteSigned(entry)
    yield* this.#mergingContent({ ...entry, isStray: false })
  }

  /** What it was built from stands in another log by now, which it reads from here on. */
  readFrom(log: ChangeLog): void {
    this.#log.readFrom(log)
    this.reviewCheckpoints()
  }

  /** What was merged up to here is in the log. */
  saved(): void {
    this.#log.clear()
  }

  /** The first sequence of a source that was forked; `Infinity` for all others. */
  forkOf(source: Source): number {
    return this.#sources.forkOf(source)
  }

  /** Whether any source has forked. */
  get hasForks(): boolean {
    return this.#sources.hasForks
  }

  /** Whether a node has signed what cannot stand in one chain, in any of its runs. */
  hasEquivocated(node: Name): boolean {
    return this.#sources.hasForked(node)
  }

  /** Whether a node was removed from the cluster: for good, whatever came after. */
  hasRemoved(node: Name): boolean {
    return this.state(subjectOf('node', node)).revocations.size > 0
  }

  /** Whether it is beyond doubt that a stray cannot stand in its place. */
  isProven({ entry, against }: Stray): boolean {
    if (this.forkOf(entry.change.source) <= entry.change.sequence) return true
    return against !== undefined && conflicts(entry, against)
  }

  /**
   * Merge a stray that is proven and not held yet. It counts as it would in its place, so that
   * nothing changes where it stood there already. What it returns takes it back, if it is the last.
   * @throws as `merge` does
   */
  mergeStray({ entry }: Stray): () => void {
    return allOrNone(this.#mergingStray(entry))
  }

  *#mergingStray(entry: Entry): Iterable<() => void> {
    const { change, hash, signatures } = entry
    const isHeld = this.#log.find(change, hash) !== undefined
    yield this.#sources.fileStray(entry)
    if (!isHeld) yield* this.#mergingContent({ change, hash, signatures, isStray: true })
    this.reviewCheckpoints()
    const isCovered = this.#checkpoints.names(change.source)
    const touched = [...this.#authors.touchedBy(entry), ...(isCovered ? [change.subject] : [])]
    yield this.#subjects.dropVoid(touched.filter(subject => subject !== WHOLE_LIST))
  }

  /**
   * Whether an entry is a grant of an operator or a node that was revoked out of sight of it, or
   * adds nothing behind a checkpoint.
   */
  isVoid(entry: LoggedChange): boolean {
    return this.#authors.isVoid(entry) || this.#checkpoints.voids(entry)
  }

  /** The checkpoints of which it is still to be found out whether they are true. */
  get openCheckpoints(): readonly CheckpointEntry[] {
    return this.#checkpoints.open
  }

  /** The checkpoints behind which former authorities add nothing. */
  get standingCheckpoints(): readonly Checkpoint[] {
    return this.#checkpoints.standing
  }

  /** The hashes of these, in the order in which they came. */
  get standingHashes(): readonly string[] {
    return this.#checkpoints.standingHashes
  }

  /** Say whether a checkpoint was found to be true. */
  judge(checkpoint: CheckpointEntry, isTrue: boolean): void {
    this.#checkpoints.judge(checkpoint, isTrue)
    this.reviewCheckpoints()
  }

  /** Whether heads are here, and all that decides what the list was there. */
  canStateAt(heads: UpTo): boolean {
    return this.#holdsBelow(heads) && this.#checkpoints.canStateAt(heads)
  }

  /** The list at heads, as a checkpoint there has to state it. */
  cutAt(heads: UpTo): Cut {
    return this.#checkpoints.cutAt(heads)
  }

  /** The next `limit` subjects of changes behind `after`, in the order of their bytes. */
  subjectsBehind(after: string, limit: number, part?: LogPart): readonly Subject[] {
    return this.#log.subjectsBehind(after, limit, part)
  }

  /** The list that a true checkpoint states. @param hash of its entry */
  cutOf(hash: string): CheckpointCut | undefined {
    return this.#checkpoints.cutOf(hash)
  }

  /** What a checkpoint does now. */
  checkpointEffect(entry: LoggedChange): CheckpointEffect {
    return this.#checkpoints.effectOf(entry)
  }

  /** The log begins at another checkpoint by now: what follows is looked up in what is left. */
  moveBase(base: Base): void {
    this.#checkpoints.moveBase(base)
  }

  /**
   * Look again at which checkpoints are true and stand: for one that rises void grants fall at once,
   * and what else follows, as after one that falls, the log has to tell.
   */
  reviewCheckpoints(): void {
    const { isMore, isOther } = this.#checkpoints.review()
    if (isMore) {
      this.#subjects.dropVoid(this.#subjects.voided())
      this.#subjects.unsettleIrregular()
    }
    const isUnknown = isMore && this.#hasVoided
    if (this.changes === 0 || !(isOther || isUnknown)) return
    let last = ''
    for (;;) {
      const page = this.#log.subjectsBehind(last, 1_000)
      for (const subject of page) if (subject !== WHOLE_LIST) this.#subjects.unsettle(subject)
      if (page.length === 0) return
      last = page.at(-1) ?? last
    }
  }

  /**
   * Look up in the log the states of some subjects, of those that need it.
   * @returns those that were looked up
   */
  settle(subjects: Iterable<Subject>): Subject[] {
    return this.#subjects.settle(subjects)
  }

  /** Look up the states of the next `limit` subjects that need it. @returns those subjects */
  settleSome(limit: number): Subject[] {
    return this.#subjects.settleSome(limit)
  }

  /** Every change of a subject, by its id, in the order in which they came. */
  changesOf(subject: Subject): Map<ChangeId, LoggedChange> {
    const changes = new Map<ChangeId, LoggedChange>()
    for (const entry of this.#log.ofSubject(subject)) changes.set(idOf(entry), entry)
    return changes
  }

  /** The next place of a source, and what stands before it. */
  placeAfter(source: Source): Pick<Change, 'source' | 'sequence' | 'previous'> {
    return { source, sequence: this.heard(source) + 1, previous: this.headHash(source) }
  }

  /** The change that a request becomes at the next place of `source`, at the time `at`. */
  draft(request: ChangeRequest, source: Source, at: number): Change {
    const { subject } = request
    const place = { ...this.placeAfter(source), at, seen: this.frontier(subject) }
    if (request.kind === 'grant') return { ...request, ...place }
    if (!isAuthor(subject)) return { ...request, ...place }
    return { ...request, ...place, upTo: this.upTo(subject) }
  }

  /** What a change of a subject that is made now has seen. */
  frontier(subject: Subject): readonly ChangeId[] {
    this.settle([subject])
    return frontierOf(this.state(subject))
  }

  /** Up to where the grants of an author count that is revoked now. */
  upTo(author: Subject): UpTo {
    return this.#authors.upTo(author, () =>
      this.#subjects
        .entries()
        .flatMap(([, { grants }]) => grants.map(({ change }) => change.source)),
    )
  }

  /** Merge what an entry says that is not in the log yet, in steps. */
  *#mergingContent(entry: HeldEntry): Iterable<() => void> {
    const { change } = entry
    const { subject } = change
    const id = idOf(entry)
    const isNew = change.kind !== 'revocation' || !this.#isKnown(subject, id)
    yield this.#subjects.snapshot(subject)
    this.#log.add(id, entry)
    yield () => this.#log.removeLast()
    if (change.kind === 'checkpoint') yield this.#checkpoints.add({ ...entry, change })
    else yield* this.#withdrawing(change)
    this.#changes += 1
    yield () => {
      this.#changes -= 1
    }
    this.#subjects.take({ id, change }, isNew && !this.isVoid(entry))
  }

  #holdsBelow(heads: UpTo): boolean {
    const [chains, strays] = [new Map<Source, Head>(), new Map<Source, Head>()]
    for (const [source, head] of heads) (isRun(source) ? chains : strays).set(source, head)
    return (
      strays.entries().every(([source, { hash }]) => this.headHash(source) === hash) &&
      this.#authors.holdsBelow(chains)
    )
  }

  #isKnown(subject: Subject, id: ChangeId): boolean {
    return this.state(subject).revocations.has(id) || this.#log.has(subject, id)
  }

  /**
   * Let the grants of a revoked author stand no longer, from now on; which older ones stand again
   * in the place of those, the log has to tell.
   */
  *#withdrawing(change: Change): Iterable<() => void> {
    const mayVoid = this.#authors.mayVoid(change, this.#sources.hasForks)
    const unvoid = this.#authors.withdraw(change)
    if (!mayVoid) return yield unvoid
    yield () => {
      unvoid()
      this.reviewCheckpoints()
    }
    this.#hasVoided = true
    this.reviewCheckpoints()
    yield this.#subjects.dropVoid(this.#subjects.voided())
  }
}

/** What is merged before it is in the log. */
type UnsavedEntry = Omit<HeldEntry, 'isStray'>
