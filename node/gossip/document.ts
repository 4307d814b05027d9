import type { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import { FridgeError } from '../lib/errors.ts'
import { isSource, type Source } from '../identity/names.ts'

/**
 * The one file that knows the package `scuttlebutt` 5.6.15. It gives the package types, checks
 * every frame before the package sees it, pages the first exchange, and replaces `_update`,
 * which would advance the clock of a source before anything was verified.
 */

/** What the package calls an update: a value at a place. The number is a sequence, not a time. */
export type Update = [value: unknown, sequence: number, source: Source, ...signature: unknown[]]

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

/** How many updates are handed to a link at a time while it catches up. */
const PAGE = 500

/** Sources in one frame of a digest: with the longest names a tenth of the longest line. */
const PAGE_SOURCES = 2_000

/** What a document needs of the stream that carries it. */
export interface DocumentStream {
  /** Send one frame. */
  readonly send: (frame: unknown) => void
  /** Resolves at once, or when what was sent has left. */
  readonly drained: () => Promise<void>
  /** The peer sent something that it must not: end the link. */
  readonly refuse: (reason: string) => void
  /** End the link through no fault of the peer's, and say why. */
  readonly leave: (text: string) => void
  /** Both sides have sent all that the other lacked. */
  readonly onSynced: () => void
}

/** One end of a document on one link. */
export interface DocumentLink extends Disposable {
  /** A parsed frame from the peer. */
  receive(frame: unknown): void
}

/** A document replicated by scuttlebutt: digests on connect, then each update once. */
export abstract class GossipDocument extends Scuttlebutt {
  #origin: DocumentStream | undefined

  constructor(id: Source) {
    super(id)
    // Sources come from peers; a plain object would find `constructor` in it.
    this.sources = Object.create(null) as Record<string, number>
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

  /** Call `task` after `ms`. Needed where `relayDelayMs` is not 0. */
  protected after(_ms: number, task: () => void): void {
    task()
  }

  /** Whether an update is of no interest, whatever it carries. */
  protected isKnown(_update: Update): boolean {
    return false
  }

  /** Take an update from a peer, new or not. A bad update ends its link by `from.refuse`. */
  protected abstract take(update: Update, from: DocumentStream): void

  /** At most `limit` updates after `clock`, in causal order. */
  protected abstract updatesAfter(clock: ReadonlyMap<Source, number>, limit: number): Update[]

  /**
   * What a peer must have had before it can take an update: frames by a key, each sent once a
   * link, in band, so that they are there in time.
   */
  protected attachmentsOf(_update: Update): Iterable<readonly [key: string, frame: object]> {
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

  /** What a peer lacks could not be read: its link ends, through no fault of the peer's. */
  protected failedToRead(_error: unknown): void {}

  /** A link has begun. */
  protected attached(_from: DocumentStream): void {}

  /** A peer has told how far it has heard each source. */
  protected digested(_clock: ReadonlyMap<Source, number>): void {}

  /** Both ends of a link have sent all that the other lacked at its start. */
  protected synced(_from: DocumentStream): void {}

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
    // What the peer has, as far as this end knows: the package filters by it what it sends.
    const peerClock = Object.create(null) as Record<string, number>

    const refuse = (reason: string): void => {
      dispose()
      stream.refuse(reason)
    }
    const leave = (text: string): void => {
      dispose()
      stream.leave(text)
    }
    const dispose = (): void => {
      if (ended) return
      ended = true
      inner.destroy()
      this.detached(from)
    }
    const attached = new Set<string>()
    const send = (frame: unknown): void => {
      if (Array.isArray(frame)) {
        for (const [key, attachment] of this.attachmentsOf(frame as Update)) {
          if (attached.has(key)) continue
          attached.add(key)
          stream.send(attachment)
        }
      }
      stream.send(frame)
    }
    // What a subclass answers goes the same way, so that nothing is attached twice.
    const from: DocumentStream = { ...stream, send, refuse, leave }
    // What the peer has sent here meanwhile need not go back to it.
    const heard = new Map<Source, number>()
    const waiting = new Map<Source, Update>()
    const flush = (): void => {
      for (const update of waiting.values()) {
        if ((heard.get(update[2]) ?? 0) < update[1] && !ended) send(update)
      }
      waiting.clear()
    }
    inner.on('data', (frame: unknown) => {
      const delayMs = Array.isArray(frame) ? this.relayDelayMs(frame as Update) : 0
      if (typeof frame === 'object' && frame !== null && 'clock' in frame) {
        for (const page of pagesOf(frame as DigestFrame)) stream.send(page)
        return undefined
      }
      if (delayMs === 0 || !Array.isArray(frame)) return send(frame)
      const update = frame as Update
      if (waiting.size === 0) this.after(delayMs, flush)
      waiting.set(update[2], update)
    })
    inner.on('error', () => refuse('the gossip stream failed'))
    inner.on('synced', () => {
      this.synced(from)
      stream.onSynced()
    })
    inner.resume()
    for (const opening of this.openings()) stream.send(opening)
    this.attached(from)

    const hand = (frame: unknown): void => {
      this.#origin = from
      try {
        inner.write(frame)
      } finally {
        this.#origin = undefined
      }
    }

    const unread = (error: unknown): void => {
      if (!(error instanceof FridgeError)) return refuse('the history could not be read')
      this.failedToRead(error)
      leave('this node cannot read its changes')
    }
    const takeFrame = (frame: object): { readonly refused?: string } | undefined => {
      try {
        return this.takeFrame(frame, from)
      } catch (error) {
        unread(error)
        return {}
      }
    }

    const peerHas = (source: Source, sequence: number): void => {
      peerClock[source] = Math.max(peerClock[source] ?? 0, sequence)
    }

    // The package sends all that a peer lacks at once: so first bring the peer near by pages that
    // wait for the link, and only then hand over its digest, grown by what was sent.
    const catchUp = async (digest: Digest): Promise<void> => {
      for (;;) {
        const updates = this.updatesAfter(clockOf(peerClock), PAGE)
        if (updates.length < PAGE) break
        for (const update of updates) {
          peerHas(update[2], update[1])
          send(update)
        }
        await stream.drained()
        if (ended) return
      }
      hand({ id: digest.id, clock: peerClock })
    }

    return {
      receive: frame => {
        if (ended) return
        if (frame === 'SYNC') {
          if (!digested || peerSynced) return refuse('SYNC out of place')
          peerSynced = true
          return hand(frame)
        }
        if (Array.isArray(frame)) {
          const update = asUpdate(frame)
          if (update === undefined) return refuse('an update is malformed')
          if (!digested) return refuse('an update came before the digest')
          peerHas(update[2], update[1])
          if (update[1] > (heard.get(update[2]) ?? 0)) heard.set(update[2], update[1])
          // Most of what many links bring is known: that costs no second look.
          if (this.isKnown(update)) return undefined
          const problem = this.problemOf(update)
          if (problem !== undefined) return refuse(problem)
          return hand(update)
        }
        if (typeof frame === 'object' && frame !== null && 'heard' in frame) {
          if (digested) return refuse('a page of a digest came behind its end')
          const page = asPage(frame)
          if (typeof page === 'string') return refuse(page)
          // What is not held here is not sent, so that what it says of that need not be kept.
          for (const [source, sequence] of page) {
            if (this.sources[source] !== undefined) peerHas(source, sequence)
          }
          return undefined
        }
        const taken = typeof frame === 'object' && frame !== null ? takeFrame(frame) : undefined
        if (taken !== undefined) {
          if (taken.refused !== undefined) refuse(taken.refused)
          return undefined
        }
        const digest = asDigest(frame)
        if (typeof digest === 'string') return refuse(digest)
        if (digested) return refuse('a second digest')
        if (!isExpected(digest.id)) return refuse('the digest names another node')
        digested = true
        for (const [source, sequence] of digest.clock) peerHas(source, sequence)
        this.digested(clockOf(peerClock))
        catchUp(digest).catch(unread)
      },
      [Symbol.dispose]: dispose,
    }
  }
}

function clockOf(sources: Record<string, number>): Map<Source, number> {
  return new Map(Object.entries(sources) as [Source, number][])
}

interface DigestFrame {
  readonly id: Source
  readonly clock: Record<string, number>
}

interface Digest {
  readonly id: Source
  readonly clock: ReadonlyMap<Source, number>
}

function asUpdate(frame: unknown[]): Update | undefined {
  const [, sequence, source] = frame
  if (frame.length < 3 || frame.length > 4) return undefined
  if (!Number.isSafeInteger(sequence) || (sequence as number) < 1 || !isSource(source)) {
    return undefined
  }
  return frame as unknown as Update
}

/** @returns the digest, or why it is none */
function asDigest(frame: unknown): Digest | string {
  if (typeof frame !== 'object' || frame === null) return 'a frame is neither digest nor update'
  const { id, clock, ...rest } = frame as Record<string, unknown>
  if (Object.keys(rest).length > 0) return 'a digest has unknown fields'
  if (!isSource(id)) return 'a digest names no valid source'
  const read = readClock(clock)
  return typeof read === 'string' ? read : { id, clock: read }
}

/** @returns what a page of a digest tells, or why it is none */
function asPage(frame: object): ReadonlyMap<Source, number> | string {
  const { heard, ...rest } = frame as Record<string, unknown>
  if (Object.keys(rest).length > 0) return 'a digest has unknown fields'
  return readClock(heard)
}

function readClock(clock: unknown): Map<Source, number> | string {
  if (typeof clock !== 'object' || clock === null || Array.isArray(clock)) {
    return 'a digest has no clock'
  }
  const entries = Object.entries(clock)
  for (const [source, sequence] of entries) {
    if (!isSource(source) || !Number.isSafeInteger(sequence) || (sequence as number) < 1) {
      return 'a digest has a malformed clock'
    }
  }
  return new Map(entries as [Source, number][])
}

/** The digest that the package sends, in frames of which the last ends it. */
function* pagesOf({ id, clock }: DigestFrame): Iterable<object> {
  const entries = Object.entries(clock)
  let from = 0
  for (; entries.length - from > PAGE_SOURCES; from += PAGE_SOURCES) {
    yield { heard: Object.fromEntries(entries.slice(from, from + PAGE_SOURCES)) }
  }
  yield { id, clock: Object.fromEntries(entries.slice(from)) }
}
