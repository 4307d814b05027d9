import type { Duplex } from 'node:stream'
import type { DeliveryCounts } from '../events/subscriber.ts'
import { parseHistoryPage, parseHistoryRequest, type HistoryPage } from '../history/page.ts'
import type { Identity } from '../identity/identity.ts'
import type { Name, Source } from '../identity/names.ts'
import { backoffMs } from '../lib/backoff.ts'
import { at, type Clock, type Random } from '../lib/clock.ts'
import { errorMessage, FridgeError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { Channel } from '../wire/channel.ts'
import type { Ending } from '../wire/connection.ts'
import { CLIENT_HEARTBEAT, type Hello } from '../wire/control.ts'
import type { MuxStream } from '../wire/mux.ts'
import { Refusal } from '../wire/refusal.ts'
import type { RpcRemote } from '../wire/rpc.ts'
import { parseFarHello, parsePartStream, TELLING_LIMITS, type Ask } from './relay-frames.ts'
import { RelayedAudience, type RelayLine } from './relayed-audience.ts'
import type { WatchingPage } from './viewer.ts'

/** Another node that this one has dialed to read there for its pages. */
export interface DialedNode {
  readonly socket: Duplex
  readonly peer: Identity
}

export interface RelayOptions {
  /** The node whose sensors are read. */
  readonly node: Name
  /** The run of this node. */
  readonly run: Source
  /** Where a node says that it can be reached, `HOST:PORT`; nowhere while it is out of reach. */
  readonly addressesOf: (node: Name) => readonly string[]
  /** @throws when nobody answers who is a node of this cluster */
  readonly dial: (address: string, signal: AbortSignal) => Promise<DialedNode>
  /** Whether a node may be connected now. */
  readonly admits: (peer: Identity) => boolean
  /** What pages have been sent of it. */
  readonly counts: DeliveryCounts
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** How long a far node may take to say hello, and to answer a call, in milliseconds. */
const HELLO_MS = 10_000
const ANSWER_MS = 30_000

/** How long a far node that is not reached is left alone, in milliseconds. */
const BACKOFF = { firstMs: 1_000, maxMs: 5_000 } as const

/** Why nothing is known of a far node any more. */
interface RelayEnd {
  readonly reason: string
  /** What pages are told. */
  readonly text: string
  /** What the log says besides: addresses are no business of whoever looks at a page. */
  readonly detail?: string
  /** Whether it had said hello. */
  readonly wasOpen: boolean
}

/** A line with the methods of the far node. */
interface OpenLine extends RelayLine {
  readonly peer: Identity
  readonly remote: Promise<RpcRemote>
}

/** What this node reads of one other for its pages: dialed as long as one of them looks. */
export class Relay implements Disposable {
  readonly #options: RelayOptions
  readonly #audiences = new Map<string, RelayedAudience>()
  /** The audiences that were asked for on this connection. */
  readonly #asked = new Map<number, RelayedAudience>()
  readonly #stop = new AbortController()
  #line: OpenLine | undefined
  #nextNumber = 1

  private constructor(options: RelayOptions) {
    this.#options = options
  }

  /** Dial from now on, again and again, until it is disposed. */
  static start(options: RelayOptions): Relay {
    const relay = new Relay(options)
    void relay.#keep()
    return relay
  }

  /** How many audiences read over it. */
  get size(): number {
    return this.#audiences.size
  }

  /** Whether it is connected. */
  get isOpen(): boolean {
    return this.#line !== undefined
  }

  /** An audience that reads here. */
  find(key: string): RelayedAudience | undefined {
    return this.#audiences.get(key)
  }

  /** Read for one more audience. */
  add(key: string, ask: Ask): RelayedAudience {
    const { node, counts, clock, random } = this.#options
    const audience = new RelayedAudience({
      node,
      ask,
      counts,
      clock,
      random,
      onAgain: () => this.#ask(audience),
    })
    this.#audiences.set(key, audience)
    this.#ask(audience)
    return audience
  }

  /** Read for an audience no more. */
  remove(key: string): void {
    const audience = this.#audiences.get(key)
    this.#audiences.delete(key)
    if (audience === undefined) return
    this.#forget(audience)
    audience.end()
  }

  /** End the connection to a node that is not admitted any more. @returns whether it was */
  review(): boolean {
    const line = this.#line
    if (line === undefined || this.#options.admits(line.peer)) return false
    line.channel.close({ reason: 'revoked', text: `${line.peer.subject} is not read any more` })
    return true
  }

  /**
   * A page of a history of the far node.
   * @param page who asks
   * @throws FridgeError `ERR_REFUSED`, `ERR_UNREACHABLE`, `ERR_PROTOCOL`, and what the far node answers
   */
  async history(
    audience: RelayedAudience,
    { mayRead }: Pick<WatchingPage, 'mayRead'>,
    value: unknown,
  ): Promise<HistoryPage> {
    const { node } = this.#options
    const request = parseHistoryRequest(value)
    if (typeof request === 'string') throw new FridgeError('ERR_PROTOCOL', request)
    if (!mayRead(request.sensor)) {
      throw new FridgeError('ERR_REFUSED', `the grant does not allow ${request.sensor}`)
    }
    const { number } = audience
    const line = this.#line
    if (line === undefined || number === undefined) {
      throw new FridgeError('ERR_UNREACHABLE', `nothing is known of ${node} now`)
    }
    const remote = await line.remote
    const timing = { timeoutMs: ANSWER_MS, signal: this.#stop.signal }
    const answer = await remote.call('history', [number, request], timing)
    const page = parseHistoryPage(answer, request.table)
    if (typeof page !== 'string') return page
    throw new FridgeError('ERR_PROTOCOL', `${node} has answered what is no page: ${page}`)
  }

  [Symbol.dispose](): void {
    for (const key of Array.from(this.#audiences.keys())) this.remove(key)
    this.#stop.abort()
  }

  async #keep(): Promise<void> {
    const { clock, random, node, log } = this.#options
    const { signal } = this.#stop
    let failures = 0
    while (!signal.aborted) {
      const { reason, text, detail = text, wasOpen } = await this.#hold(signal)
      if (signal.aborted) return
      log.info({ peer: node, reason, detail }, 'a node is not read for pages')
      failures = wasOpen ? 1 : failures + 1
      for (const audience of this.#audiences.values()) audience.lose(reason, text)
      await clock.sleep(backoffMs(failures, BACKOFF, random), signal).catch(() => {})
    }
  }

  /** Dial, and wait for the end of the connection. */
  async #hold(signal: AbortSignal): Promise<RelayEnd> {
    const { node } = this.#options
    let dialed: DialedNode
    try {
      dialed = await this.#dial(signal)
    } catch (error) {
      const text = `${node} is out of reach`
      return { reason: 'out of reach', text, detail: errorMessage(error), wasOpen: false }
    }
    const { promise, resolve } = Promise.withResolvers<RelayEnd>()
    const channel = this.#open(dialed, resolve)
    const stop = (): void => channel.close()
    signal.addEventListener('abort', stop, { once: true })
    try {
      if (signal.aborted) stop()
      return await promise
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  /** @throws what the last of its addresses has failed with */
  async #dial(signal: AbortSignal): Promise<DialedNode> {
    const { node, addressesOf, dial, admits } = this.#options
    let failure: unknown = new FridgeError('ERR_UNREACHABLE', 'no other node reaches it')
    for (const address of addressesOf(node)) {
      try {
        const dialed = await dial(address, signal)
        if (dialed.peer.name === node && admits(dialed.peer)) return dialed
        dialed.socket.destroy()
        failure = new FridgeError('ERR_UNREACHABLE', `${dialed.peer.subject} is at ${address}`)
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  #open({ socket, peer }: DialedNode, onEnd: (end: RelayEnd) => void): Channel {
    const { node, run, clock, log } = this.#options
    const timers = new DisposableStack()
    const channel = new Channel(socket, {
      limits: TELLING_LIMITS,
      clock,
      control: {
        opens: false,
        ...CLIENT_HEARTBEAT,
        hello: { source: run },
        onHello: hello => {
          patience[Symbol.dispose]()
          return this.#greet(hello, peer, channel)
        },
      },
      onStream: stream => this.#take(stream),
      onEnd: ending => {
        timers[Symbol.dispose]()
        const wasOpen = this.#line?.channel === channel
        this.#line = undefined
        this.#asked.clear()
        if (ending.cause === 'refused') {
          const reason = ending.refusal.toString()
          log.warn({ peer: node, reason }, 'cut: a node that is read for pages broke the protocol')
        }
        onEnd({ ...whyOf(node, channel, ending, wasOpen), wasOpen })
      },
    })
    const patience = timers.use(clock.after(HELLO_MS, () => channel.close()))
    timers.use(at(clock, peer.notAfter, () => channel.close()))
    return channel
  }

  /** @returns why the first words of the far node are refused */
  #greet(fields: Hello, peer: Identity, channel: Channel): string | undefined {
    const hello = parseFarHello(fields, peer.name)
    if (typeof hello === 'string') return hello
    const { clock } = this.#options
    const remote = channel.connectRpc()
    // Whoever asks for a history waits for it, and has few calls.
    const patience = clock.after(HELLO_MS, () =>
      channel.refuse(new Refusal('relay', 'it has not said what may be called')),
    )
    const stop = (): void => patience[Symbol.dispose]()
    remote.then(stop, stop)
    const clockAheadMs = hello.time - clock.now()
    this.#line = { channel, hello, peer, clockAheadMs, remote }
    this.#nextNumber = 1
    for (const audience of this.#audiences.values()) this.#ask(audience)
    return undefined
  }

  #ask(audience: RelayedAudience): void {
    if (this.#line === undefined) return
    this.#forget(audience)
    const number = this.#nextNumber
    this.#nextNumber += 1
    this.#asked.set(number, audience)
    audience.connect(this.#line, number)
  }

  /** What an audience was known by counts no more. */
  #forget(audience: RelayedAudience): void {
    for (const [number, asked] of this.#asked) if (asked === audience) this.#asked.delete(number)
  }

  #take(stream: MuxStream): boolean {
    const place = parsePartStream(stream.meta)
    if (place === undefined) return false
    const audience = this.#asked.get(place.number)
    // The far node may not have heard yet that nobody looks any more.
    if (audience === undefined) return place.number < this.#nextNumber
    return audience.take(place.part, stream)
  }
}

function whyOf(
  node: Name,
  { bye }: Channel,
  ending: Ending,
  wasOpen: boolean,
): Omit<RelayEnd, 'wasOpen'> {
  if (bye !== undefined && ending.cause !== 'refused') return { reason: bye.reason, text: bye.text }
  switch (ending.cause) {
    case 'refused':
      return { reason: 'broke the protocol', text: `${node} has sent what no node sends` }
    case 'dead':
      return { reason: 'out of reach', text: `${node} says nothing any more` }
    case 'too slow':
      return { reason: 'out of reach', text: `${node} does not read what it is sent` }
    case 'closed':
      return wasOpen
        ? { reason: 'not trusted', text: `${node} is not let in by this node any more` }
        : { reason: 'out of reach', text: `${node} did not say who it is` }
    case 'lost':
      return { reason: 'out of reach', text: `the connection to ${node} has ended` }
  }
}
