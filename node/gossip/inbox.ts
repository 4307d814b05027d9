import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Signers } from '../identity/signers.ts'
import { FridgeError } from '../lib/errors.ts'
import { isStray, placeOf, type Entry, type Stray } from '../whitelist/entry.ts'
import { openAt } from '../whitelist/open.ts'
import type { ConfirmationRelay } from './confirmation-relay.ts'
import type { DocumentStream } from './document-stream.ts'
import type { Update } from './document.ts'
import { removalsAhead } from './removals-ahead.ts'
import { takeBackAll, type DurableList, type Merged } from './durable-list.ts'
import type { OwnPast } from './own-past.ts'
import type { ReplicaLinks } from './replica-links.ts'
import { carriedBy } from './update.ts'

/** Updates checked at a time: what lies between two looks at everything else. */
const BATCH = 128

/** An update that waits to be checked. */
export interface Waiting {
  readonly update: Update
  readonly from: DocumentStream
  /** When it came in, on the monotonic clock, in milliseconds. */
  readonly receivedAt: number
}

/** Removals that were sent on before they were written. */
interface SentAhead {
  readonly removals: readonly Entry[]
  readonly over: readonly DocumentStream[]
}

const NOTHING_AHEAD: SentAhead = { removals: [], over: [] }

export interface InboxOptions {
  readonly list: DurableList
  readonly links: ReplicaLinks
  readonly past: OwnPast
  readonly confirmations: Pick<ConfirmationRelay, 'heardFrom'>
  readonly signers: Signers
  /** Resolves when nothing is under way that comes before what is in here. */
  readonly before: () => Promise<void>
  /** Resolves when nothing is being stored. */
  readonly stored: () => Promise<void>
  /** Send removals of other nodes on that are not durable here yet. @returns over which links */
  readonly passOnAhead: (removals: readonly Entry[]) => readonly DocumentStream[]
  /** A peer holds another entry than this one of this node, of which nobody has heard. */
  readonly onRival: (own: Entry) => void
  /** The next change comes over a link that is not in step. */
  readonly onBrought: (from: DocumentStream) => void
  /** An update was taken in or refused. */
  readonly onChecked: (update: Update) => void
}

/** What links have brought and what is not taken in yet: it is checked, and taken in, in batches. */
export class Inbox {
  readonly #options: InboxOptions
  #waiting: Waiting[] = []
  #draining: Promise<void> | undefined
  /** Links that brought what another link had brought and what was still being checked. */
  readonly #alsoBrought = new Set<DocumentStream>()

  constructor(options: InboxOptions) {
    this.#options = options
  }

  /** How many updates wait. */
  get size(): number {
    return this.#waiting.length
  }

  /** Resolves when all that has come in is taken in or refused. */
  async settled(): Promise<void> {
    await this.#draining
  }

  add(waiting: Waiting): void {
    this.#waiting.push(waiting)
    this.#draining ??= this.#drain()
  }

  /** A link has brought a copy of what is in here. */
  noteCopy(from: DocumentStream): void {
    this.#alsoBrought.add(from)
  }

  /** Take in all that waits, a batch a transaction: one fsync for what came together. */
  async #drain(): Promise<void> {
    const { onChecked } = this.#options
    const refused = new Set<DocumentStream>()
    while (this.#waiting.length > 0) {
      await this.#options.before()
      const batch = this.#waiting.splice(0, BATCH)
      const opened = await Promise.all(batch.map(async ({ update }) => this.#open(update)))
      const ahead = await this.#actAhead(batch, opened)
      await this.#options.stored()
      this.#takeBatch(batch, opened, refused)
      this.#lookBehind(ahead)
      for (const { update } of batch) onChecked(update)
    }
    this.#alsoBrought.clear()
    // In this turn: what comes in the next one starts anew, and is not left lying.
    this.#draining = undefined
  }

  /** Removals act, and go on, before the disk holds this process up. */
  async #actAhead(
    batch: readonly Waiting[],
    opened: readonly (Entry | Stray | string)[],
  ): Promise<SentAhead> {
    const { list, links, past, passOnAhead } = this.#options
    if (list.storage.failing !== undefined) return NOTHING_AHEAD
    if (batch.some(({ from }) => links.hasLeft(from))) return NOTHING_AHEAD
    const removals = removalsAhead(opened, list)
    if (removals.length === 0) return NOTHING_AHEAD
    list.actAhead(removals)
    // What claims to be from here may be what this node is about to give up.
    const own = removals.findIndex(({ change }) => past.isOwn(change.source))
    const sent = own < 0 ? removals : removals.slice(0, own)
    const over = passOnAhead(sent)
    // In the first turn links send what they gathered, and in the second one ends have left too.
    await nextTurn()
    await nextTurn()
    return { removals: sent, over }
  }

  /**
   * Peers that were sent what did not get into the list all the same take it for held here: they do
   * not bring it any more, and what they bring next would stand behind a hole. They are asked anew.
   */
  #lookBehind({ removals, over }: SentAhead): void {
    const { list, links } = this.#options
    const isHeld = removals.every(
      ({ change: { source, sequence } }) => list.whitelist.heard(source) >= sequence,
    )
    if (isHeld) return
    for (const link of over) links.noteMissed(link)
    if (list.storage.failing !== undefined) return
    links.leaveMissed('this node has not kept what it sent on, and asks for it anew')
  }

  /** @returns the entry if both its signatures hold, `stale` if it is held, or why its link must end */
  async #open(update: Update): Promise<Entry | Stray | string> {
    const [, sequence, source] = update
    const place = { source, sequence }
    const carried = carriedBy(update)
    // A duplicate over a second link is not worth two signature checks.
    if (this.#options.list.isKnown(place, carried)) return 'stale'
    return openAt(place, carried, this.#options.signers)
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
    const merged: Merged[] = []
    try {
      const isStored = this.#takeEach(batch, opened, { refused, merged })
      if (isStored && this.#options.list.keep(merged)) return
    } catch (error) {
      if (!(error instanceof FridgeError)) throw error
      this.#options.list.storage.failed(error)
    }
    takeBackAll(merged.splice(0))
    this.#passOver(batch, opened)
  }

  /**
   * @returns whether what had to be stored is, without what is left in `merged`
   * @throws FridgeError when the log cannot be read
   */
  #takeEach(
    batch: readonly Waiting[],
    opened: readonly (Entry | Stray | string)[],
    { refused, merged }: { readonly refused: Set<DocumentStream>; readonly merged: Merged[] },
  ): boolean {
    const { list, links, past, confirmations, onBrought } = this.#options
    const refuse = (from: DocumentStream, reason: string): void => {
      if (!refused.has(from)) from.refuse(reason)
      refused.add(from)
    }
    return batch.every(({ from, receivedAt }, index) => {
      const one = opened[index] ?? 'stale'
      if (typeof one === 'string') {
        if (one !== 'stale') refuse(from, one)
        return true
      }
      // It stands behind a hole that only this node has made; what takes away acts all the same.
      if (links.hasLeft(from)) {
        list.actOn([one], false)
        return true
      }
      if (list.storage.failing !== undefined) return false
      if (!isStray(one) && list.whitelist.fit(one) === 'next') {
        past.noteBrought(one)
        if (!links.isInStep(from)) onBrought(from)
        merged.push(list.merge(one, receivedAt))
        confirmations.heardFrom(one.change.source, from)
        return true
      }
      // Whether it is a fork, only the log can tell.
      if (!list.keep(merged)) return false
      return this.#takeAside(one, from, refuse)
    })
  }

  /**
   * Take in what is not the next of its source: it may be a fork, or have seen what is not here.
   * @returns whether it could be stored, if it is to be
   */
  #takeAside(
    one: Entry | Stray,
    from: DocumentStream,
    refuse: (from: DocumentStream, reason: string) => void,
  ): boolean {
    const { list, links, past, onRival } = this.#options
    const strays = list.straysShownBy(one)
    // Who shows both entries has heard of both.
    const isShown = isStray(one) || typeof strays === 'string'
    const rival = isShown ? undefined : past.unspreadRival(strays)
    if (rival !== undefined) {
      onRival(rival)
      // It is asked for anew, and what takes away acts meanwhile.
      list.actOn([one], false)
      return true
    }
    if (typeof strays !== 'string') {
      if (!list.takeStrays(strays)) return false
      const isEarly = isStray(one) && !list.whitelist.holds(placeOf(one))
      if (isEarly) list.actOn([one], false)
      if (isEarly || links.isEarly(from)) links.noteEarly(from)
      return true
    }
    const isBehind = !isStray(one) && list.whitelist.fit(one) === 'unseen' && !list.isComplete
    if (links.isEarly(from) || isBehind) list.actOn([one], false)
    if (isBehind) {
      links.leave(from, 'this node lacks what a change has seen: its list begins at a checkpoint')
    } else if (!links.isEarly(from)) refuse(from, strays)
    return true
  }

  /** Of what cannot be stored, take what takes away, and note whom to ask for all of it later. */
  #passOver(batch: readonly Waiting[], opened: readonly (Entry | Stray | string)[]): void {
    this.#options.list.actOn(opened, false)
    // The links too whose copy was passed over: what they bring next would stand behind a hole.
    for (const from of [...batch.map(({ from }) => from), ...this.#alsoBrought]) {
      this.#options.links.noteMissed(from)
    }
  }
}
