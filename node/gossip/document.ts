import { FridgeError } from '../lib/errors.ts'
import type { Source } from '../identity/names.ts'
import type { Clock } from '../lib/clock.ts'
import { DigestBuckets } from './digest-buckets.ts'
import { DigestExchange } from './digest-exchange.ts'
import { isDigestFrame, type Announcement, type Digest, type Update } from './document-frames.ts'
import { CertificateExchange } from './certificate-exchange.ts'
import { withAttachments, type DocumentLink, type DocumentStream } from './document-stream.ts'
import type { LinkMap } from './first-tree.ts'
import { Incoming } from './incoming.ts'
import { Outgoing, type Beginning } from './outgoing.ts'
import { PeerClock, type HeldClock } from './peer-clock.ts'
import { Scuttlebutt, type PackageStream } from './scuttlebutt.ts'
import { gatheringMs, type Spreading } from './spreading.ts'
import { Trees } from './trees.ts'

/**
 * What the package `scuttlebutt` lacks: every frame is checked before the package sees it, the first
 * exchange is paged, and `_update` replaced, which would advance the clock of a source before anything
 * was verified.
 */

export type { Update } from './document-frames.ts'

const NOTHING: Readonly<Record<string, number>> = Object.freeze(
  Object.create(null) as Record<string, number>,
)

/** A document replicated by scuttlebutt: digests on connect, then each update along a tree. */
export abstract class GossipDocument extends Scuttlebutt {
  protected readonly clock: Clock
  readonly #spreading: Spreading
  readonly #trees: Trees<DocumentStream>
  readonly #peerClocks = new Set<PeerClock>()
  readonly #buckets: DigestBuckets | undefined
  readonly #here: HeldClock = {
    held: source => this.sources[source] ?? 0,
    sources: () => Object.keys(this.sources) as Source[],
  }
  /** What goes to peers that have been sent all that they lacked. */
  readonly #caughtUp = new Map<Outgoing, DocumentStream>()
  #origin: DocumentStream | undefined

  constructor(id: Source, clock: Clock, spreading: Spreading) {
    super(id)
    // Sources come from peers; a plain object would find `constructor` in it.
    this.sources = Object.create(null) as Record<string, number>
    this.clock = clock
    this.#spreading = spreading
    this.#buckets = spreading.hasBuckets ? new DigestBuckets() : undefined
    this.#trees = new Trees({
      self: id,
      clock,
      spreading,
      held: source => this.sources[source] ?? 0,
      compare: (announced, from) => this.compare(announced, from),
    })
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

  /**
   * At most `limit` updates after `clock`, in causal order; none if there are none.
   * @param only of these sources; told where one update does not need others
   */
  protected abstract updatesAfter(
    clock: PeerClock,
    limit: number,
    only?: ReadonlySet<Source>,
  ): Update[]

  /** The sources at which a run speaks of itself. */
  protected sourcesOf(_run: Source): readonly Source[] {
    return []
  }

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

  /** What a peer that holds nothing is sent instead of the older part of what it lacks. */
  protected beginningFor(_to: DocumentStream): Beginning | undefined {
    return undefined
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

  /** A peer has told how far it has heard each source. */
  protected digested(_id: Source, _clock: PeerClock, _from: DocumentStream): void {}

  /** Both ends of a link have sent all that the other lacked at its start. */
  protected synced(from: DocumentStream): void {
    from.onSynced()
  }

  /** What stands beside the place of an update in an announcement of it. */
  protected announcementOf(_source: Source, sequence: number): unknown {
    return sequence
  }

  /** A peer has announced what is held here too: is it the same? */
  protected compare(_announced: Announcement, _from: DocumentStream): void {}

  /** A link has begun. @param clock how far its peer has come, as far as is known at any time */
  protected attached(_from: DocumentStream, _clock: PeerClock): void {}

  /** A link has ended: nothing more goes to its stream. */
  protected detached(_from: DocumentStream): void {}

  /** Begin trees from now on by what is known of the links between all nodes. */
  followLinks(map: LinkMap): void {
    this.#trees.follow(map)
  }

  /** Record an update that holds, and pass it on to every peer that lacks it. */
  protected publish(update: Update): void {
    this.hold(update[2], update[1])
    this.emit('_update', update)
  }

  /** Pass updates on that hold and are not recorded yet, to peers that are to be sent them whole. @returns these */
  protected passOnAhead(updates: readonly Update[]): DocumentStream[] {
    return Array.from(this.#caughtUp).flatMap(([one, to]) => (one.sendAhead(updates) ? [to] : []))
  }

  /** This node has come to a place of a source: 0 where it holds nothing of it any more. */
  protected hold(source: Source, sequence: number): void {
    for (const clock of this.#peerClocks) clock.stay(source)
    this.#buckets?.move(source, this.sources[source] ?? 0, sequence)
    if (sequence > 0) this.sources[source] = sequence
    else delete this.sources[source]
  }

  /** A source is of no interest any more, whoever holds it. */
  protected forgetSource(source: Source): void {
    for (const clock of this.#peerClocks) clock.forget(source)
    this.#buckets?.move(source, this.sources[source] ?? 0, 0)
    delete this.sources[source]
  }

  /** Called by the package: a peer has been sent all that it lacks by then. */
  history(): Update[] {
    return []
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
      outgoing[Symbol.dispose]()
      this.#caughtUp.delete(outgoing)
      this.#peerClocks.delete(peerClock)
      inner.destroy()
      this.#trees.leave(from)
      this.detached(from)
    }
    // What a subclass answers goes the same way, so that nothing is attached twice.
    const from = withAttachments(
      { certificates: new CertificateExchange(), ...stream, refuse, leave },
      this.attachmentsOf.bind(this),
    )
    const unread = (error: unknown): void => this.#failToRead(error, from)
    const peerClock = new PeerClock(this.#here)
    this.#peerClocks.add(peerClock)
    const outgoing = this.#outgoingTo(from, peerClock, unread)
    const digests = this.#digestsWith(from, peerClock)
    this.#begin(inner, from, { peerClock, outgoing, digests })

    const hand = this.#handTo(inner, from)
    // The package sends all that a peer lacks at once: so first bring the peer near by pages that
    // wait for the link, and only then hand over a digest. It names nothing, and the package cannot
    // write into it: what a peer holds is kept once, by its clock.
    const catchUp = async ({ id }: Digest, isNewcomer: boolean): Promise<void> => {
      const beginning = isNewcomer ? this.beginningFor(from) : undefined
      await (beginning === undefined ? outgoing.sendMissing() : outgoing.sendFrom(beginning))
      if (ended) return
      outgoing.sendRest()
      hand({ id, clock: NOTHING })
    }
    const incoming = new Incoming({
      outgoing,
      isExpected,
      holds: source => this.sources[source] !== undefined,
      onUpdate: (update, isLive) => this.#trees.note(update, from, isLive),
      isKnown: update => this.isKnown(update),
      problemOf: update => this.problemOf(update),
      takeFrame: (frame, digested) => {
        if (!('buckets' in frame)) return this.#takeFrame(frame, from, { outgoing, digested })
        const refused = digests.hearBuckets(frame, digested)
        return refused === undefined ? {} : { refused }
      },
      onDigest: (digest, isNewcomer) => {
        const heard = digests.hear(digest)
        if (typeof heard === 'string') return refuse(heard)
        peerClock.read(heard.apart)
        this.digested(digest.id, peerClock, from)
        catchUp(digest, isNewcomer).catch(unread)
      },
      hand,
      refuse,
    })
    return {
      receive: frame => {
        if (!ended) incoming.receive(frame)
      },
      [Symbol.dispose]: dispose,
    }
  }

  /** Say what an end says first, and from then on what the package and the subclass have to say. */
  #begin(
    inner: PackageStream,
    to: DocumentStream,
    {
      peerClock,
      outgoing,
      digests,
    }: {
      readonly peerClock: PeerClock
      readonly outgoing: Outgoing
      readonly digests: DigestExchange
    },
  ): void {
    inner.on('data', (frame: unknown) => {
      if (isDigestFrame(frame)) return digests.begin()
      if (frame === 'SYNC') this.#caughtUp.set(outgoing, to)
      if (!Array.isArray(frame)) to.send(frame)
      else if (this.#caughtUp.has(outgoing)) outgoing.offer(frame as Update)
      else outgoing.send(frame as Update)
    })
    inner.on('error', () => to.refuse('the gossip stream failed'))
    inner.on('synced', () => {
      this.#trees.settle(to)
      this.synced(to)
    })
    for (const first of this.preamble(to)) to.send(first)
    inner.resume()
    for (const opening of this.openings()) to.send(opening)
    this.#trees.join(to)
    this.attached(to, peerClock)
  }

  /** Hand frames of a peer to the package, and keep meanwhile whom they are from: it does not say so. */
  #handTo(inner: PackageStream, from: DocumentStream): (frame: unknown) => void {
    return frame => {
      this.#origin = from
      try {
        inner.write(frame)
      } finally {
        this.#origin = undefined
      }
    }
  }

  #digestsWith(from: DocumentStream, peerClock: PeerClock): DigestExchange {
    return new DigestExchange({
      id: this.id,
      ...this.#here,
      buckets: this.#buckets,
      aside: [this.id, from.peer].flatMap(run => (run === undefined ? [] : this.sourcesOf(run))),
      peerClock,
      send: frame => from.send(frame),
    })
  }

  #failToRead(error: unknown, from: DocumentStream): void {
    if (!(error instanceof FridgeError)) return from.refuse('the history could not be read')
    if (error.code === 'ERR_ARCHIVE') return from.leave(error.message)
    this.failedToRead(error)
    from.leave('this node cannot read its changes')
  }

  /** @returns undefined when it is a digest, or why it is refused, if it is */
  #takeFrame(
    frame: object,
    from: DocumentStream,
    state: { outgoing: Outgoing; digested: boolean },
  ): { readonly refused?: string } | undefined {
    try {
      return this.#trees.take(frame, from, state) ?? this.takeFrame(frame, from)
    } catch (error) {
      this.#failToRead(error, from)
      return {}
    }
  }

  #outgoingTo(
    to: DocumentStream,
    peerClock: PeerClock,
    onFailure: (error: unknown) => void,
  ): Outgoing {
    const { clock } = this
    const beganAt = clock.monotonic()
    return new Outgoing({
      clock,
      isCausal: this.#spreading.isCausal,
      announceMs: () => {
        const quietMs = clock.monotonic() - Math.max(beganAt, this.#trees.leftAt)
        return gatheringMs(this.#spreading, clock, { dialed: to.dialed === true, quietMs })
      },
      relayMs: update => this.relayDelayMs(update),
      isEager: update => this.isLastWord(update) || this.#trees.isEager(to, update[2]),
      peerClock,
      missing: (limit, only) => this.updatesAfter(peerClock, limit, only),
      announcementOf: (source, sequence) => this.announcementOf(source, sequence),
      send: frame => to.send(frame),
      drained: async () => to.drained(),
      isBehind: () => to.isBehind?.() === true,
      onFailure,
    })
  }
}
