import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Source, Subject } from '../identity/names.ts'
import type { Signers } from '../identity/signers.ts'
import type { Clock } from '../lib/clock.ts'
import { subscribeTo } from '../lib/listeners.ts'
import type { Begun } from '../whitelist/brought-state.ts'
import { buildWhitelist } from '../whitelist/build.ts'
import type { Place } from '../whitelist/change.ts'
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
import type { SubjectState } from '../whitelist/merge.ts'
import type { UncheckedEntry, UncheckedStray } from '../whitelist/open.ts'
import type { Base, ChangeStore } from '../whitelist/store.ts'
import type { Whitelist } from '../whitelist/whitelist.ts'
import { CheckpointChecks } from './checkpoint-checks.ts'
import { inTurns } from './in-turns.ts'
import { Settling } from './settling.ts'
import type { Held } from './question.ts'
import { StorageHealth } from './storage-health.ts'
import { UnkeptRemovals } from './unkept-removals.ts'

/** An entry that this replica has just made durable and merged. */
export interface Applied {
  readonly entry: Entry
  /** When it came in, on the monotonic clock, in milliseconds. */
  readonly receivedAt: number
}

/** An entry that is merged and still to be made durable. */
export interface Merged extends Applied {
  readonly takeBack: () => void
}

/** Entries of a beginning of which all are told in one turn of the loop. */
const TOLD_AT_ONCE = 500

export interface DurableListOptions {
  readonly store: ChangeStore
  readonly signers: Signers
  readonly clock: Clock
  /** Called before anything is stored. @throws FridgeError `ERR_DATABASE` when nothing may be */
  readonly onStoring: () => void
  /** Pass on what is durable now. */
  readonly publish: (one: Entry | Stray) => void
  /** Called for each checkpoint that states a list which was not. */
  readonly onUntrue?: ((checkpoint: CheckpointEntry) => void) | undefined
}

/**
 * The list with the log behind it: what is merged is made durable before anybody hears of it, or is
 * taken back. Removals act before that, and though they cannot be stored.
 */
export class DurableList implements Disposable {
  /** Whether changes can be stored. */
  readonly storage: StorageHealth
  /** Which checkpoints of the log are true. */
  readonly checks: CheckpointChecks
  readonly #options: DurableListOptions
  readonly #store: ChangeStore
  readonly #listeners = new Set<(applied: readonly Applied[]) => void>()
  readonly #aheadListeners = new Set<(removals: readonly Entry[]) => void>()
  readonly #equivocationListeners = new Set<(strays: readonly Stray[]) => void>()
  readonly #settledListeners = new Set<(subjects: readonly Subject[]) => void>()
  readonly #unkept: UnkeptRemovals
  readonly #settling: Settling
  readonly #stop = new AbortController()
  #whitelist: Whitelist

  /** @throws FridgeError `ERR_DATABASE_CORRUPT` when the store does not hold a consistent log */
  constructor(options: DurableListOptions) {
    this.#options = options
    this.#store = options.store
    this.#whitelist = buildWhitelist(options.store, options.signers)
    this.#settling = new Settling({
      list: () => this.#whitelist,
      onSettled: subjects => this.#tellOf(subjects),
      onFailure: error => this.storage.failed(error),
    })
    this.checks = new CheckpointChecks({
      list: () => this.#whitelist,
      onJudged: (checkpoint, isTrue) => {
        if (!isTrue) options.onUntrue?.(checkpoint)
        this.#settling.start()
      },
      onFailure: error => this.storage.failed(error),
    })
    this.#unkept = new UnkeptRemovals({ list: () => this.#whitelist, log: this.#store })
    this.storage = new StorageHealth({ probe: () => this.#store.probe(), clock: options.clock })
    this.storage.subscribe(failing => {
      if (failing === undefined) this.#settling.start()
    })
  }

  /** The list as it is now: another object after something was given up. */
  get whitelist(): Whitelist {
    return this.#whitelist
  }

  /** Whether all can be read that a checkpoint covers at which the log begins. */
  get isComplete(): boolean {
    return this.#store.isComplete
  }

  /** What decides about a subject: the list, and the removals that could not be stored. */
  stateOf(subject: Subject): SubjectState {
    return this.#unkept.stateOf(subject)
  }

  /** How many changes there are, and how far this node has come with a source. */
  held(about: Source | undefined): Pick<Held, 'changes' | 'applied'> {
    const { changes } = this.whitelist
    return about === undefined ? { changes } : { changes, applied: this.whitelist.heard(about) }
  }

  /** Hear of every change, remote or local, after it is durable and merged. */
  subscribe(listener: (applied: readonly Applied[]) => void): Disposable {
    return subscribeTo(this.#listeners, listener)
  }

  /** Hear of removals that act, and are to be made durable next. */
  subscribeAhead(listener: (removals: readonly Entry[]) => void): Disposable {
    return subscribeTo(this.#aheadListeners, listener)
  }

  /** Hear of each node that is found to have signed entries that cannot stand in one chain. */
  subscribeEquivocation(listener: (strays: readonly Stray[]) => void): Disposable {
    return subscribeTo(this.#equivocationListeners, listener)
  }

  /**
   * Hear of subjects whose state has changed otherwise than by a change that was applied: by what was
   * found to stand in the place of void grants, or by a removal that could not be stored.
   */
  subscribeSettled(listener: (subjects: readonly Subject[]) => void): Disposable {
    return subscribeTo(this.#settledListeners, listener)
  }

  /** Resolves when nothing is left to be looked up in the log. */
  async settled(): Promise<void> {
    await this.checks.settled()
    await this.#settling.settled()
  }

  /** The log begins at another checkpoint by now. */
  moveBase(base: Base): void {
    this.#whitelist.moveBase(base)
  }

  /** Other authorities are trusted now: look again at which checkpoints stand. */
  reviewCheckpoints(): void {
    this.#whitelist.reviewCheckpoints()
    this.#settling.start()
  }

  /** Whether this very entry is in the log. A log that cannot be read holds nothing: it may be a removal. */
  isKnown(place: Place, carried: UncheckedEntry | UncheckedStray): boolean {
    try {
      return this.#holds(place, carried)
    } catch (error) {
      this.storage.failed(error)
      return false
    }
  }

  /** What a stray, or an entry that is not the next of its source, shows. */
  straysShownBy(one: Entry | Stray): readonly Stray[] | string {
    return straysShownBy(one, { list: this.#whitelist, store: this.#store })
  }

  /** Merge an entry whose `fit` is `next`: to be kept in its order. */
  merge(entry: Entry, receivedAt: number): Merged {
    return { entry, receivedAt, takeBack: this.#whitelist.merge(entry) }
  }

  /** Let removals act that are neither merged nor durable yet, and are next. */
  actAhead(removals: readonly Entry[]): void {
    for (const removal of removals) this.#unkept.add(removal, false)
    this.#tellAhead(removals)
  }

  /** Make merged entries durable and pass them on, or take them back. @returns whether that could be done */
  keep(merged: Merged[]): boolean {
    const applied = merged.splice(0)
    if (applied.length === 0) return true
    if (!this.#stores(applied.map(({ entry }) => entry))) {
      takeBackAll(applied)
      return false
    }
    this.#announce(applied)
    return true
  }

  /**
   * Let an empty list begin with what a checkpoint states, slice by slice; nothing else may be merged
   * meanwhile.
   * @returns whether that could be stored
   */
  async beginWith(entries: readonly Entry[], { base, list }: Begun): Promise<boolean> {
    if (!(await this.#storeBeginning(entries, base))) return false
    list.readFrom(this.#store)
    this.#whitelist = list
    for (const _ of this.#tellOfAll(entries)) {
      await nextTurn()
      // Who was to hear of it may be closed by now.
      if (this.#stop.signal.aborted) break
    }
    return true
  }

  async #storeBeginning(entries: readonly Entry[], base: Base): Promise<boolean> {
    if (this.storage.failing !== undefined) return false
    try {
      this.#options.onStoring()
      this.#options.signers.keep(entries.map(({ signatures }) => signatures))
      await inTurns(this.#store.beginWith(entries, base), this.#stop.signal)
      this.storage.worked()
      return true
    } catch (error) {
      if (!this.#stop.signal.aborted) this.storage.failed(error)
      return false
    }
  }

  *#tellOfAll(entries: readonly Entry[]): Generator<undefined, void> {
    const receivedAt = this.#options.clock.monotonic()
    for (let from = 0; from < entries.length; from += TOLD_AT_ONCE) {
      const applied = entries.slice(from, from + TOLD_AT_ONCE).map(entry => ({ entry, receivedAt }))
      for (const listener of this.#listeners) listener(applied)
      this.#tellOf([...new Set(applied.map(({ entry }) => entry.change.subject))])
      yield
    }
  }

  /**
   * Make merged entries of this node's own source durable, all of them or none. Those that cannot be
   * are taken back; removals act while the disk fails. @returns whether that could be done
   */
  keepOwn(merged: readonly Merged[]): boolean {
    const entries = merged.map(({ entry }) => entry)
    if (!this.storage.probe() || !this.#storesOwn(entries)) {
      takeBackAll(merged)
      this.actOn(entries, true)
      return false
    }
    this.#announce(merged)
    return true
  }

  /** @returns whether they could be stored */
  takeStrays(found: readonly Stray[]): boolean {
    const merged = mergeStrays(found, { list: this.#whitelist, store: this.#store })
    const taken = merged.map(({ stray }) => stray)
    if (taken.length === 0) return true
    if (!this.#stores(taken)) {
      takeBackAll(merged)
      return false
    }
    this.#settle(taken.map(({ entry }) => entry))
    for (const { entry } of taken) this.#unkept.stored(entry)
    for (const stray of taken) this.#options.publish(stray)
    for (const listener of this.#equivocationListeners) listener(taken)
    return true
  }

  /** Let removals act that hold and are not stored. */
  actOn(all: readonly (Entry | Stray | string)[], isRefused: boolean): void {
    const subjects: Subject[] = []
    for (const one of all) {
      if (typeof one === 'string' || this.isKnown(placeOf(one), one)) continue
      subjects.push(...this.#unkept.add(isStray(one) ? one.entry : one, isRefused))
    }
    this.#tellOf(subjects)
  }

  /** Let removals act no more of which an operator was told that they are not recorded. */
  dropRefused(): void {
    this.#tellOf(this.#unkept.dropRefused())
  }

  /**
   * Take what stands from a place on out of the log and the list.
   * @returns it
   * @throws FridgeError `ERR_DATABASE`
   */
  takeBack(source: Source, from: number): Entry[] {
    const lost = [...this.#store.ofSource(source, from)]
    this.#store.takeBack(source, from)
    this.#whitelist = buildWhitelist(this.#store, this.#options.signers)
    return lost
  }

  /** Entries were taken back: what takes away acts on while this node runs. */
  actOnLost(lost: readonly Entry[]): void {
    const subjects = lost.flatMap(entry => [
      entry.change.subject,
      ...this.#unkept.add(entry, false),
    ])
    this.#tellOf(subjects)
    this.checks.start()
  }

  /** Stop looking anything up. */
  [Symbol.dispose](): void {
    this.#stop.abort()
    this.checks[Symbol.dispose]()
    this.storage[Symbol.dispose]()
    this.#settling[Symbol.dispose]()
  }

  /** What takes away acts before the disk holds this process up. @returns whether they are stored */
  #storesOwn(entries: readonly Entry[]): boolean {
    const removals = entries.filter(({ change }) => change.kind === 'revocation')
    if (removals.length > 0) this.#tellAhead(removals)
    return this.#stores(entries)
  }

  /** @returns whether they are stored */
  #stores(all: readonly (Entry | Stray)[]): boolean {
    return this.#write(all, () => this.#store.append(all))
  }

  /** @returns whether it is written, with the certificates under it */
  #write(all: readonly (Entry | Stray)[], write: () => void): boolean {
    if (this.storage.failing !== undefined) return false
    try {
      this.#options.onStoring()
      this.#options.signers.keep(all.flatMap(entriesIn).map(({ signatures }) => signatures))
      write()
      this.storage.worked()
      return true
    } catch (error) {
      this.storage.failed(error)
      return false
    }
  }

  /** Another entry at the place of one is a fork. */
  #holds({ source, sequence }: Place, carried: UncheckedEntry | UncheckedStray): boolean {
    if (isStray(carried)) return sequence <= this.#whitelist.heard(source)
    const hash = entryHash(carried.text, carried.signatures)
    if (this.#whitelist.forkOf(source) <= sequence) {
      return this.#whitelist.heard(straySource(source, hash)) > 0
    }
    if (sequence > this.#whitelist.heard(source)) return false
    const [own] = this.#store.ofSource(source, sequence)
    return own?.hash === hash
  }

  /** What is merged is in the log: look up what of it could not be told without. */
  #settle(entries: readonly Entry[]): void {
    this.#whitelist.saved()
    try {
      this.#whitelist.settle(entries.map(({ change }) => change.subject))
    } catch (error) {
      // Who is in by these changes is in the log, and who is out waits for no look at it.
      this.storage.failed(error)
    }
    this.#settling.start()
    this.checks.start()
  }

  #announce(applied: readonly Applied[]): void {
    this.#settle(applied.map(({ entry }) => entry))
    for (const { entry } of applied) this.#unkept.stored(entry)
    for (const { entry } of applied) this.#options.publish(entry)
    for (const listener of this.#listeners) listener(applied)
  }

  #tellAhead(removals: readonly Entry[]): void {
    for (const listener of this.#aheadListeners) listener(removals)
  }

  #tellOf(subjects: readonly Subject[]): void {
    if (subjects.length === 0) return
    for (const listener of this.#settledListeners) listener(subjects)
  }
}

/** Take back what was merged, the last one first. */
export function takeBackAll(merged: readonly { readonly takeBack: () => void }[]): void {
  for (const { takeBack } of merged.toReversed()) takeBack()
}
