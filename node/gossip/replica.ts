import type { KeyObject } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import { ConfirmationRelay } from './confirmation-relay.ts'
import { CheckpointChecks } from './checkpoint-checks.ts'
import { assertProposable, assertStanding, whyAgain, type Commit } from './commit.ts'
import type { Announcement } from './document-frames.ts'
import type { DocumentStream, Update } from './document.ts'
import { HeadComparison } from './head-comparison.ts'
import { OwnSource } from './own-source.ts'
import { StorageHealth } from './storage-health.ts'
import { UnkeptRemovals } from './unkept-removals.ts'
import { SignedDocument } from './signed-document.ts'
import { LIST_SPREADING } from './spreading.ts'
import { displaySubject, nodeOf, WHOLE_LIST, type Source, type Subject } from '../identity/names.ts'
import { buildWhitelist } from '../whitelist/build.ts'
import {
  CHANGE_LIMITS,
  parseChange,
  type Change,
  type ChangeRequest,
  type Checkpoint,
  type CheckpointRequest,
  type Place,
} from '../whitelist/change.ts'
import type { CheckpointEntry } from '../whitelist/cut.ts'
import {
  entriesIn,
  entryHash,
  isStray,
  placeOf,
  straySource,
  type Entry,
  type Stray,
} from '../whitelist/entry.ts'
import { mergeStrays, straysShownBy } from '../whitelist/equivocation.ts'
import { signText } from '../identity/signature.ts'
import { objectionTo, type Signer, type Signers } from '../identity/signers.ts'
import type { ChangeStore } from '../whitelist/store.ts'
import { Settling } from './settling.ts'
import { asUpdate, carriedBy, problemOfValue } from './update.ts'
import { openAt, type UncheckedEntry, type UncheckedStray } from '../whitelist/open.ts'
import type { SubjectState } from '../whitelist/merge.ts'
import type { ReadableWhitelist, Whitelist } from '../whitelist/whitelist.ts'

/** An entry that this replica has just made durable and merged. */
export interface Applied {
  readonly entry: Entry
  /** When it came in, on the monotonic clock, in milliseconds. */
  readonly receivedAt: number
}

/** An entry that is merged and still to be made durable. */
interface Merged extends Applied {
  readonly takeBack: () => void
}

/** Remembers across starts whether the log is whole, and not the beginning of a longer one. */
export interface Wholeness {
  isWhole(): boolean
  /** @throws FridgeError `ERR_DATABASE` */
  noteWhole(isWhole: boolean): void
}

/** A source of this node that is not used any more, because peers have heard it otherwise. */
export interface EndedSource {
  readonly source: Source
  readonly why: string
  /** What this node accepted in it and nobody else can take any more: to be asked for again. */
  readonly lost: readonly Entry[]
}

/** How far the clock of an operator's machine and a node's may be apart at a commit. */
const MAX_COMMIT_AGE_MS = 10 * 60_000

/** Updates checked at a time: what lies between two looks at everything else. */
const BATCH = 128

interface Waiting {
  readonly update: Update
  readonly from: DocumentStream
  readonly receivedAt: number
}

export interface ReplicaOptions {
  /** This run of this node: never used before. */
  readonly source: Source
  /** The source that numbers the changes accepted here. Default: one for this run, named like it. */
  readonly ownSource?: OwnSource
  readonly store: ChangeStore
  /** What remembers whether the log was whole. Default: only this run does. */
  readonly wholeness?: Wholeness
  readonly signers: Signers
  /** This node's own certificate, known to `signers`, and its private key. */
  readonly self: { readonly signer: Signer; readonly key: KeyObject }
  readonly clock: Clock
  /** Called for each checkpoint that states a list which was not. */
  readonly onUntrue?: (checkpoint: CheckpointEntry) => void
}

/**
 * The whitelist of one node: the one replica that gossips, over the store that outlives it.
 * Nothing is merged, acted on or passed on before both signatures hold and it is durable here.
 */
export class Replica extends SignedDocument implements Disposable {
  /** Tells the nodes that accepted changes what became of them here. */
  readonly confirmations: ConfirmationRelay
  /** Whether changes can be stored. */
  readonly storage: StorageHealth
  readonly #options: ReplicaOptions
  readonly #store: ChangeStore
  readonly #listeners = new Set<(applied: readonly Applied[]) => void>()
  readonly #equivocationListeners = new Set<(strays: readonly Stray[]) => void>()
  readonly #settledListeners = new Set<(subjects: readonly Subject[]) => void>()
  readonly #endedListeners = new Set<(ended: EndedSource) => void>()
  readonly #links = new Set<DocumentStream>()
  /** Links whose peer has sent all that this node lacked at their start. */
  readonly #inStep = new WeakSet<DocumentStream>()
  #isWhole: boolean
  readonly #ownSource: OwnSource
  /** For each source of this node how far peers hold what this node holds. */
  readonly #spread = new Map<Source, number>()
  /** Whether changes of this node were given up, and those of its peers have not all come yet. */
  #isBehindItself = false
  #whitelist: Whitelist
  readonly #unkept: UnkeptRemovals
  /** Links that have brought what could not be stored: what they bring next stands behind a hole. */
  readonly #missed = new Set<DocumentStream>()
  /** Links that have been ended for that. */
  readonly #left = new WeakSet<DocumentStream>()
  readonly #settling: Settling
  readonly #checks: CheckpointChecks
  #isDisposed = false
  #inbox: Waiting[] = []
  #draining: Promise<void> | undefined
  /** Links that brought what another link had brought and what was still being checked. */
  readonly #alsoBrought = new Set<DocumentStream>()
  readonly #heads: HeadComparison

  /** @throws FridgeError `ERR_DATABASE_CORRUPT` when the store does not hold a consistent log */
  constructor(options: ReplicaOptions) {
    super(options.source, options.clock, LIST_SPREADING, options.signers)
    this.#options = options
    this.#store = options.store
    this.#ownSource = options.ownSource ?? new OwnSource({ draw: () => options.source })
    this.confirmations = new ConfirmationRelay({
      ...options,
      isOwn: source => nodeOf(source) === nodeOf(options.source),
    })
    this.confirmations.subscribe(({ node, to, applied }) => {
      if (node !== this.id && this.#whitelist.heard(to) > 0) this.#noteSpread(to, applied)
    })
    this.#whitelist = buildWhitelist(options.store, options.signers)
    this.#heads = new HeadComparison({
      list: () => this.#whitelist,
      store: options.store,
      isOwn: source => nodeOf(source) === nodeOf(this.id),
      onSpread: (source, sequence) => this.#noteSpread(source, sequence),
      onOther: own => {
        const isUnheard = !this.#isSpread(own)
        if (isUnheard) this.#giveUp(own)
        return isUnheard
      },
    })
    this.#settling = new Settling({
      list: () => this.#whitelist,
      onSettled: subjects => this.#tellOf(subjects),
      onFailure: error => this.storage.failed(error),
    })
    this.#checks = new CheckpointChecks({
      list: () => this.#whitelist,
      onJudged: (checkpoint, isTrue) => {
        if (!isTrue) options.onUntrue?.(checkpoint)
        this.#settling.start()
      },
      onFailure: error => this.storage.failed(error),
    })
    for (const [source, sequence] of this.#whitelist.clock()) this.sources[source] = sequence
    this.#isWhole = options.wholeness?.isWhole() ?? false
    this.#unkept = new UnkeptRemovals({ list: () => this.#whitelist, log: this.#store })
    this.storage = new StorageHealth({ probe: () => this.#store.probe(), clock: this.clock })
    this.storage.subscribe(failing => {
      if (failing === undefined) this.#startAnew()
    })
  }

  /** The list as it is now. */
  get whitelist(): ReadableWhitelist {
    return this.#whitelist
  }

  /** What decides about a subject: the list, and the removals that could not be stored. */
  stateOf(subject: Subject): SubjectState {
    return this.#unkept.stateOf(subject)
  }

  /**
   * Whether the log is one that was complete at some time, with what came singly behind it: the
   * beginning of a longer log lets in whom its end removes.
   */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** There is nobody who could hold more. */
  noteAlone(): void {
    this.#noteWhole(true)
  }

  /** How many updates wait to be taken in. */
  get backlog(): number {
    return this.#inbox.length + this.confirmations.backlog
  }

  /** Resolves when all that has come in is taken in or refused. */
  async settled(): Promise<void> {
    await this.#draining
    await this.#checks.settled()
    await this.#settling.settled()
    await this.confirmations.settled()
  }

  /** Hear of every change, remote or local, after it is durable and merged. */
  subscribe(listener: (applied: readonly Applied[]) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /** Hear of each node that is found to have signed entries that cannot stand in one chain. */
  subscribeEquivocation(listener: (strays: readonly Stray[]) => void): Disposable {
    this.#equivocationListeners.add(listener)
    return { [Symbol.dispose]: () => this.#equivocationListeners.delete(listener) }
  }

  /** Hear of each source of this node that peers have heard otherwise. */
  subscribeEnded(listener: (ended: EndedSource) => void): Disposable {
    this.#endedListeners.add(listener)
    return { [Symbol.dispose]: () => this.#endedListeners.delete(listener) }
  }

  /** Another run of this node lives: what this one shares with it is not used any more. */
  noteTwin(): void {
    if (this.#ownSource.isShared) this.#endSource('another node runs under the name of this one')
  }

  /**
   * Hear of subjects whose state has changed otherwise than by a change that was applied: by what was
   * found to stand in the place of void grants, or by a removal that could not be stored.
   */
  subscribeSettled(listener: (subjects: readonly Subject[]) => void): Disposable {
    this.#settledListeners.add(listener)
    return { [Symbol.dispose]: () => this.#settledListeners.delete(listener) }
  }

  /**
   * The change that a request would be at this node's next place: to be signed and committed.
   * @throws FridgeError `ERR_CONFLICT` when no grant can have seen all revocations of its subject
   */
  propose(request: ChangeRequest): Change {
    assertProposable(request, this.#whitelist)
    return this.#whitelist.draft(request, this.#ownSource.take(), this.clock.now())
  }

  /**
   * The checkpoint of the list as it is now, at this node's next place.
   * @throws FridgeError `ERR_LIMIT` when the list has too many sources for one
   */
  async proposeCheckpoint(request: CheckpointRequest): Promise<Checkpoint> {
    const former = this.signers.formerAuthorities().slice(0, CHANGE_LIMITS.maxFormer)
    return {
      ...request,
      ...(await this.#checks.state(former)),
      ...this.#whitelist.placeAfter(this.#ownSource.take()),
      subject: WHOLE_LIST,
      seen: [],
      at: this.clock.now(),
    }
  }

  /** Find out whether the checkpoints of the log are true; until then they are taken for it. */
  checkCheckpoints(): void {
    this.#checks.start()
  }

  /** Other authorities are trusted now: look again at which checkpoints stand. */
  reviewCheckpoints(): void {
    this.#whitelist.reviewCheckpoints()
    this.#settling.start()
  }

  /** Why a change that was proposed here must be proposed anew, if it must, with what proves it. */
  whyAgain(change: Change): ReturnType<typeof whyAgain> {
    return whyAgain(change, {
      list: this.#whitelist,
      store: this.#store,
      stated: this.#checks.stated,
    })
  }

  /**
   * Commit the canonical text of a change proposed here, signed by its operator. `again` when
   * its place was taken or its subject changed since: propose anew.
   * @throws FridgeError `ERR_PROTOCOL` when it is none of ours, `ERR_REFUSED` when its signer may
   *   not make it, `ERR_DATABASE` when it cannot be made durable: then nothing of it is there
   */
  async commit(text: string, operator: Signer, operatorSignature: string): Promise<Commit> {
    const parsed = parseChange(text)
    if (!parsed.ok) throw new FridgeError('ERR_PROTOCOL', `cannot commit: ${parsed.why}`)
    const { change } = parsed
    if (change.source !== this.#ownSource.take()) {
      return { outcome: 'again', why: 'it was proposed by another node, or before a restart' }
    }
    if (this.#isBehindItself) {
      return { outcome: 'again', why: 'this node is taking in changes of its own from its peers' }
    }
    if (Math.abs(this.clock.now() - change.at) > MAX_COMMIT_AGE_MS) {
      return { outcome: 'again', why: 'it was proposed too long ago' }
    }
    // As every peer will judge it: a change that peers refuse would end each link here for ever.
    const objection =
      objectionTo(operator, 'operator', change.operator, change.at) ??
      objectionTo(this.#options.self.signer, 'node', nodeOf(this.id), change.at)
    if (objection !== undefined) throw new FridgeError('ERR_REFUSED', objection)
    if (!(await this.signers.verify(operator, 'change', text, operatorSignature))) {
      throw new FridgeError('ERR_REFUSED', 'the signature of the operator does not hold')
    }
    // From here to the end nothing else happens in between.
    assertStanding(change, {
      hasEquivocated: name => this.#whitelist.hasEquivocated(name),
      state: subject => this.stateOf(subject),
    })
    const { signer, key } = this.#options.self
    const again = this.whyAgain(change)
    if (again !== undefined) return { outcome: 'again', ...again }
    const hash = entryHash(text)
    const entry: Entry = {
      change,
      text,
      hash,
      signatures: {
        operatorCertificate: operator.identity.fingerprint,
        operatorSignature,
        nodeCertificate: signer.identity.fingerprint,
        nodeSignature: signText(key, 'entry', hash),
      },
    }
    const takeBack = this.#whitelist.merge(entry)
    if (!this.storage.probe() || !this.#stores([entry])) {
      takeBack()
      this.#actOn([entry], true)
      throw this.#notRecorded(change)
    }
    this.#announce([{ entry, receivedAt: this.clock.monotonic() }])
    return { outcome: 'committed', entry }
  }

  /** Stop looking anything up. */
  [Symbol.dispose](): void {
    this.#isDisposed = true
    this.#checks[Symbol.dispose]()
    this.storage[Symbol.dispose]()
    this.#settling[Symbol.dispose]()
    this.confirmations[Symbol.dispose]()
  }

  protected override problemOf([value, , , ...rest]: Update): string | undefined {
    return rest.length > 0 ? 'an update has too many fields' : problemOfValue(value)
  }

  protected override signersOf(update: Update): readonly string[] {
    return entriesIn(carriedBy(update)).flatMap(({ signatures }) => [
      signatures.operatorCertificate,
      signatures.nodeCertificate,
    ])
  }

  protected override openings(): Iterable<object> {
    return this.#heads.openings()
  }

  protected override takeFrame(
    frame: object,
    from: DocumentStream,
  ): { readonly refused?: string } | undefined {
    if ('confirmed' in frame) return this.confirmations.take(frame, from)
    return 'heads' in frame ? this.#heads.take(frame, from) : super.takeFrame(frame, from)
  }

  protected override announcementOf(source: Source, sequence: number): unknown {
    return this.#heads.announcementOf(source, sequence)
  }

  protected override compare(announced: Announcement, from: DocumentStream): void {
    this.#heads.compare(announced, from)
  }

  protected override attached(from: DocumentStream): void {
    this.confirmations.meet(from)
    this.#links.add(from)
  }

  protected override digested(clock: ReadonlyMap<Source, number>): void {
    const own = this.#ownSource.candidate
    if (own === undefined) return
    // More of it may be a lie: only a change that comes, signed with the own key, proves it.
    if ((clock.get(own) ?? 0) <= this.#whitelist.heard(own)) this.#ownSource.confirm()
  }

  protected override synced(from: DocumentStream): void {
    void this.#takeAllOf(from)
  }

  async #takeAllOf(from: DocumentStream): Promise<void> {
    await this.settled()
    await this.storage.working()
    if (!this.#links.has(from)) return
    this.#inStep.add(from)
    this.#isBehindItself = false
    this.#noteWhole(true)
  }

  #noteWhole(isWhole: boolean): void {
    if (this.#isWhole === isWhole || this.#isDisposed) return
    try {
      this.#options.wholeness?.noteWhole(isWhole)
      this.#isWhole = isWhole
    } catch (error) {
      this.storage.failed(error)
    }
  }

  protected override failedToRead(error: unknown): void {
    this.storage.failed(error)
  }

  protected override detached(from: DocumentStream): void {
    this.#links.delete(from)
    this.#missed.delete(from)
    this.confirmations.forget(from)
  }

  protected override take(update: Update, from: DocumentStream): void {
    this.confirmations.broughtBy(update[2], from)
    if (!this.startCheck(update)) {
      this.#alsoBrought.add(from)
      return
    }
    this.#inbox.push({ update, from, receivedAt: this.clock.monotonic() })
    this.#draining ??= this.#drain()
  }

  protected override updatesAfter(clock: ReadonlyMap<Source, number>, limit: number): Update[] {
    const updates: Update[] = []
    for (const entry of this.#store.after(clock)) {
      if (updates.length >= limit) break
      updates.push(asUpdate(entry))
    }
    return updates
  }

  /** Take in all that waits, a batch a transaction: one fsync for what came together. */
  async #drain(): Promise<void> {
    const refused = new Set<DocumentStream>()
    while (this.#inbox.length > 0) {
      const batch = this.#inbox.splice(0, BATCH)
      const opened = await Promise.all(batch.map(async ({ update }) => this.#open(update)))
      try {
        this.#takeBatch(batch, opened, refused)
      } catch (error) {
        if (!(error instanceof FridgeError)) throw error
        this.storage.failed(error)
        this.#passOver(batch, opened)
      }
      for (const { update } of batch) this.endCheck(update)
    }
    this.#alsoBrought.clear()
    // In this turn: what comes in the next one starts anew, and is not left lying.
    this.#draining = undefined
  }

  /** @returns the entry if both its signatures hold, `stale` if it is held, or why its link must end */
  async #open(update: Update): Promise<Entry | Stray | string> {
    const [, sequence, source] = update
    const place = { source, sequence }
    const carried = carriedBy(update)
    // A duplicate over a second link is not worth two signature checks.
    if (this.#isKnown(place, carried)) return 'stale'
    return openAt(place, carried, this.signers)
  }

  /** @returns whether they are stored */
  #stores(all: readonly (Entry | Stray)[]): boolean {
    if (this.storage.failing !== undefined) return false
    try {
      this.#ownSource.store()
      this.signers.keep(all.flatMap(entriesIn).map(({ signatures }) => signatures))
      this.#store.append(all)
      this.storage.worked()
      return true
    } catch (error) {
      this.storage.failed(error)
      return false
    }
  }

  /** Let removals act that hold and are not stored. */
  #actOn(all: readonly (Entry | Stray | string)[], isRefused: boolean): void {
    const subjects: Subject[] = []
    for (const one of all) {
      if (typeof one === 'string' || this.#isKnown(placeOf(one), one)) continue
      subjects.push(...this.#unkept.add(isStray(one) ? one.entry : one, isRefused))
    }
    this.#tellOf(subjects)
  }

  /** Changes can be stored again: what was passed over meanwhile is asked for anew. */
  #startAnew(): void {
    for (const from of Array.from(this.#missed)) {
      this.#left.add(from)
      from.leave('this node could not store changes, and asks for them anew')
    }
    this.#missed.clear()
    this.#tellOf(this.#unkept.dropRefused())
  }

  #tellOf(subjects: readonly Subject[]): void {
    if (subjects.length === 0) return
    for (const listener of this.#settledListeners) listener(subjects)
  }

  #noteSpread(source: Source, sequence: number): void {
    this.#spread.set(source, Math.max(this.#spread.get(source) ?? 0, sequence))
  }

  #isSpread({ change: { source, sequence } }: Entry): boolean {
    return sequence <= (this.#spread.get(source) ?? 0)
  }

  /** A peer brings what stands behind all that this node holds of a source, perhaps of its own. */
  #noteOwn({ change: { source, sequence } }: Entry): void {
    if (nodeOf(source) !== nodeOf(this.id)) return
    if (source === this.#ownSource.candidate) {
      this.#endSource('a peer has heard more of it than this node')
    }
    this.#noteSpread(source, sequence)
  }

  /** What this node holds at a place that a peer holds otherwise, if nobody else has heard of it. */
  #unspreadRival(strays: readonly Stray[]): Entry | undefined {
    const rival = strays[0]?.entry
    const isOwn = rival !== undefined && nodeOf(rival.change.source) === nodeOf(this.id)
    if (!isOwn || !this.#whitelist.holds(rival.change) || this.#isSpread(rival)) return undefined
    const [own] = this.#store.ofSource(rival.change.source, rival.change.sequence)
    return own?.hash === rival.hash ? own : undefined
  }

  /** This source is not used any more, and said so. */
  #endSource(why: string, lost: readonly Entry[] = []): void {
    const source = lost[0]?.change.source ?? this.#ownSource.candidate
    if (source === undefined) return
    try {
      if (source === this.#ownSource.candidate) this.#ownSource.end()
    } catch (error) {
      this.storage.failed(error)
    }
    for (const listener of this.#endedListeners) listener({ source, why, lost })
  }

  /**
   * Give up what was accepted here from a place on that peers hold otherwise, as a node does that was
   * resumed from a snapshot: it was never sent to anybody, and cannot be any more. What takes away
   * acts on while this node runs.
   */
  #giveUp({ change: first }: Entry): void {
    // What was accepted before may be otherwise as well: no other change may have seen it.
    this.#isBehindItself = true
    const lost: Entry[] = []
    for (let next: Place | undefined = first; next !== undefined; next = this.#firstUnheld()) {
      const { source, sequence } = next
      lost.push(...this.#store.ofSource(source, sequence))
      this.#store.takeBack(source, sequence)
      this.#whitelist = buildWhitelist(this.#store, this.signers)
      if (sequence > 1) this.sources[source] = sequence - 1
      else delete this.sources[source]
    }
    for (const entries of Map.groupBy(lost, ({ change }) => change.source).values()) {
      this.#endSource('peers hold other changes at its places', entries)
    }
    const subjects = lost.flatMap(entry => [
      entry.change.subject,
      ...this.#unkept.add(entry, false),
    ])
    this.#tellOf(subjects)
    this.#checks.start()
    for (const from of Array.from(this.#links)) {
      this.#left.add(from)
      from.leave('this node asks for changes of its own anew')
    }
  }

  /** The first change of this node that has seen what is given up: no peer could take it. */
  #firstUnheld(): Place | undefined {
    for (const [source] of this.#whitelist.heads()) {
      if (nodeOf(source) !== nodeOf(this.id)) continue
      for (const { change } of this.#store.ofSource(source, (this.#spread.get(source) ?? 0) + 1)) {
        if (!this.#whitelist.holdsSeen(change)) return change
      }
    }
    return undefined
  }

  #notRecorded({ kind, subject }: Change): FridgeError {
    const what = kind === 'grant' ? 'nothing was changed' : 'the removal is NOT recorded'
    const meanwhile = kind === 'grant' ? '' : ', though connections to this node were cut'
    return new FridgeError(
      'ERR_DATABASE',
      `node/${nodeOf(this.id)} cannot store changes (${this.storage.failing ?? 'it failed'}): ${what}${meanwhile}. Free space there, or run the command on another node with --node HOST:PORT, for ${displaySubject(subject)}`,
    )
  }

  /** As `#holds`; a log that cannot be read holds nothing: it may be a removal. */
  #isKnown(place: Place, carried: UncheckedEntry | UncheckedStray): boolean {
    try {
      return this.#holds(place, carried)
    } catch (error) {
      this.storage.failed(error)
      return false
    }
  }

  /** Whether this very entry is in the log: another one at its place is a fork. */
  #holds({ source, sequence }: Place, carried: UncheckedEntry | UncheckedStray): boolean {
    if (isStray(carried)) return sequence <= this.#whitelist.heard(source)
    if (this.#whitelist.forkOf(source) <= sequence) {
      return this.#whitelist.heard(straySource(source, carried.text)) > 0
    }
    if (sequence > this.#whitelist.heard(source)) return false
    const [own] = this.#store.ofSource(source, sequence)
    return own?.hash === entryHash(carried.text)
  }

  /**
   * Take in what has been checked, in its order: what comes later may have seen what comes before.
   * @param refused links that have been refused already: each is refused once
   */
  #takeBatch(
    batch: readonly Waiting[],
    opened: readonly (Entry | Stray | string)[],
    refused: Set<DocumentStream>,
  ): void {
    const refuse = (from: DocumentStream, reason: string): void => {
      if (!refused.has(from)) from.refuse(reason)
      refused.add(from)
    }
    const merged: Merged[] = []
    const isStored = batch.every(({ from, receivedAt }, index) => {
      const one = opened[index] ?? 'stale'
      if (typeof one === 'string') {
        if (one !== 'stale') refuse(from, one)
        return true
      }
      // It stands behind a hole that only this node has made; what takes away acts all the same.
      if (this.#left.has(from)) {
        this.#actOn([one], false)
        return true
      }
      if (this.storage.failing !== undefined) return false
      if (!isStray(one) && this.#whitelist.fit(one) === 'next') {
        this.#noteOwn(one)
        if (!this.#inStep.has(from)) this.#noteWhole(false)
        merged.push({ entry: one, receivedAt, takeBack: this.#whitelist.merge(one) })
        this.confirmations.heardFrom(one.change.source, from)
        return true
      }
      // Whether it is a fork, only the log can tell.
      if (!this.#keep(merged)) return false
      const strays = straysShownBy(one, { list: this.#whitelist, store: this.#store })
      // Who shows both entries has heard of both.
      const isShown = isStray(one) || typeof strays === 'string'
      const rival = isShown ? undefined : this.#unspreadRival(strays)
      if (rival !== undefined) {
        this.#giveUp(rival)
        return true
      }
      if (typeof strays !== 'string') return this.#takeStrays(strays)
      refuse(from, strays)
      return true
    })
    if (isStored && this.#keep(merged)) return
    for (const { takeBack } of merged.splice(0).toReversed()) takeBack()
    this.#passOver(batch, opened)
  }

  /** Of what cannot be stored, take what takes away, and note whom to ask for all of it later. */
  #passOver(batch: readonly Waiting[], opened: readonly (Entry | Stray | string)[]): void {
    this.#actOn(opened, false)
    // The links too whose copy was passed over: what they bring next would stand behind a hole.
    for (const from of [...batch.map(({ from }) => from), ...this.#alsoBrought]) {
      if (!this.#left.has(from)) this.#missed.add(from)
    }
  }

  /** Make merged entries durable and pass them on, or take them back. @returns whether that could be done */
  #keep(merged: Merged[]): boolean {
    const applied = merged.splice(0)
    if (applied.length === 0) return true
    if (!this.#stores(applied.map(({ entry }) => entry))) {
      for (const { takeBack } of applied.toReversed()) takeBack()
      return false
    }
    this.#announce(applied)
    return true
  }

  /** @returns whether they could be stored */
  #takeStrays(found: readonly Stray[]): boolean {
    const merged = mergeStrays(found, { list: this.#whitelist, store: this.#store })
    const taken = merged.map(({ stray }) => stray)
    if (taken.length === 0) return true
    if (!this.#stores(taken)) {
      for (const { takeBack } of merged.toReversed()) takeBack()
      return false
    }
    this.#settle(taken.map(({ entry }) => entry))
    for (const { entry } of taken) this.#unkept.stored(entry)
    for (const stray of taken) this.publish(asUpdate(stray))
    for (const listener of this.#equivocationListeners) listener(taken)
    return true
  }

  /** What is merged is in the log: look up what of it could not be told without. */
  #settle(entries: readonly Entry[]): void {
    this.#whitelist.saved()
    this.#whitelist.settle(entries.map(({ change }) => change.subject))
    this.#settling.start()
    this.#checks.start()
  }

  #announce(applied: readonly Applied[]): void {
    this.#settle(applied.map(({ entry }) => entry))
    for (const { entry } of applied) this.#unkept.stored(entry)
    for (const { entry } of applied) this.publish(asUpdate(entry))
    for (const listener of this.#listeners) listener(applied)
  }
}
