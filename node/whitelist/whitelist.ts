import { restore } from './restore.ts'
import {
  nodeOf,
  roleOf,
  subjectOf,
  WHOLE_LIST,
  type Name,
  type Source,
  type Subject,
} from '../identity/names.ts'
import { Authors } from './authors.ts'
import { Checkpoints, type CheckpointEffect } from './checkpoints.ts'
import type { CheckpointEntry, Cut } from './cut.ts'
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
import { conflicts, strayPlace, type Entry, type Stray } from './entry.ts'
import {
  frontierOf,
  mergeChange,
  stateOf,
  UNKNOWN_SUBJECT,
  type StandingGrant,
  type SubjectState,
} from './merge.ts'
import type { ChangeLog, HeldEntry, LoggedChange } from './store.ts'
import { UnsavedLog } from './unsaved-log.ts'
import type { Vouchers } from './vouchers.ts'

/**
 * How an entry fits what a node holds (PROTOCOL.md, "Updates"):
 * - `next`: it can be merged;
 * - `stale`: it is the head of its source;
 * - `earlier`: its place is taken, and only the log knows whether by itself;
 * - `forked`: its source has forked at or before its place: it counts as a stray;
 * - `fork`, `unlinked`: it and the head of its source cannot stand in one chain;
 * - `gap`, `unseen`: something before it is missing.
 */
export type Fit = 'next' | 'stale' | 'earlier' | 'forked' | 'fork' | 'unlinked' | 'gap' | 'unseen'

/**
 * One replica of the whitelist, in memory: the state of each subject and how far each source
 * has been heard. It looks into the log where changes met that had not seen each other, and
 * writes nothing.
 */
export class Whitelist {
  readonly #log: UnsavedLog
  readonly #subjects = new Map<Subject, SubjectState>()
  /** Subjects whose state the log has to tell: until then no more stands than is sure to stand. */
  readonly #unsettled = new Set<Subject>()
  readonly #heads = new Map<Source, Head>()
  readonly #authors: Authors
  readonly #checkpoints: Checkpoints
  /** For each source that equivocated the first sequence that is filed as a stray. */
  readonly #forks = new Map<Source, number>()
  readonly #strays = new Set<Source>()
  #changes = 0

  constructor(log: ChangeLog, vouchers: Vouchers) {
    this.#log = new UnsavedLog(log)
    const forkOf = (source: Source): number => this.forkOf(source)
    this.#authors = new Authors({ forkOf, find: (place, hash) => this.#log.find(place, hash) })
    this.#checkpoints = new Checkpoints(this.#authors, { log: this.#log, forkOf, vouchers })
  }

  /** How many changes it has merged. */
  get changes(): number {
    return this.#changes
  }

  /** How many subjects it knows, admitted or not. */
  get size(): number {
    return this.#subjects.size
  }

  /** How many subjects are still to be looked up in the log. */
  get unsettled(): number {
    return this.#unsettled.size
  }

  state(subject: Subject): SubjectState {
    return this.#subjects.get(subject) ?? UNKNOWN_SUBJECT
  }

  subjects(): IterableIterator<[Subject, SubjectState]> {
    return this.#subjects.entries()
  }

  /** The greatest sequence merged, by source. */
  clock(): Map<Source, number> {
    return new Map(Array.from(this.#heads, ([source, head]) => [source, head.sequence]))
  }

  /** The newest entry of each source; strays, whose place says what they are, left out. */
  *heads(): Iterable<[Source, Head]> {
    for (const [source, head] of this.#heads) if (!this.#strays.has(source)) yield [source, head]
  }

  /** The greatest sequence merged of one source, 0 where none. */
  heard(source: Source): number {
    return this.#heads.get(source)?.sequence ?? 0
  }

  /** The hash that the next entry of a source must name as the one before it. */
  headHash(source: Source): string {
    return this.#heads.get(source)?.hash ?? ''
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
    const { sequence, source, previous } = entry.change
    if (this.forkOf(source) <= sequence) return 'forked'
    const head = this.#heads.get(source)
    if (head !== undefined && sequence < head.sequence) return 'earlier'
    if (sequence === head?.sequence) return entry.hash === head.hash ? 'stale' : 'fork'
    if (sequence !== (head?.sequence ?? 0) + 1) return 'gap'
    if (previous !== this.headHash(source)) return 'unlinked'
    return this.holdsSeen(entry.change) ? 'next' : 'unseen'
  }

  /** Whether all that an author says to have seen is here: what it names cannot be made up. */
  holdsSeen(change: Change): boolean {
    const { subject, seen } = change
    const { grants, revocations } = this.state(subject)
    for (const id of seen) {
      if (revocations.has(id) || grants.some(grant => grant.id === id)) continue
      if (!this.#log.has(subject, id)) return false
    }
    if (change.kind === 'checkpoint') return this.#authors.holdsBelow(change.heads)
    return change.kind === 'grant' || this.#authors.holdsUpTo(change)
  }

  /** Merge an entry whose `fit` is `next`. What it returns takes it back, if it is the last. */
  merge(entry: UnsavedEntry): () => void {
    const { source, sequence } = entry.change
    const head = this.#heads.get(source)
    this.#heads.set(source, { sequence, hash: entry.hash })
    const forgetSigned = this.#authors.noteSigned(entry)
    const takeBack = this.#mergeContent({ ...entry, isStray: false })
    return () => {
      takeBack()
      forgetSigned()
      restore(this.#heads, source, head)
    }
  }

  /** What was merged up to here is in the log. */
  saved(): void {
    this.#log.clear()
  }

  /** Take an entry over from the log, in its order, with all withdrawals known. */
  load(entry: LoggedChange, repeats: boolean): void {
    const { source, sequence } = entry.change
    this.#heads.set(source, { sequence, hash: entry.hash })
    this.#authors.noteSigned(entry)
    this.#changes += 1
    if (!repeats) this.#loadContent(entry)
  }

  /** Take a stray over from the log, likewise. */
  loadStray({ entry }: Stray, repeats: boolean): void {
    this.#fileStray(entry)
    if (this.#log.find(entry.change, entry.hash)?.isStray !== false) this.#changes += 1
    if (!repeats) this.#loadContent(entry)
  }

  /** The first sequence of a source that was forked; `Infinity` for all others. */
  forkOf(source: Source): number {
    return this.#forks.get(source) ?? Infinity
  }

  /** Whether a node has signed what cannot stand in one chain, in any of its runs. */
  hasEquivocated(node: Name): boolean {
    return this.#forks.keys().some(source => nodeOf(source) === node)
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
   */
  mergeStray({ entry }: Stray): () => void {
    const { change, hash, signatures } = entry
    const fork = this.#forks.get(change.source)
    const isHeld = this.#log.find(change, hash) !== undefined
    this.#fileStray(entry)
    const takeBack = isHeld
      ? () => {}
      : this.#mergeContent({ change, hash, signatures, isStray: true })
    this.reviewCheckpoints()
    const isCovered = this.#checkpoints.names(change.source)
    const touched = [...this.#authors.touchedBy(entry), ...(isCovered ? [change.subject] : [])]
    const comeBack = this.#dropVoid(touched.filter(subject => subject !== WHOLE_LIST))
    return () => {
      comeBack()
      takeBack()
      restore(this.#forks, change.source, fork)
      const place = strayPlace(entry)
      this.#heads.delete(place.source)
      this.#strays.delete(place.source)
    }
  }

  #fileStray(entry: Entry): void {
    const place = strayPlace(entry)
    this.#heads.set(place.source, { sequence: place.sequence, hash: entry.hash })
    this.#strays.add(place.source)
    // By its own place alone, so that equal strays are equal forks on every node.
    this.noteFork(entry.change)
  }

  /** File as strays what comes from here on of a source. */
  noteFork({ source, sequence }: Place): void {
    this.#forks.set(source, Math.min(this.forkOf(source), sequence))
  }

  /** Take note of a revocation of an operator or node before its turn. Others are passed over. */
  withdraw(change: Change): void {
    this.#authors.withdraw(change)
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

  /** Take a checkpoint of the log for true before its turn: whoever it shuts out stays out. */
  presume(checkpoint: CheckpointEntry): void {
    this.#checkpoints.add(checkpoint, 'presumed')
  }

  /** Say whether a checkpoint was found to be true. */
  judge(checkpoint: CheckpointEntry, isTrue: boolean): void {
    this.#checkpoints.judge(checkpoint, isTrue)
    this.reviewCheckpoints()
  }

  /** The list at heads, as a checkpoint there has to state it. */
  cutAt(heads: UpTo): Cut {
    return this.#checkpoints.cutAt(heads)
  }

  /** The next `limit` subjects of changes behind `after`, in the order of their bytes. */
  subjectsBehind(after: string, limit: number): readonly Subject[] {
    return this.#log.subjectsBehind(after, limit)
  }

  /** What a checkpoint does now. */
  checkpointEffect(entry: LoggedChange): CheckpointEffect {
    return this.#checkpoints.effectOf(entry)
  }

  /**
   * Look again at which checkpoints stand: for one that rises grants fall at once, and what stands
   * in their place, as after one that falls, the log has to tell.
   */
  reviewCheckpoints(): void {
    const { risen, isFewer } = this.#checkpoints.review()
    if (risen.length > 0) {
      const voided = this.#subjects
        .entries()
        .filter(([, { grants }]) => grants.some(grant => this.#isVoidGrant(grant)))
      this.#dropVoid(Array.from(voided, ([subject]) => subject))
    }
    if (!isFewer) return
    let last = ''
    for (;;) {
      const page = this.#log.subjectsBehind(last, 1_000)
      for (const subject of page) if (subject !== WHOLE_LIST) this.#unsettled.add(subject)
      if (page.length === 0) return
      last = page.at(-1) ?? last
    }
  }

  /**
   * Look up in the log the states of some subjects, of those that need it.
   * @returns those that were looked up
   */
  settle(subjects: Iterable<Subject>): Subject[] {
    const settled: Subject[] = []
    for (const subject of subjects) {
      if (!this.#unsettled.delete(subject)) continue
      const state = this.#evaluate(subject)
      const isKnown = state.grants.length > 0 || state.revocations.size > 0
      restore(this.#subjects, subject, isKnown ? state : undefined)
      settled.push(subject)
    }
    return settled
  }

  /** Look up the states of the next `limit` subjects that need it. @returns those subjects */
  settleSome(limit: number): Subject[] {
    return this.settle(this.#unsettled.values().take(limit).toArray())
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
    if (roleOf(subject) === 'client') return { ...request, ...place }
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
      this.#subjects.values().flatMap(({ grants }) => grants.map(({ change }) => change.source)),
    )
  }

  /** Merge what an entry says that is not in the log yet. @returns what takes it back */
  #mergeContent(entry: HeldEntry): () => void {
    const { change } = entry
    const { subject } = change
    const id = idOf(entry)
    const state = this.#subjects.get(subject)
    const wasUnsettled = this.#unsettled.has(subject)
    const repeats = change.kind === 'revocation' && this.#isKnown(subject, id)
    this.#log.add(id, entry)
    const comeBack =
      change.kind === 'checkpoint'
        ? this.#checkpoints.add({ ...entry, change })
        : this.#withdraw(change)
    this.#changes += 1
    if (!repeats && !this.isVoid(entry)) this.#mergeState(id, change)
    return () => {
      this.#changes -= 1
      this.#log.removeLast()
      comeBack()
      restore(this.#subjects, subject, state)
      if (!wasUnsettled) this.#unsettled.delete(subject)
    }
  }

  #mergeState(id: ChangeId, change: Change): void {
    const { subject } = change
    if (change.kind === 'checkpoint') return
    const isSettled = !this.#unsettled.has(subject)
    // A removal does not wait for the log.
    const isClear = isSettled || change.kind === 'revocation'
    const state = isClear ? mergeChange(this.state(subject), { id, change }) : undefined
    if (state === undefined) this.#unsettled.add(subject)
    else this.#subjects.set(subject, state)
  }

  #loadContent(entry: LoggedChange): void {
    const { change } = entry
    if (this.#unsettled.has(change.subject) || this.isVoid(entry)) return
    this.#mergeState(idOf(entry), change)
  }

  #isKnown(subject: Subject, id: ChangeId): boolean {
    return this.state(subject).revocations.has(id) || this.#log.has(subject, id)
  }

  /**
   * Let the grants of a revoked author stand no longer, from now on; which older ones stand again
   * in the place of those, the log has to tell. @returns what takes it back
   */
  #withdraw(change: Change): () => void {
    const unvoid = this.#authors.withdraw(change)
    if (!this.#authors.mayVoid(change, this.#forks.size > 0)) return unvoid
    this.reviewCheckpoints()
    const voided: Subject[] = []
    for (const [subject, { grants }] of this.#subjects) {
      if (grants.some(grant => this.#isVoidGrant(grant))) voided.push(subject)
    }
    const comeBack = this.#dropVoid(voided)
    return () => {
      comeBack()
      unvoid()
      this.reviewCheckpoints()
    }
  }

  /** Let void grants of subjects stand no longer, and have the log tell the rest. @returns what takes it back */
  #dropVoid(subjects: readonly Subject[]): () => void {
    const before = subjects.map(subject => ({
      subject,
      state: this.#subjects.get(subject),
      wasUnsettled: this.#unsettled.has(subject),
    }))
    for (const subject of subjects) {
      const state = this.state(subject)
      const grants = state.grants.filter(grant => !this.#isVoidGrant(grant))
      this.#subjects.set(subject, { ...state, grants })
      this.#unsettled.add(subject)
    }
    return () => {
      for (const { subject, state, wasUnsettled } of before.toReversed()) {
        restore(this.#subjects, subject, state)
        if (!wasUnsettled) this.#unsettled.delete(subject)
      }
    }
  }

  #isVoidGrant({ id, change }: StandingGrant): boolean {
    return this.isVoid({ change, hash: id })
  }

  #evaluate(subject: Subject): SubjectState {
    const entries = [...this.#log.ofSubject(subject)]
    return stateOf(
      entries.map(entry => ({
        id: idOf(entry),
        change: entry.change,
        isVoid: this.isVoid(entry),
      })),
    )
  }
}

/** What is merged before it is in the log. */
type UnsavedEntry = Omit<HeldEntry, 'isStray'>

/** The list for those that may not merge anything into it. */
export type ReadableWhitelist = Pick<
  Whitelist,
  | 'changes'
  | 'size'
  | 'state'
  | 'subjects'
  | 'clock'
  | 'heads'
  | 'heard'
  | 'forkOf'
  | 'hasEquivocated'
  | 'hasRemoved'
  | 'isVoid'
  | 'changesOf'
  | 'checkpointEffect'
  | 'standingCheckpoints'
  | 'draft'
  | 'frontier'
  | 'upTo'
>
