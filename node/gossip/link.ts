import type { Duplex } from 'node:stream'
import { at, type Clock } from '../lib/clock.ts'
import type { Identity } from '../identity/identity.ts'
import { isSource, nodeOf, type Source } from '../identity/names.ts'
import { Channel } from '../wire/channel.ts'
import type { Bye, Hello } from '../wire/control.ts'
import type { Ending } from '../wire/connection.ts'
import type { InputLimit } from '../wire/input-limit.ts'
import { parseJson } from '../wire/json.ts'
import { PEER_LIMITS } from '../wire/limits.ts'
import { TextLineDecoder } from '../wire/lines.ts'
import type { MuxStream } from '../wire/mux.ts'
import { Refusal } from '../wire/refusal.ts'
import { CertificateExchange } from './certificate-exchange.ts'
import { FramePacking, isPacked, unpack } from './frame-packing.ts'
import type { Replica } from './replica.ts'
import type { DocumentLink } from './document-stream.ts'
import type { Members } from './members.ts'
import type { SignedDocument } from './signed-document.ts'

/** The documents that nodes gossip, by the name of the stream that carries each. */
export interface Documents {
  readonly whitelist: Replica
  readonly members: Members
}

export interface LinkTimes {
  /** How often each end says that it lives, in milliseconds. */
  readonly heartbeatMs: number
  /** How long the other end may be silent, in milliseconds. */
  readonly deadAfterMs: number
}

/** Whose a certificate is, and until when. */
export type Holder = Pick<Identity, 'subject' | 'notAfter'>

export interface LinkOptions {
  readonly socket: Duplex
  /** The node whose certificate the other end showed. */
  readonly peer: Identity
  /** What of its own certificate this end showed. */
  readonly own: Holder
  /** How fast the node is read, on all of its connections together. */
  readonly input?: InputLimit
  /** Whether this end dialed. It opens the streams; the other opened the connection's control. */
  readonly dialed: boolean
  /** Where the other end is: the address that was dialed, or that the connection came from. */
  readonly from: string
  readonly documents: Documents
  readonly times: LinkTimes
  readonly clock: Clock
  /** The other end has said which run of which node it is. @returns why it is not wanted */
  readonly onHello: (link: Link, source: Source) => Bye | undefined
  /** Both ends hold all that the other held at the start. */
  readonly onSynced: (link: Link) => void
  readonly onEnd: (link: Link, end: LinkEnd) => void
}

/** Why a link ended, in a word and a sentence, with what the peer has shown to prove it. */
export interface LinkEnd extends Bye {
  /** Whether the peer has said so. */
  readonly isSaid?: boolean
  /** Whether the peer broke the protocol. */
  readonly hostile: boolean
}

/** Updates that may wait for the disk before the peer is made to wait. */
const MAX_BACKLOG = 512

/** Unread bytes from which on a peer is sent changes page by page from the log, and none as they come. */
const BEHIND_FROM_BYTES = 256 * 1_024

/** One connection to another node, with the documents gossiped over it. */
export class Link {
  readonly peer: Identity
  readonly dialed: boolean
  readonly from: string
  readonly #channel: Channel
  readonly #options: LinkOptions
  readonly #attached: DocumentLink[] = []
  readonly #certificates = new CertificateExchange()
  readonly #packing = new FramePacking<MuxStream>(
    (stream, json, update) => stream.writeEncoded(encodeFrame(json, update)),
    // For what nodes say of themselves nobody waits.
    ({ meta }) => meta === 'whitelist',
  )
  readonly #opened = new Set<string>()
  readonly #expiry: Disposable
  /** What this end has said of its list. */
  readonly #wasWhole: boolean | undefined
  /** What the other end has said of its own. */
  #wasPeerWhole: boolean | undefined
  readonly #patience: Disposable
  readonly #startedAt: number
  #source: Source | undefined
  #roundTripMs = Number.MAX_VALUE
  #synced = 0
  #why: LinkEnd | undefined
  /** Whether it reads nothing until what came has been checked. */
  #isWaiting = false

  constructor(options: LinkOptions) {
    this.peer = options.peer
    this.dialed = options.dialed
    this.from = options.from
    this.#options = options
    const { peer, own, dialed, documents, times, clock } = options
    this.#startedAt = clock.monotonic()
    const { wasWhole: whole } = documents.whitelist.wholeness
    this.#wasWhole = whole
    this.#channel = new Channel(options.socket, {
      limits: PEER_LIMITS,
      clock,
      input: options.input,
      control: {
        opens: !dialed,
        ...times,
        beatsTogether: true,
        hello: { source: documents.whitelist.id, ...(whole !== undefined && { whole }) },
        takesProof: true,
        onHello: hello => this.#greet(hello),
      },
      onStream: stream => this.#accept(stream),
      onEnd: ending => this.#end(ending),
    })
    // Heartbeats begin with the control stream, which the end opens that was dialed: it may never.
    this.#patience = clock.after(times.deadAfterMs, () => {
      if (this.#source === undefined) this.#channel.cutAsDead()
    })
    const first: Holder = peer.notAfter <= own.notAfter ? peer : own
    this.#expiry = at(clock, first.notAfter, () => {
      this.close('certificate expired', `the certificate of ${first.subject} has expired`)
    })
  }

  /** The run of the node at the other end; undefined until it has said hello. */
  get source(): Source | undefined {
    return this.#source
  }

  /**
   * How long the way there and back takes, in milliseconds: until the hello of the peer, who could
   * say it when this end had finished the handshake or said its own.
   */
  get roundTripMs(): number {
    return this.#roundTripMs
  }

  /** Whether both ends hold all that the other held at the start. */
  get synced(): boolean {
    return this.#synced === 2
  }

  /** When the peer was last heard, on the monotonic clock. */
  get heardAt(): number {
    return this.#channel.heardAt
  }

  /** How many bytes the peer has sent. */
  get bytesHeard(): number {
    return this.#channel.bytesHeard
  }

  /** End the link, and tell the other end why, with what proves it where there is something. */
  close(reason: string, text: string, proof?: unknown): void {
    this.#why ??= { reason, text, hostile: false }
    this.#packing.flush()
    this.#channel.close({ reason, text, proof })
  }

  #accept(stream: MuxStream): boolean {
    if (this.dialed) return false
    if (this.#opened.has(stream.meta)) return false
    this.#opened.add(stream.meta)
    // Before its hello the peer has no source to gossip as.
    const document = this.#source === undefined ? undefined : this.#document(stream.meta)
    if (document === undefined) return false
    this.#attach(document, stream)
    return true
  }

  #document(name: string): SignedDocument | undefined {
    if (name === 'whitelist') return this.#options.documents.whitelist
    if (name === 'members') return this.#options.documents.members
    return undefined
  }

  /** @returns why the peer's first words are refused */
  #greet({ source, whole }: Hello): string | undefined {
    if (!isSource(source) || nodeOf(source) !== this.peer.name) {
      return 'a hello does not name the node of the certificate'
    }
    this.#source = source
    this.#roundTripMs = this.#options.clock.monotonic() - this.#startedAt
    if (whole !== undefined && typeof whole !== 'boolean')
      return 'a hello does not say what is whole'
    this.#wasPeerWhole = whole
    const unwanted = this.#options.onHello(this, source)
    if (unwanted !== undefined) this.close(unwanted.reason, unwanted.text, unwanted.proof)
    else if (this.dialed) {
      const { whitelist, members } = this.#options.documents
      this.#attach(whitelist, this.#channel.open('whitelist'))
      this.#attach(members, this.#channel.open('members'))
    }
    return undefined
  }

  #attach(document: SignedDocument, stream: MuxStream): void {
    const refuse = (reason: string): void => this.#channel.refuse(new Refusal('gossip', reason))
    const attached = document.attach(
      {
        dialed: this.dialed,
        peer: this.#source,
        send: frame => this.#packing.send(stream, frame),
        drained: async () => {
          this.#packing.flush()
          await this.#channel.drained()
        },
        isBehind: () => this.#channel.bufferedBytes > BEHIND_FROM_BYTES,
        certificates: this.#certificates,
        wasWhole: { here: this.#wasWhole, there: this.#wasPeerWhole },
        refuse,
        leave: text => this.close('busy', text),
        onSynced: () => void this.#settle(document),
      },
      source => source === this.#source,
    )
    // Its digest is not to wait for what the rest of this turn does.
    this.#packing.flush()
    this.#attached.push(attached)
    const decoder = new TextLineDecoder(PEER_LIMITS.maxLineBytes)
    stream.onText(text => {
      const refusal = decoder.write(text, line => {
        const frames = framesIn(line)
        if (frames instanceof Refusal) this.#channel.refuse(frames)
        else for (const frame of frames) attached.receive(frame)
        return !this.#channel.ended
      })
      if (refusal !== undefined) this.#channel.refuse(refusal)
      if (document.backlog > MAX_BACKLOG) void this.#waitForBacklog()
    })
    stream.onClose(() => {
      if (!this.#channel.ended) refuse('a gossip stream was closed')
    })
  }

  /** A document is in step when what came with it has been checked and taken in as well. */
  async #settle(document: SignedDocument): Promise<void> {
    await document.settled()
    // What could not be stored was passed over, and such a link ends once it can be.
    await this.#options.documents.whitelist.storage.working()
    if (this.#channel.ended) return
    this.#synced += 1
    if (this.synced) this.#options.onSynced(this)
  }

  /** Read on when what came has been checked, of both documents. */
  async #waitForBacklog(): Promise<void> {
    if (this.#isWaiting) return
    this.#isWaiting = true
    this.#channel.pause()
    const { whitelist, members } = this.#options.documents
    await Promise.all([whitelist.settled(), members.settled()])
    this.#isWaiting = false
    this.#channel.resume()
  }

  #end(ending: Ending): void {
    this.#expiry[Symbol.dispose]()
    this.#patience[Symbol.dispose]()
    for (const attached of this.#attached) attached[Symbol.dispose]()
    this.#options.onEnd(this, this.#why ?? this.#describe(ending))
  }

  #describe(ending: Ending): LinkEnd {
    const { bye } = this.#channel
    // A farewell excuses nothing that comes behind it.
    if (bye !== undefined && ending.cause !== 'refused')
      return { ...bye, isSaid: true, hostile: false }
    switch (ending.cause) {
      case 'refused':
        return { reason: 'refused', text: ending.refusal.toString(), hostile: true }
      case 'too slow':
        return { reason: 'too slow', text: 'it does not read what it is sent', hostile: false }
      case 'dead':
        return {
          reason: 'dead',
          text: `silent for ${this.#options.times.deadAfterMs} ms`,
          hostile: false,
        }
      case 'lost':
        return {
          reason: 'lost',
          text: ending.error?.message ?? 'the connection ended',
          hostile: false,
        }
      case 'closed':
        return { reason: 'closed', text: 'closed here', hostile: false }
    }
  }
}

/** The frames of one line: one, or those that are packed into it. */
function framesIn(line: string): readonly unknown[] | Refusal {
  const frame = parseJson(line, PEER_LIMITS.maxDepth)
  if (frame instanceof Refusal) return frame
  return isPacked(frame) ? unpack(frame, PEER_LIMITS.maxDepth) : [frame]
}

/** The same update goes to many peers: it is encoded once. */
const encoded = new WeakMap<object, string>()

/** A frame as the text of a sub-stream, encoded as JSON once more. */
function encodeFrame(json: string, update: object | undefined): string {
  const known = update && encoded.get(update)
  if (known !== undefined) return known
  const line = JSON.stringify(`${json}\n`)
  if (update !== undefined) encoded.set(update, line)
  return line
}
