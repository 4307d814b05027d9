import type { KeyObject } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import { ConfirmationRelay } from './confirmation-relay.ts'
import { CheckpointChecks } from './checkpoint-checks.ts'
import { assertProposable, assertStanding, whyAgain, type Commit } from './commit.ts'
import type { DocumentStream, Update } from './document.ts'
import { SignedDocument } from './signed-document.ts'
import { nodeOf, WHOLE_LIST, type Source, type Subject } from '../identity/names.ts'
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
  straySource,
  type Entry,
  type Stray,
} from '../whitelist/entry.ts'
import { mergeStrays, straysShownBy } from '../whitelist/equivocation.ts'
import { headsFrame, parseHeads } from '../whitelist/heads.ts'
import { signText } from '../identity/signature.ts'
import { objectionTo, type Signer, type Signers } from '../identity/signers.ts'
import type { ChangeStore } from '../whitelist/store.ts'
import { Settling } from './settling.ts'
import { asUpdate, carriedBy, problemOfValue } from './update.ts'
import { openAt, type UncheckedEntry, type UncheckedStray } from '../whitelist/open.ts'
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
  /** The source that numbers the changes accepted here: never used before. */
  readonly source: Source
  readonly store: ChangeStore
  readonly signers: Signers
  /** This node's own certificate, known to `signers`, and its private key. */
  readonly self: { readonly signer: Signer; readonly key: KeyObject }
  readonly clock: Clock
  /** Called when the store cannot take a peer's changes. */
  readonly onStoreFailure?: (error: unknown) => void
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
  readonly #options: ReplicaOptions
  readonly #store: ChangeStore
  readonly #clock: Clock
  readonly #listeners = new Set<(applied: readonly Applied[]) => void>()
  readonly #equivocationListeners = new Set<(strays: readonly Stray[]) => void>()
  readonly #settledListeners = new Set<(subjects: readonly Subject[]) => void>()
  readonly #whitelist: Whitelist
  readonly #settling: Settling
  readonly #checks: CheckpointChecks
  #inbox: Waiting[] = []
  #draining: Promise<void> | undefined
  /** Links that brought what another link had brought and what was still being checked. */
  readonly #alsoBrought = new Set<DocumentStream>()
  /** Peers whose heads have been compared with our own. */
  readonly #compared = new WeakSet<DocumentStream>()

  /** @throws FridgeError `ERR_DATABASE_CORRUPT` when the store does not hold a consistent log */
  constructor(options: ReplicaOptions) {
    super(options.source, options.signers)
    this.#options = options
    this.#store = options.store
    this.#clock = options.clock
    this.confirmations = new ConfirmationRelay(options)
    this.#whitelist = buildWhitelist(options.store, options.signers)
    const { onStoreFailure, onUntrue } = options
    this.#settling = new Settling({
      list: this.#whitelist,
      onSettled: subjects => {
        for (const listener of this.#settledListeners) listener(subjects)
      },
      ...(onStoreFailure && { onFailure: onStoreFailure }),
    })
    this.#checks = new CheckpointChecks({
      list: this.#whitelist,
      onJudged: (checkpoint, isTrue) => {
        if (!isTrue) onUntrue?.(checkpoint)
        this.#settling.start()
      },
      onFailure: error => onStoreFailure?.(error),
    })
    for (const [source, sequence] of this.#whitelist.clock()) this.sources[source] = sequence
  }

  /** The list as it is now. */
  get whitelist(): ReadableWhitelist {
    return this.#whitelist
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

  /** Hear what subjects are decided anew, after grants of theirs became void with their author. */
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
    return this.#whitelist.draft(request, this.id, this.#clock.now())
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
      subject: WHOLE_LIST,
      seen: [],
      source: this.id,
      sequence: this.#whitelist.heard(this.id) + 1,
      previous: this.#whitelist.headHash(this.id),
      at: this.#clock.now(),
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
    if (change.source !== this.id) {
      return { outcome: 'again', why: 'it was proposed by another node, or before a restart' }
    }
    if (Math.abs(this.#clock.now() - change.at) > MAX_COMMIT_AGE_MS) {
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
    assertStanding(change, this.#whitelist)
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
    try {
      this.#append([entry])
    } catch (error) {
      takeBack()
      throw error
    }
    this.#announce([{ entry, receivedAt: this.#clock.monotonic() }])
    return { outcome: 'committed', entry }
  }

  /** Stop looking anything up. */
  [Symbol.dispose](): void {
    this.#checks[Symbol.dispose]()
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

  /** The newest entry of each source by hash: equal clocks are not yet equal lists. */
  protected override *openings(): Iterable<object> {
    if (this.#whitelist.changes > 0) yield headsFrame(this.#whitelist)
  }

  protected override takeFrame(
    frame: object,
    from: DocumentStream,
  ): { readonly refused?: string } | undefined {
    if ('confirmed' in frame) return this.confirmations.take(frame, from)
    if (!('heads' in frame)) return super.takeFrame(frame, from)
    const heads = parseHeads(frame)
    if (heads === undefined) return { refused: 'the heads are malformed' }
    if (this.#compared.has(from)) return { refused: 'the heads come twice' }
    this.#compared.add(from)
    for (const [source, { sequence, hash }] of heads) {
      const list = this.#whitelist
      if (list.forkOf(source) <= sequence || list.heard(source) < sequence) continue
      if (list.heard(source) === sequence && list.headHash(source) === hash) continue
      const [own] = this.#store.ofSource(source, sequence)
      // The peer holds another entry at this place: with ours it has the proof that its node lied.
      if (own?.change.sequence === sequence && own.hash !== hash) from.send(asUpdate(own))
    }
    return {}
  }

  protected override attached(from: DocumentStream): void {
    this.confirmations.meet(from)
  }

  protected override detached(from: DocumentStream): void {
    this.confirmations.forget(from)
  }

  protected override take(update: Update, from: DocumentStream): void {
    this.confirmations.broughtBy(update[2], from)
    if (!this.startCheck(update)) {
      this.#alsoBrought.add(from)
      return
    }
    this.#inbox.push({ update, from, receivedAt: this.#clock.monotonic() })
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined
    })
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
      this.#takeBatch(batch, opened, refused)
      for (const { update } of batch) this.endCheck(update)
    }
    this.#alsoBrought.clear()
  }

  /** @returns the entry if both its signatures hold, `stale` if it is held, or why its link must end */
  async #open(update: Update): Promise<Entry | Stray | string> {
    const [, sequence, source] = update
    const place = { source, sequence }
    const carried = carriedBy(update)
    // A duplicate over a second link is not worth two signature checks.
    if (this.#holds(place, carried)) return 'stale'
    // Our own places are given out here alone: a peer that shows another entry there made it up.
    const isOurs = source === this.id && this.#whitelist.forkOf(source) > sequence
    if (isOurs && sequence > this.#whitelist.heard(source)) {
      return 'an update claims to be from this node'
    }
    return openAt(place, carried, this.signers)
  }

  #append(all: readonly (Entry | Stray)[]): void {
    this.signers.keep(all.flatMap(entriesIn).map(({ signatures }) => signatures))
    this.#store.append(all)
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
      if (!isStray(one) && this.#whitelist.fit(one) === 'next') {
        merged.push({ entry: one, receivedAt, takeBack: this.#whitelist.merge(one) })
        this.confirmations.heardFrom(one.change.source, from)
        return true
      }
      // Whether it is a fork, only the log can tell.
      if (!this.#keep(merged)) return false
      const strays = straysShownBy(one, { list: this.#whitelist, store: this.#store })
      if (typeof strays !== 'string') return this.#takeStrays(strays)
      refuse(from, strays)
      return true
    })
    if (isStored && this.#keep(merged)) return
    // The links too whose copy was passed over: what they bring next would stand behind a hole.
    for (const from of [...batch.map(({ from }) => from), ...this.#alsoBrought]) {
      refuse(from, 'this node cannot store changes')
    }
  }

  /** Make merged entries durable and pass them on, or take them back. @returns whether that could be done */
  #keep(merged: Merged[]): boolean {
    const applied = merged.splice(0)
    if (applied.length === 0) return true
    try {
      this.#append(applied.map(({ entry }) => entry))
    } catch (error) {
      for (const { takeBack } of applied.toReversed()) takeBack()
      this.#options.onStoreFailure?.(error)
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
    try {
      this.#append(taken)
    } catch (error) {
      for (const { takeBack } of merged.toReversed()) takeBack()
      this.#options.onStoreFailure?.(error)
      return false
    }
    this.#settle(taken.map(({ entry }) => entry))
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
    for (const { entry } of applied) this.publish(asUpdate(entry))
    for (const listener of this.#listeners) listener(applied)
  }
}
