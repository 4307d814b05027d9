import type { KeyObject } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import { ConfirmationRelay } from './confirmation-relay.ts'
import type { Announcement } from './document-frames.ts'
import type { DocumentStream, Update, Ways } from './document.ts'
import { SignedDocument } from './signed-document.ts'
import { displaySubject, isRun, nodeOf, subjectOf, type Source } from '../identity/names.ts'
import { buildWhitelist } from '../whitelist/build.ts'
import { parseChange, type Change, type ChangeRequest, type Place } from '../whitelist/change.ts'
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
import { seenOf } from '../whitelist/merge.ts'
import { signText } from '../identity/signature.ts'
import { objectionTo, type Signer, type Signers } from '../identity/signers.ts'
import type { ChangeStore } from '../whitelist/store.ts'
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

/** What became of a change that was to be committed. */
export type Commit = { outcome: 'committed'; entry: Entry } | { outcome: 'again'; why: string }

/** How far the clock of an operator's machine and a node's may be apart at a commit. */
const MAX_COMMIT_AGE_MS = 10 * 60_000

/** How much of the hash of an entry stands in an announcement, in characters: 132 bits. */
const ANNOUNCED_HASH = 22

/** Entries of its own that a node shows on one link to a peer that has announced others. */
const MAX_SHOWN = 8

/** Updates checked at a time: what lies between two looks at everything else. */
const BATCH = 128

/**
 * A change is small and nobody may wait for it longer than for the fastest way: each node has its
 * own tree, and the first copies come over several links, so that a link that is lost, frozen or
 * slow delays nothing.
 */
const WAYS: Ways = {
  isShared: false,
  copies: 3,
  isCausal: true,
  announceMs: 20,
}

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
}

/**
 * The whitelist of one node: the one replica that gossips, over the store that outlives it.
 * Nothing is merged, acted on or passed on before both signatures hold and it is durable here.
 */
export class Replica extends SignedDocument {
  /** Tells the nodes that accepted changes what became of them here. */
  readonly confirmations: ConfirmationRelay
  readonly #options: ReplicaOptions
  readonly #store: ChangeStore
  readonly #listeners = new Set<(applied: readonly Applied[]) => void>()
  readonly #equivocationListeners = new Set<(strays: readonly Stray[]) => void>()
  #whitelist: Whitelist
  #inbox: Waiting[] = []
  #draining: Promise<void> | undefined
  /** Links that brought what another link had brought and what was still being checked. */
  readonly #alsoBrought = new Set<DocumentStream>()
  /** How many of its own entries this node has shown a peer that announced others. */
  readonly #shownTo = new WeakMap<DocumentStream, number>()
  /** Peers whose heads have been compared with our own. */
  readonly #compared = new WeakSet<DocumentStream>()

  /** @throws FridgeError `ERR_DATABASE_CORRUPT` when the store does not hold a consistent log */
  constructor(options: ReplicaOptions) {
    super(options.source, options.clock, WAYS, options.signers)
    this.#options = options
    this.#store = options.store
    this.confirmations = new ConfirmationRelay(options)
    this.#whitelist = buildWhitelist(options.store)
    for (const [source, sequence] of this.#whitelist.clock()) this.sources[source] = sequence
  }

  /** The list as it is now: another one takes its place when a change voids earlier changes. */
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

  /** The change that a request would be at this node's next place: to be signed and committed. */
  propose(request: ChangeRequest): Change {
    return this.#whitelist.draft(request, this.id, this.clock.now())
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
    this.#assertStanding(change)
    const { signer, key } = this.#options.self
    const previous = this.#whitelist.headHash(this.id)
    const hash = entryHash(previous, text)
    const entry: Entry = {
      change,
      text,
      previous,
      hash,
      signatures: {
        operatorCertificate: operator.identity.fingerprint,
        operatorSignature,
        nodeCertificate: signer.identity.fingerprint,
        nodeSignature: signText(key, 'entry', hash),
      },
    }
    const stale = this.#whyAgain(entry)
    if (stale !== undefined) return { outcome: 'again', why: stale }
    this.#append([entry])
    this.#whitelist.merge(entry)
    this.#announce([{ entry, receivedAt: this.clock.monotonic() }])
    return { outcome: 'committed', entry }
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
      this.#showOwn(source, sequence, from, hash)
    }
    return {}
  }

  /** The peer holds another entry at a place: with ours it has the proof that its node lied. */
  #showOwn(source: Source, sequence: number, from: DocumentStream, hash?: string): void {
    const [own] = this.#store.ofSource(source, sequence)
    if (own?.change.sequence === sequence && own.hash !== hash) from.send(asUpdate(own))
  }

  /** With the hash: a node that shows one entry here and another there is found out by it. */
  protected override announcementOf(source: Source, sequence: number): unknown {
    const list = this.#whitelist
    if (!isRun(source) || list.heard(source) !== sequence) return sequence
    return [sequence, list.headHash(source).slice(0, ANNOUNCED_HASH)]
  }

  protected override compare({ source, sequence, hash }: Announcement, from: DocumentStream): void {
    const list = this.#whitelist
    if (hash === undefined || list.forkOf(source) <= sequence) return
    if (list.heard(source) !== sequence || list.headHash(source).startsWith(hash)) return
    const shown = this.#shownTo.get(from) ?? 0
    if (shown >= MAX_SHOWN) return
    this.#shownTo.set(from, shown + 1)
    this.#showOwn(source, sequence, from)
  }

  protected override detached(from: DocumentStream): void {
    this.confirmations.forget(from)
  }

  protected override take(update: Update, from: DocumentStream): void {
    if (!this.startCheck(update)) {
      this.#alsoBrought.add(from)
      return
    }
    this.#inbox.push({ update, from, receivedAt: this.clock.monotonic() })
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
    return own?.hash === entryHash(carried.previous, carried.text)
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
    const { taken, mustBuild } = mergeStrays(found, { list: this.#whitelist, store: this.#store })
    if (taken.length === 0) return true
    let isStored = true
    try {
      this.#append(taken)
    } catch (error) {
      isStored = false
      this.#options.onStoreFailure?.(error)
    }
    if (mustBuild || !isStored) this.#whitelist = buildWhitelist(this.#store)
    if (!isStored) return false
    for (const stray of taken) this.publish(asUpdate(stray))
    for (const listener of this.#equivocationListeners) listener(taken)
    return true
  }

  /** @throws FridgeError `ERR_REVOKED` when the operator or this node was revoked, or this node forked */
  #assertStanding({ operator }: Change): void {
    const name = nodeOf(this.id)
    if (this.#whitelist.hasEquivocated(name)) {
      throw new FridgeError('ERR_REVOKED', `node/${name} has signed two changes at one place`, {
        fix: `ask another node; give this one a new key under a new name`,
      })
    }
    for (const author of [subjectOf('operator', operator), subjectOf('node', name)]) {
      if (this.#whitelist.state(author).marks.size > 0) {
        throw new FridgeError('ERR_REVOKED', `${author} has been revoked`)
      }
    }
  }

  /** Why a change must be proposed anew, if it must. */
  #whyAgain(entry: Entry): string | undefined {
    const { change } = entry
    if (this.#whitelist.fit(entry) !== 'next') return 'its place has been taken'
    if (change.kind === 'revocation') return undefined
    const seen = seenOf(this.#whitelist.state(change.subject))
    const isCurrent =
      seen.size === change.seen.size &&
      [...seen].every(([source, sequence]) => change.seen.get(source) === sequence)
    return isCurrent ? undefined : `${displaySubject(change.subject)} was changed meanwhile`
  }

  #announce(applied: readonly Applied[]): void {
    if (applied.some(({ entry }) => this.#whitelist.voidsEarlier(entry.change))) {
      this.#whitelist = buildWhitelist(this.#store)
    }
    for (const { entry } of applied) this.publish(asUpdate(entry))
    for (const listener of this.#listeners) listener(applied)
  }
}
