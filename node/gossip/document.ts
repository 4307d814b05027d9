import type { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import type { Source } from '../identity/names.ts'
import type { Clock } from '../lib/clock.ts'
import {
  asDigest,
  asTreeFrame,
  asUpdate,
  type Announcement,
  type Digest,
  type Update,
} from './document-frames.ts'
import { CertificateExchange } from './certificate-exchange.ts'
import { Outgoing } from './outgoing.ts'
import { Spread } from './spread.ts'
import type { Spreading } from './spreading.ts'

/**
 * The one file that knows the package `scuttlebutt` 5.6.15. It gives the package types, checks
 * every frame before the package sees it, pages the first exchange, and replaces `_update`,
 * which would advance the clock of a source before anything was verified.
 */

export type { Update } from './document-frames.ts'

interface PackageStream extends EventEmitter {
  write(frame: unknown): boolean
  pause(): void
  resume(): void
  destroy(): void
}

interface Package extends EventEmitter {
  readonly id: Source
  /** The clock: the greatest sequence by source. */
  sources: Record<string, number>
  createStream(options: { wrapper: 'raw' }): PackageStream
}

const Scuttlebutt = createRequire(import.meta.url)('scuttlebutt') as new (id: string) => Package

/** What a document needs of the stream that carries it. */
export interface DocumentStream {
  /** Send one frame. */
  readonly send: (frame: unknown) => void
  /** Resolves at once, or when what was sent has left. */
  readonly drained: () => Promise<void>
  /** The peer sent something that it must not: end the link. */
  readonly refuse: (reason: string) => void
  /** What the peer and this node hold of certificates, shared by the documents of a link. Default: its own. */
  readonly certificates?: CertificateExchange
  /** Both sides have sent all that the other lacked. */
  readonly onSynced: () => void
}

/** One end of a document on one link. */
export interface DocumentLink extends Disposable {
  /** A parsed frame from the peer. */
  receive(frame: unknown): void
}

/** A document replicated by scuttlebutt: digests on connect, then each update along a tree. */
export abstract class GossipDocument extends Scuttlebutt {
  protected readonly clock: Clock
  readonly #spreading: Spreading
  readonly #spread: Spread<DocumentStream>
  #wanting: { readonly timer: Disposable; readonly at: number } | undefined
  #origin: DocumentStream | undefined

  constructor(id: Source, clock: Clock, spreading: Spreading) {
    super(id)
    // Sources come from peers; a plain object would find `constructor` in it.
    this.sources = Object.create(null) as Record<string, number>
    this.clock = clock
    this.#spreading = spreading
    this.#spread = new Spread(spreading)
  }

  /** Why the value, sequence or signature of an update has no valid shape; undefined if it has. */
  protected abstract problemOf(update: Update): string | undefined

  /**
   * How long updates are gathered before they go to one peer, in milliseconds: of one source only
   * the newest goes, and what the peer sends meanwhile does not. For a document in which a newer
   * update replaces an older one.
   */
  protected relayDelayMs(_update: Update): number {
    return 0
  }

  /** Whether this node says nothing after an update: then it goes whole to every peer. */
  protected isLastWord(_update: Update): boolean {
    return false
  }

  /** Whether an update is of no interest, whatever it carries. */
  protected isKnown(_update: Update): boolean {
    return false
  }

  /** Take an update from a peer, new or not. A bad update ends its link by `from.refuse`. */
  protected abstract take(update: Update, from: DocumentStream): void

  /** At most `limit` updates after `clock`, in causal order. */
  protected abstract updatesAfter(clock: ReadonlyMap<Source, number>, limit: number): Update[]

  /** What a peer is sent before the digest. */
  protected preamble(_to: DocumentStream): Iterable<object> {
    return []
  }

  /**
   * What a peer must have had before it can take an update, and has not: it is sent these frames in
   * band, so that they are there in time.
   */
  protected attachmentsOf(_update: Update, _to: DocumentStream): Iterable<object> {
    return []
  }

  /** What a peer is sent right behind the digest, beside what the package sends. */
  protected openings(): Iterable<object> {
    return []
  }

  /** Take such a frame from a peer. @returns why it is refused, `undefined` if it is not one */
  protected takeFrame(
    _frame: object,
    _from: DocumentStream,
  ): { readonly refused?: string } | undefined {
    return undefined
  }

  /** What stands beside the place of an update in an announcement of it. */
  protected announcementOf(_source: Source, sequence: number): unknown {
    return sequence
  }

  /** A peer has announced what is held here too: is it the same? */
  protected compare(_announced: Announcement, _from: DocumentStream): void {}

  /** A link has begun. */
  protected attached(_from: DocumentStream): void {}

  /** A link has ended: nothing more goes to its stream. */
  protected detached(_from: DocumentStream): void {}

  /** Record an update that holds, and pass it on to every peer that lacks it. */
  protected publish(update: Update): void {
    this.sources[update[2]] = update[1]
    this.emit('_update', update)
  }

  /** Called by the package: the rest of what a peer lacks, after the pages. */
  history(clock: Record<string, number>): Update[] {
    return this.updatesAfter(clockOf(clock), Infinity)
  }

  /** Called by the package for each update that a peer sends. */
  _update(update: Update): boolean {
    if (this.#origin !== undefined) this.take(update, this.#origin)
    return true
  }

  /** Gossip with the peer at the other end of `stream`, whose digest must name an expected source. */
  attach(stream: DocumentStream, isExpected: (source: Source) => boolean): DocumentLink {
    const inner = this.createStream({ wrapper: 'raw' })
    let ended = false
    let digested = false
    let peerSynced = false

    const refuse = (reason: string): void => {
      dispose()
      stream.refuse(reason)
    }
    const dispose = (): void => {
      if (ended) return
      ended = true
      outgoing[Symbol.dispose]()
      inner.destroy()
      this.#leave(from)
    }
    // What a subclass answers goes the same way, so that nothing is attached twice.
    const from = this.#withAttachments({
      certificates: new CertificateExchange(),
      ...stream,
      refuse,
    })
    const outgoing = this.#outgoingTo(from)
    this.#begin(inner, from, outgoing)

    const hand = (frame: unknown): void => {
      this.#origin = from
      try {
        inner.write(frame)
      } finally {
        this.#origin = undefined
      }
    }
    // The package sends all that a peer lacks at once: so first bring the peer near by pages that
    // wait for the link, and only then hand over its digest, grown by what was sent.
    const catchUp = async (digest: Digest): Promise<void> => {
      for (const [source, sequence] of digest.clock) outgoing.hears(source, sequence)
      await outgoing.sendMissing()
      if (!ended) hand({ id: digest.id, clock: outgoing.clock })
    }
    const receiveUpdate = (frame: unknown[]): void => {
      const update = asUpdate(frame)
      if (update === undefined) return refuse('an update is malformed')
      if (!digested) return refuse('an update came before the digest')
      this.#note(update, from, peerSynced)
      outgoing.hears(update[2], update[1])
      // Most of what many links bring is known: that costs no second look.
      if (this.isKnown(update)) return undefined
      const problem = this.problemOf(update)
      if (problem !== undefined) return refuse(problem)
      return hand(update)
    }
    const receiveObject = (frame: object): void => {
      const taken = this.#takeTreeFrame(frame, from, { outgoing, digested })
      const result = taken ?? this.takeFrame(frame, from)
      if (result === undefined) receiveDigest(frame)
      else if (result.refused !== undefined) refuse(result.refused)
    }
    const receiveDigest = (frame: unknown): void => {
      const digest = asDigest(frame)
      if (typeof digest === 'string') return refuse(digest)
      if (digested) return refuse('a second digest')
      if (!isExpected(digest.id)) return refuse('the digest names another node')
      digested = true
      catchUp(digest).catch(() => refuse('the history could not be read'))
    }

    return {
      receive: frame => {
        if (ended) return
        if (Array.isArray(frame)) return receiveUpdate(frame)
        if (typeof frame === 'object' && frame !== null) return receiveObject(frame)
        if (frame !== 'SYNC') return receiveDigest(frame)
        if (!digested || peerSynced) return refuse('SYNC out of place')
        peerSynced = true
        hand(frame)
      },
      [Symbol.dispose]: dispose,
    }
  }

  /** Say what an end says first, and from then on what the package and the subclass have to say. */
  #begin(inner: PackageStream, to: DocumentStream, outgoing: Outgoing): void {
    let isCaughtUp = false
    inner.on('data', (frame: unknown) => {
      if (frame === 'SYNC') isCaughtUp = true
      if (!Array.isArray(frame)) to.send(frame)
      else if (isCaughtUp) outgoing.offer(frame as Update)
      else outgoing.send(frame as Update)
    })
    inner.on('error', () => to.refuse('the gossip stream failed'))
    inner.on('synced', () => to.onSynced())
    for (const first of this.preamble(to)) to.send(first)
    inner.resume()
    for (const opening of this.openings()) to.send(opening)
    this.#spread.join(to)
    this.attached(to)
  }

  /** Send what a peer must have had first before each update that needs it. */
  #withAttachments(stream: DocumentStream): DocumentStream {
    const send = (frame: unknown): void => {
      if (Array.isArray(frame)) {
        for (const attachment of this.attachmentsOf(frame as Update, stream)) {
          stream.send(attachment)
        }
      }
      stream.send(frame)
    }
    return { ...stream, send }
  }

  #outgoingTo(to: DocumentStream): Outgoing {
    const { isCausal, announceMs } = this.#spreading
    return new Outgoing({
      clock: this.clock,
      isCausal,
      announceMs,
      relayMs: update => this.relayDelayMs(update),
      isEager: update => this.isLastWord(update) || this.#spread.isEager(to, update[2]),
      updatesAfter: (clock, limit) => this.updatesAfter(clock, limit),
      announcementOf: (source, sequence) => this.announcementOf(source, sequence),
      send: frame => to.send(frame),
      drained: async () => to.drained(),
      onFailure: () => to.refuse('the history could not be read'),
    })
  }

  /** An update has come: has it come too often over this link? */
  #note([, sequence, source]: Update, from: DocumentStream, isLive: boolean): void {
    const isHeld = sequence <= this.#held(source)
    const now = this.clock.monotonic()
    const tree = this.#spread.arrived(from, [source, sequence], { isHeld, isLive, now })
    if (tree !== undefined) from.send({ lazy: tree })
  }

  #leave(from: DocumentStream): void {
    for (const tree of this.#spread.leave(from, this.clock.monotonic())) {
      for (const link of this.#spread.links()) link.send({ eager: tree })
    }
    this.#wantSoon()
    this.detached(from)
  }

  /** @returns undefined when it is another frame, or why it is refused, if it is */
  #takeTreeFrame(
    frame: object,
    from: DocumentStream,
    { outgoing, digested }: { outgoing: Outgoing; digested: boolean },
  ): { readonly refused?: string } | undefined {
    const read = asTreeFrame(frame, this.#spreading.isShared)
    if (read === undefined) return undefined
    if (typeof read === 'string') return { refused: read }
    if (!digested) return { refused: `a ${read.kind} came before the digest` }
    switch (read.kind) {
      case 'lazy':
        this.#spread.heardLazy(from, read.tree)
        break
      case 'eager':
        this.#spread.heardEager(from, read.tree)
        break
      case 'want':
        this.#spread.heardWant(from, read.sources)
        outgoing.answer(read.sources)
        break
      case 'have':
        for (const announced of read.announced) this.#hearOf(announced, from, outgoing)
        this.#wantSoon()
    }
    return {}
  }

  #hearOf(announced: Announcement, from: DocumentStream, outgoing: Outgoing): void {
    const { source, sequence } = announced
    outgoing.hearsOf(source, sequence)
    const held = this.#held(source)
    if (sequence <= held) this.compare(announced, from)
    // What claims to be from here is never asked for.
    else if (source !== this.id) {
      this.#spread.heardHave(from, [source, sequence], held, this.clock.monotonic())
    }
  }

  #held(source: Source): number {
    return this.sources[source] ?? 0
  }

  /** Ask for what was announced when it is due. */
  #wantSoon(): void {
    const { nextAt } = this.#spread
    if (nextAt !== undefined && this.#wanting !== undefined && this.#wanting.at <= nextAt) return
    this.#wanting?.timer[Symbol.dispose]()
    this.#wanting = undefined
    if (nextAt === undefined) return
    const now = this.clock.monotonic()
    const timer = this.clock.after(Math.max(nextAt - now, 0), () => {
      this.#wanting = undefined
      const wants = this.#spread.due(this.clock.monotonic(), source => this.#held(source))
      for (const { link, sources } of wants) link.send({ want: sources })
      this.#wantSoon()
    })
    this.#wanting = { timer, at: nextAt }
  }
}

function clockOf(sources: Record<string, number>): Map<Source, number> {
  return new Map(Object.entries(sources) as [Source, number][])
}
