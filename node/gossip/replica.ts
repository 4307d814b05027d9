import { nodeOf, type Source, type Subject } from '../identity/names.ts'
import type { Signer } from '../identity/signers.ts'
import type { Change, ChangeRequest, Checkpoint, CheckpointRequest } from '../whitelist/change.ts'
import { entriesIn, type Entry, type Stray } from '../whitelist/entry.ts'
import type { SubjectState } from '../whitelist/merge.ts'
import type { ReadableWhitelist } from '../whitelist/readable-whitelist.ts'
import type { Base } from '../whitelist/store.ts'
import { Acceptance, type BatchCommit, type ProposedBatch, type SignedText } from './acceptance.ts'
import type { Commit } from './commit.ts'
import { ConfirmationRelay, isOfConfirmations } from './confirmation-relay.ts'
import type { Announcement } from './document-frames.ts'
import type { DocumentStream } from './document-stream.ts'
import type { Update } from './document.ts'
import { DurableList, type Applied } from './durable-list.ts'
import { HeadComparison } from './head-comparison.ts'
import { Inbox } from './inbox.ts'
import { OwnPast, type EndedSource } from './own-past.ts'
import { OwnSource } from './own-source.ts'
import type { ReplicaOptions } from './replica-options.ts'
import { ReplicaLinks } from './replica-links.ts'
import { SignedDocument } from './signed-document.ts'
import { LIST_SPREADING } from './spreading.ts'
import type { StorageHealth } from './storage-health.ts'
import { asUpdate, carriedBy, pageOf, problemOfValue } from './update.ts'
import { StateExchange } from './state-exchange.ts'
import type { PeerClock } from './peer-clock.ts'
import type { Beginning } from './outgoing.ts'
import { Wholeness } from './wholeness.ts'

/**
 * The whitelist of one node: the one replica that gossips, over the store that outlives it.
 * Nothing is merged, acted on or passed on before both signatures hold and it is durable here, but
 * that removals act and are passed on while they are being made durable.
 */
export class Replica extends SignedDocument implements Disposable {
  /** Tells the nodes that accepted changes what became of them here. */
  readonly confirmations: ConfirmationRelay
  /** Whether changes can be stored. */
  readonly storage: StorageHealth
  /** How much of the list is here. */
  readonly wholeness: Wholeness
  /** What a node that holds nothing is sent of a list that begins at a checkpoint. */
  readonly stateExchange: StateExchange
  readonly #options: ReplicaOptions
  readonly #list: DurableList
  readonly #ownSource: OwnSource
  readonly #past: OwnPast
  readonly #links = new ReplicaLinks(this.clock)
  readonly #inbox: Inbox
  readonly #heads: HeadComparison
  readonly #acceptance: Acceptance

  /** @throws FridgeError `ERR_DATABASE_CORRUPT` when the store does not hold a consistent log */
  constructor(options: ReplicaOptions) {
    super(options.source, options.clock, LIST_SPREADING, options.signers)
    this.#options = options
    const { source: run, store, signers } = options
    this.#ownSource = options.ownSource ?? new OwnSource({ draw: () => run })
    const list = new DurableList({
      ...options,
      onStoring: () => this.#ownSource.store(),
      publish: one => this.publish(asUpdate(one)),
    })
    const past = new OwnPast({
      run,
      source: this.#ownSource,
      list: () => list.whitelist,
      store,
      onFailure: error => this.storage.failed(error),
    })
    this.#list = list
    this.#past = past
    this.storage = list.storage
    this.confirmations = new ConfirmationRelay({
      ...options,
      isOwn: source => past.isOwn(source),
      held: about => list.held(about),
    })
    this.confirmations.subscribe(({ node, to, applied }) => {
      if (applied > 0 && node !== this.id && list.whitelist.heard(to) > 0)
        past.noteSpread(to, applied)
    })
    this.#heads = new HeadComparison({
      list: () => list.whitelist,
      store,
      isOwn: source => past.isOwn(source),
      onSpread: (source, sequence) => past.noteSpread(source, sequence),
      onOther: own => !past.isSpread(own) && this.#giveUp(own),
      onFork: from => this.#links.noteEarly(from),
    })
    this.#hear(list.whitelist.clock())
    this.wholeness = new Wholeness({
      record: options.wholeness,
      links: this.#links,
      isEmpty: () => list.whitelist.changes === 0,
      isWitnessed: () => this.stateExchange.isWitnessed,
      storage: list.storage,
    })
    this.stateExchange = new StateExchange({
      list,
      store,
      signers,
      links: this.#links,
      minArchived: options.minArchived,
      onBrought: from => this.wholeness.brought(from),
      onBegun: clock => this.#hear(clock),
      onWitnessed: () => this.wholeness.witnessed(),
    })
    this.#acceptance = new Acceptance({
      ...options,
      ownSource: this.#ownSource,
      list,
      past,
      stateExchange: this.stateExchange,
    })
    this.#inbox = new Inbox({
      before: async () => this.stateExchange.settled(),
      stored: async () => this.stateExchange.stored(),
      list,
      links: this.#links,
      past,
      confirmations: this.confirmations,
      signers,
      passOnAhead: removals => this.passOnAhead(removals.map(asUpdate)),
      onRival: own => this.#giveUp(own),
      onBrought: from => this.wholeness.brought(from),
      onChecked: update => this.endCheck(update),
    })
    this.storage.subscribe(failing => {
      if (failing === undefined) this.#startAnew()
    })
  }

  /** The list as it is now. */
  get whitelist(): ReadableWhitelist {
    return this.#list.whitelist
  }

  /** What decides about a subject: the list, and the removals that could not be stored. */
  stateOf(subject: Subject): SubjectState {
    return this.#list.stateOf(subject)
  }

  /** How many updates wait to be taken in. */
  get backlog(): number {
    return this.#inbox.size + this.stateExchange.backlog + this.confirmations.backlog
  }

  /** Resolves when all that has come in is taken in or refused. */
  async settled(): Promise<void> {
    await this.stateExchange.settled()
    await this.#inbox.settled()
    await this.#list.settled()
    await this.confirmations.settled()
  }

  /** Hear of every change after it is durable and merged. */
  subscribe(listener: (applied: readonly Applied[]) => void): Disposable {
    return this.#list.subscribe(listener)
  }

  /** Hear of removals that act, and are to be made durable next. */
  subscribeAhead(listener: (removals: readonly Entry[]) => void): Disposable {
    return this.#list.subscribeAhead(listener)
  }

  /** Hear of each node that is found to have signed entries that cannot stand in one chain. */
  subscribeEquivocation(listener: (strays: readonly Stray[]) => void): Disposable {
    return this.#list.subscribeEquivocation(listener)
  }

  /** Hear of each source of this node that peers have heard otherwise. */
  subscribeEnded(listener: (ended: EndedSource) => void): Disposable {
    return this.#past.subscribe(listener)
  }

  /** Another run of this node lives: what this one shares with it is not used any more. */
  noteTwin(): void {
    this.#past.noteTwin()
  }

  /**
   * Hear of subjects whose state has changed otherwise than by a change that was applied: by what was
   * found to stand in the place of void grants, or by a removal that could not be stored.
   */
  subscribeSettled(listener: (subjects: readonly Subject[]) => void): Disposable {
    return this.#list.subscribeSettled(listener)
  }

  /**
   * The change that a request would be at this node's next place: to be signed and committed.
   * @throws FridgeError `ERR_CONFLICT` when no grant can have seen all revocations of its subject
   */
  propose(request: ChangeRequest): Change {
    return this.#acceptance.propose(request)
  }

  /**
   * The changes that requests would be at this node's next places, each behind the one before.
   * @throws FridgeError as `propose`
   */
  proposeBatch(requests: readonly ChangeRequest[], operator: Signer): ProposedBatch {
    return this.#acceptance.proposeBatch(requests, operator)
  }

  /**
   * The checkpoint of the list as it is now, at this node's next place.
   * @throws FridgeError `ERR_LIMIT` when the list has too many sources for one
   */
  async proposeCheckpoint(request: CheckpointRequest): Promise<Checkpoint> {
    return this.#acceptance.proposeCheckpoint(request)
  }

  /** What finds out whether the checkpoints of the log are true: until then they are taken for it. */
  get checks(): Pick<DurableList['checks'], 'start' | 'stateAt'> {
    return this.#list.checks
  }

  /** The log begins at another checkpoint by now. */
  moveBase(base: Base): void {
    this.#list.moveBase(base)
  }

  /** Other authorities are trusted now: look again at which checkpoints stand. */
  reviewCheckpoints(): void {
    this.#list.reviewCheckpoints()
  }

  /** Why a change that was proposed here must be proposed anew, if it must, with what proves it. */
  whyAgain(change: Change): ReturnType<Acceptance['whyAgain']> {
    return this.#acceptance.whyAgain(change)
  }

  /** Commit the canonical text of a change proposed here, signed by its operator (`Acceptance`). */
  async commit(text: string, operator: Signer, operatorSignature: string): Promise<Commit> {
    return this.#acceptance.commit({ text, operatorSignature }, operator)
  }

  /** Commit all of some changes that were proposed here together, or none (`Acceptance`). */
  async commitBatch(signed: readonly SignedText[], operator: Signer): Promise<BatchCommit> {
    return this.#acceptance.commitBatch(signed, operator)
  }

  /** Stop looking anything up. */
  [Symbol.dispose](): void {
    this.#links[Symbol.dispose]()
    this.wholeness[Symbol.dispose]()
    this.#list[Symbol.dispose]()
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
    return [...this.#heads.openings(), ...this.stateExchange.openings()]
  }

  protected override takeFrame(
    frame: object,
    from: DocumentStream,
  ): { readonly refused?: string } | undefined {
    if (isOfConfirmations(frame)) return this.confirmations.take(frame, from)
    const taken = this.stateExchange.take(frame, from)
    if (taken !== undefined) return taken
    return 'heads' in frame ? this.#heads.take(frame, from) : super.takeFrame(frame, from)
  }

  protected override beginningFor(to: DocumentStream): Beginning | undefined {
    if (this.wholeness.wasWhole !== true) return undefined
    return this.stateExchange.beginningFor(update => this.attachmentsOf(update, to))
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
    this.wholeness.met(from)
  }

  protected override digested(id: Source, clock: PeerClock, from: DocumentStream): void {
    this.stateExchange.met(from, nodeOf(id))
    this.#past.digested(clock)
  }

  protected override synced(from: DocumentStream): void {
    void this.#takeAllOf(from)
  }

  async #takeAllOf(from: DocumentStream): Promise<void> {
    await this.settled()
    await this.storage.working()
    if (!this.#links.noteSynced(from)) return
    this.#past.caughtUp()
    this.stateExchange.noteInStep(from)
    this.wholeness.exchanged(from)
    from.onSynced()
  }

  protected override failedToRead(error: unknown): void {
    this.storage.failed(error)
  }

  protected override detached(from: DocumentStream): void {
    this.#links.delete(from)
    this.stateExchange.forget(from)
    this.confirmations.forget(from)
    this.wholeness.lost()
  }

  protected override take(update: Update, from: DocumentStream): void {
    this.confirmations.broughtBy(update[2], from)
    if (!this.startCheck(update)) {
      this.#inbox.noteCopy(from)
      return
    }
    this.#inbox.add({ update, from, receivedAt: this.clock.monotonic() })
  }

  protected override updatesAfter(clock: PeerClock, limit: number): Update[] {
    return pageOf(this.#options.store.after(clock.toMap()), limit)
  }

  #hear(clock: ReadonlyMap<Source, number>): void {
    for (const [source, sequence] of clock) this.hold(source, sequence)
  }

  /** Changes can be stored again: what was passed over meanwhile is asked for anew. */
  #startAnew(): void {
    this.#links.leaveMissed('this node could not store changes, and asks for them anew')
    this.#list.dropRefused()
  }

  /**
   * Give up what was accepted here from a place on that peers hold otherwise, as a node does that was
   * resumed from a snapshot: it was never sent to anybody, and cannot be any more. What takes away
   * acts on while this node runs.
   */
  #giveUp(first: Entry): true {
    this.#past.fallBehind()
    const lost: Entry[] = []
    for (let next: Entry | undefined = first; next !== undefined; next = this.#past.firstUnheld()) {
      const { source, sequence } = next.change
      lost.push(...this.#list.takeBack(source, sequence))
      this.hold(source, sequence - 1)
    }
    for (const entries of Map.groupBy(lost, ({ change }) => change.source).values()) {
      this.#past.end('peers hold other changes at its places', entries)
    }
    this.#list.actOnLost(lost)
    this.#links.leaveAll('this node asks for changes of its own anew')
    return true
  }
}
