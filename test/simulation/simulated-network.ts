import type { Random } from '../../node/lib/clock.ts'
import type { DocumentLink, DocumentStream } from '../../node/gossip/document-stream.ts'
import type { GossipDocument } from '../../node/gossip/document.ts'
import { parseJson } from '../../node/wire/json.ts'
import { PEER_LIMITS } from '../../node/wire/limits.ts'
import type { Scheduler } from './scheduler.ts'

/** One end of a link: who is there, and the document that it gossips. */
export interface Peer {
  readonly name: string
  readonly document: GossipDocument
  /** Whether its list was complete at some time, as it says when a link begins. Default: it says nothing. */
  readonly wasWhole?: () => boolean | undefined
  /** Hears what arrives, once the machine is awake. Default: it always is. */
  readonly whenAwake?: (task: () => void) => Disposable
  /** A frame arrives. */
  readonly onFrame?: (frame: unknown, link: SimulatedLink) => void
  /** Each end of a link has sent all that the other lacked. */
  readonly onSynced?: (link: SimulatedLink) => void
}

/** A link that one end has ended because of what the other sent. */
export interface Refused {
  readonly by: string
  readonly of: string
  readonly reason: string
}

interface End {
  readonly peer: Peer
  attached: DocumentLink | undefined
  /** When the last frame to this end arrives: a link keeps the order of frames. */
  arrivesAt: number
}

export interface NetworkOptions {
  readonly scheduler: Scheduler
  readonly random: Random
  /** The longest way of a frame, in milliseconds. */
  readonly maxDelayMs: number
  /** An end has ended a link because of what the other has sent. */
  readonly onRefused?: (refused: Refused) => void
}

/** Links that carry frames as text, each in one line, in order, each frame with a delay of its own. */
export class SimulatedNetwork {
  readonly #options: NetworkOptions
  readonly #links = new Set<SimulatedLink>()
  readonly refusals: Refused[] = []
  /** Links that one end has ended through no fault of the other. */
  readonly leaves: Refused[] = []
  #side: (name: string) => number = () => 0

  constructor(options: NetworkOptions) {
    this.#options = options
  }

  get links(): readonly SimulatedLink[] {
    return [...this.#links]
  }

  canReach(one: string, other: string): boolean {
    return this.#side(one) === this.#side(other)
  }

  /** Divide the nodes: links between two sides are lost with all that is under way on them. */
  partition(side: (name: string) => number): void {
    this.#side = side
    for (const link of this.#links) {
      const [one, other] = link.names
      if (!this.canReach(one, other)) link.cut()
    }
  }

  heal(): void {
    this.#side = () => 0
  }

  /** Link two nodes; there may be links between them already. Undefined when they are apart. */
  connect(one: Peer, other: Peer): SimulatedLink | undefined {
    if (!this.canReach(one.name, other.name)) return undefined
    const link = new SimulatedLink([one, other], this.#options, {
      onRefused: refused => {
        this.refusals.push(refused)
        this.#options.onRefused?.(refused)
      },
      onLeft: left => this.leaves.push(left),
      onEnd: ended => this.#links.delete(ended),
    })
    this.#links.add(link)
    return link
  }

  /** A node is gone, and with it all its links. */
  disconnect(name: string): void {
    for (const link of this.#links) if (link.names.includes(name)) link.cut()
  }
}

interface LinkEvents {
  readonly onRefused: (refused: Refused) => void
  readonly onLeft: (left: Refused) => void
  readonly onEnd: (link: SimulatedLink) => void
}

export class SimulatedLink {
  readonly names: readonly [string, string]
  /** What each end said when it began: whether its list was complete at some time. */
  readonly wasWhole: ReadonlyMap<string, boolean | undefined>
  readonly #options: NetworkOptions
  readonly #events: LinkEvents
  readonly #ends: readonly [End, End]
  #ended = false
  #synced = 0

  constructor([one, other]: readonly [Peer, Peer], options: NetworkOptions, events: LinkEvents) {
    this.names = [one.name, other.name]
    this.wasWhole = new Map([one, other].map(end => [end.name, end.wasWhole?.()]))
    this.#options = options
    this.#events = events
    this.#ends = [
      { peer: one, attached: undefined, arrivesAt: 0 },
      { peer: other, attached: undefined, arrivesAt: 0 },
    ]
    const [first, second] = this.#ends
    const [here, there] = [one.wasWhole?.(), other.wasWhole?.()]
    const isKnown = one.wasWhole !== undefined && other.wasWhole !== undefined
    this.#attach(first, second, isKnown ? { here, there } : undefined)
    this.#attach(second, first, isKnown ? { here: there, there: here } : undefined)
  }

  /** Whether each end has sent all that the other lacked when they met. */
  get synced(): boolean {
    return this.#synced === 2
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Lose the link, and what is under way on it. */
  cut(): void {
    if (this.#ended) return
    this.#ended = true
    for (const { attached } of this.#ends) attached?.[Symbol.dispose]()
    this.#events.onEnd(this)
  }

  #attach(here: End, there: End, wasWhole: DocumentStream['wasWhole']): void {
    const { scheduler, random, maxDelayMs } = this.#options
    here.attached = here.peer.document.attach(
      {
        send: frame => this.#send(JSON.stringify(frame), there),
        ...(wasWhole && { wasWhole }),
        drained: async () =>
          new Promise(resolve => {
            scheduler.after(Math.floor(random() * maxDelayMs), resolve)
          }),
        refuse: reason => this.#refuse(here, reason),
        leave: text => {
          this.#events.onLeft({ by: here.peer.name, of: there.peer.name, reason: text })
          this.cut()
        },
        onSynced: () => {
          this.#synced += 1
          here.peer.onSynced?.(this)
        },
      },
      source => source === there.peer.document.id,
    )
  }

  #refuse(by: End, reason: string): void {
    // A node that dies in the middle of what it was sent says nothing of the rest to anybody.
    if (this.#ended) return
    const [of = ''] = this.names.filter(name => name !== by.peer.name)
    this.#events.onRefused({ by: by.peer.name, of, reason })
    this.cut()
  }

  #send(text: string, to: End): void {
    if (this.#ended) return
    const { scheduler, random, maxDelayMs } = this.#options
    const soonest = scheduler.now + Math.floor(random() * maxDelayMs)
    to.arrivesAt = Math.max(to.arrivesAt, soonest)
    scheduler.after(to.arrivesAt - scheduler.now, () => {
      const { whenAwake = atOnce, onFrame } = to.peer
      whenAwake(() => {
        if (this.#ended) return
        if (text.length > PEER_LIMITS.maxLineBytes) return this.#refuse(to, 'a line is too long')
        const frame = parseJson(text, PEER_LIMITS.maxDepth)
        onFrame?.(frame, this)
        to.attached?.receive(frame)
      })
    })
  }
}

function atOnce(task: () => void): Disposable {
  task()
  return { [Symbol.dispose]: () => {} }
}
