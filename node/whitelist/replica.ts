import type { Clock } from '../clock.ts'
import { FridgeError } from '../errors.ts'
import { GossipDocument, type DocumentStream, type Update } from '../gossip/document.ts'
import { displaySubject, type Source } from '../names.ts'
import { entryHash, parseChange, type Change, type ChangeRequest, type Entry } from './change.ts'
import { seenOf } from './merge.ts'
import type { ChangeStore } from './store.ts'
import { Whitelist } from './whitelist.ts'

/** What one update carries beside its place (PROTOCOL.md, "Updates"). */
interface UpdateValue {
  /** The canonical text of the change. */
  readonly change: string
  /** The hash of the entry before it. */
  readonly previous: string
}

/** An entry that this replica has just made durable and merged. */
export interface Applied {
  readonly entry: Entry
  /** When it came in, on the monotonic clock, in milliseconds. */
  readonly receivedAt: number
}

/** What became of a change that was to be committed. */
export type Commit = { outcome: 'committed'; entry: Entry } | { outcome: 'again'; why: string }

/** How far the clock of an operator's machine and a node's may be apart at a commit. */
const MAX_COMMIT_AGE_MS = 10 * 60_000

const HASH = /^[A-Za-z0-9_-]{43}$/

interface Waiting {
  readonly update: Update
  readonly from: DocumentStream
  readonly receivedAt: number
}

export interface ReplicaOptions {
  /** The source that numbers the changes accepted here: never used before. */
  readonly source: Source
  readonly store: ChangeStore
  readonly clock: Clock
  /** Called when the store cannot take a peer's changes. */
  readonly onStoreFailure?: (error: unknown) => void
}

/**
 * The whitelist of one node: the one replica that gossips, over the store that outlives it.
 * Nothing is merged, acted on or passed on before it is durable here.
 */
export class Replica extends GossipDocument {
  readonly #whitelist = new Whitelist()
  readonly #store: ChangeStore
  readonly #clock: Clock
  readonly #onStoreFailure: (error: unknown) => void
  readonly #listeners = new Set<(applied: readonly Applied[]) => void>()
  #inbox: Waiting[] = []
  #draining: Promise<void> | undefined

  /** @throws FridgeError `ERR_DATABASE_CORRUPT` when the store does not hold a consistent log */
  constructor({ source, store, clock, onStoreFailure }: ReplicaOptions) {
    super(source)
    this.#store = store
    this.#clock = clock
    this.#onStoreFailure = onStoreFailure ?? (() => {})
    for (const entry of store.entries()) {
      this.#whitelist.merge(entry)
      this.sources[entry.change.source] = entry.change.sequence
    }
  }

  get whitelist(): Omit<Whitelist, 'merge'> {
    return this.#whitelist
  }

  /** How many updates wait to be taken in. */
  get backlog(): number {
    return this.#inbox.length
  }

  /** Resolves when all that has come in is taken in or refused. */
  async settled(): Promise<void> {
    await this.#draining
  }

  /** Hear of every change, remote or local, after it is durable and merged. */
  subscribe(listener: (applied: readonly Applied[]) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /** The change that a request would be at this node's next place: to be signed and committed. */
  propose(request: ChangeRequest): Change {
    return this.#whitelist.draft(request, this.id, this.#clock.now())
  }

  /**
   * Commit the canonical text of a change proposed here. `again` when its place was taken or
   * its subject changed since: propose anew.
   * @throws FridgeError `ERR_PROTOCOL` when it is none of ours, `ERR_DATABASE` when it cannot be
   *   made durable: then nothing of it is there
   */
  commit(text: string): Commit {
    const parsed = parseChange(text)
    if (!parsed.ok) throw new FridgeError('ERR_PROTOCOL', `cannot commit: ${parsed.why}`)
    const { change } = parsed
    if (change.source !== this.id) {
      return { outcome: 'again', why: 'it was proposed by another node, or before a restart' }
    }
    if (Math.abs(this.#clock.now() - change.at) > MAX_COMMIT_AGE_MS) {
      return { outcome: 'again', why: 'it was proposed too long ago' }
    }
    const previous = this.#whitelist.headHash(this.id)
    const entry: Entry = { change, text, previous, hash: entryHash(previous, text) }
    if (this.#whitelist.fit(entry) !== 'next') {
      return { outcome: 'again', why: 'its place has been taken' }
    }
    if (change.kind === 'grant') {
      const seen = seenOf(this.#whitelist.state(change.subject))
      if (seen.size !== change.seen.size || [...seen].some(([s, n]) => change.seen.get(s) !== n)) {
        return { outcome: 'again', why: `${displaySubject(change.subject)} was changed meanwhile` }
      }
    }
    this.#store.append([entry])
    this.#whitelist.merge(entry)
    this.#announce([{ entry, receivedAt: this.#clock.monotonic() }])
    return { outcome: 'committed', entry }
  }

  protected override problemOf([value, , , ...rest]: Update): string | undefined {
    if (rest.length > 0) return 'an update has too many fields'
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return 'an update carries no object'
    }
    const { change, previous, ...unknown } = value as Record<string, unknown>
    if (Object.keys(unknown).length > 0) return 'an update has unknown fields'
    if (typeof change !== 'string') return 'an update carries no change'
    if (previous !== '' && (typeof previous !== 'string' || !HASH.test(previous))) {
      return 'an update does not link to the one before'
    }
    return undefined
  }

  protected override take(update: Update, from: DocumentStream): void {
    // Held already: the usual duplicate of a second link. Its content is compared where it is the head.
    if (update[1] < this.#whitelist.heard(update[2])) return
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

  /** Take in all that waits, a batch a transaction: one fsync for what one turn brought. */
  async #drain(): Promise<void> {
    await Promise.resolve()
    while (this.#inbox.length > 0) {
      const batch = this.#inbox
      this.#inbox = []
      this.#takeBatch(batch)
    }
  }

  #takeBatch(batch: readonly Waiting[]): void {
    const applied: Applied[] = []
    const undo: (() => void)[] = []
    const refused = new Set<DocumentStream>()
    for (const { update, from, receivedAt } of batch) {
      // Behind a refused update its link is a hole.
      if (refused.has(from)) continue
      const verdict = this.#entryOf(update)
      if (verdict === 'stale') continue
      if (typeof verdict === 'string') {
        refused.add(from)
        from.refuse(verdict)
        continue
      }
      undo.push(this.#whitelist.merge(verdict))
      applied.push({ entry: verdict, receivedAt })
    }
    if (applied.length === 0) return
    try {
      this.#store.append(applied.map(({ entry }) => entry))
    } catch (error) {
      for (const takeBack of undo.toReversed()) takeBack()
      this.#onStoreFailure(error)
      for (const { from } of batch) from.refuse('this node cannot store changes')
      return
    }
    this.#announce(applied)
  }

  /** @returns the entry if it is the next of its source, `stale`, or why its link must end */
  #entryOf([value, sequence, source]: Update): Entry | string {
    const { change: text, previous } = value as UpdateValue
    // Our own places are given out here alone: whoever has another one of them made it up.
    if (source === this.id && sequence > this.#whitelist.heard(source)) {
      return 'an update claims to be from this node'
    }
    const parsed = parseChange(text)
    if (!parsed.ok) return parsed.why
    const { change } = parsed
    if (change.source !== source || change.sequence !== sequence) {
      return 'a change is not at the place that it names'
    }
    const entry: Entry = { change, text, previous, hash: entryHash(previous, text) }
    const fit = this.#whitelist.fit(entry)
    switch (fit) {
      case 'next':
        return entry
      case 'stale':
        return fit
      case 'gap':
        return `a change before ${sequence} of ${source} was left out`
      case 'fork':
        return `two different changes at ${sequence} of ${source}`
      case 'unlinked':
        return `change ${sequence} of ${source} does not link to the one before`
      case 'unseen':
        return 'a grant has seen changes that were not sent'
    }
  }

  #announce(applied: readonly Applied[]): void {
    for (const { entry } of applied) this.publish(asUpdate(entry))
    for (const listener of this.#listeners) listener(applied)
  }
}

function asUpdate({ change, text, previous }: Entry): Update {
  const value: UpdateValue = { change: text, previous }
  return [value, change.sequence, change.source]
}
