import { createServer, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { Server, type Socket as IoSocket } from 'socket.io'
import { Decoder, Encoder } from 'socket.io-parser'
import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws'
import type { Clock } from '../lib/clock.ts'
import { InputLimit } from '../wire/input-limit.ts'
import type { WireLimits } from '../wire/limits.ts'
import { Refusal } from '../wire/refusal.ts'
import { parsePacket, SOCKET_PATH, type PagePacket } from './packet.ts'

/**
 * The one file that knows `socket.io`, its parser and `ws`. They shake hands, ask whether a page may
 * join, and say that the connection lives. What a page sends is checked before they see it, and
 * events and calls pass them by.
 */

/** How long a page may take to join, in milliseconds. */
const JOIN_MS = 5_000

/** How often a page is asked whether it lives, and how long it may take, in milliseconds. */
const PING_MS = 10_000

/** Pieces that one message may come in: no browser splits what a page emits. */
const MAX_FRAGMENTS = 16

/** How often one connection may ask to join. */
const MAX_JOINS = 8

/** A page that wants to join. */
export interface PageVisit {
  /** What its browser says where it comes from. */
  readonly origin: string | undefined
  readonly address: string
  readonly socket: Duplex
}

/** Why a page may not join: it gets these words, in `error.data`. */
export interface PageRefusal {
  readonly reason: string
  readonly text: string
}

/** What hears of a page that has joined. */
export interface PageListener {
  receive(packet: Extract<PagePacket, { kind: 'event' }>): void
  refuse(refusal: Refusal): void
  lost(isDead: boolean): void
}

export interface PageServerOptions {
  readonly limits: WireLimits
  readonly clock: Clock
  /** Whether a page may join. */
  readonly receive: (visit: PageVisit) => Promise<PageListener | PageRefusal>
  /** Somebody sent what is refused before they had joined. */
  readonly onRefused: (refusal: Refusal) => void
  /** A page sends faster than `maxFramesPerSecond`: it is not read for a moment. */
  readonly onThrottled: () => void
  /** It is about to close: the last chance to say so to those that have joined. */
  readonly onClosing: () => void
  /** It is closed, and nothing more is received. */
  readonly onClosed: () => void
}

/** A connection as the library knows it. */
interface Connection {
  readonly request: IncomingMessage
  on(event: 'packet', listener: (packet: { readonly type: string }) => void): unknown
  prependListener(event: 'close', listener: (reason: string) => void): unknown
}

/** One connection, from its upgrade on. */
interface Guest {
  readonly request: IncomingMessage
  joins: number
  listener: PageListener | undefined
}

/** Socket.IO on connections that were upgraded: websocket alone, nothing compressed. */
export class PageServer implements AsyncDisposable {
  readonly #options: PageServerOptions
  readonly #io: Server
  readonly #guests = new WeakMap<IncomingMessage, Guest>()
  /** The guest whose decoder is made in this turn. */
  #arriving: Guest | undefined

  constructor(options: PageServerOptions) {
    const { limits } = options
    this.#options = options
    this.#io = new Server({
      path: SOCKET_PATH,
      serveClient: false,
      transports: ['websocket'],
      allowUpgrades: false,
      perMessageDeflate: false,
      httpCompression: false,
      maxHttpBufferSize: limits.maxLineBytes,
      connectTimeout: JOIN_MS,
      pingInterval: PING_MS,
      pingTimeout: PING_MS,
      wsEngine: this.#socketServer(),
      parser: { Encoder, Decoder: this.#guardedDecoder() },
    })
    // It never listens: it is handed what comes to the port.
    this.#io.attach(createServer())
    this.#io.engine.prependListener('connection', (connection: Connection) =>
      this.#arrive(connection),
    )
    this.#io.use((socket, next) => void this.#join(socket, next))
  }

  /** Take a connection that asks to become a WebSocket. */
  take(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#io.engine.handleUpgrade(request, socket, head)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.onClosing()
    await this.#io.close()
    this.#options.onClosed()
  }

  #arrive(connection: Connection): void {
    const { request } = connection
    const guest: Guest = { request, joins: 0, listener: undefined }
    this.#guests.set(request, guest)
    this.#arriving = guest
    connection.on('packet', ({ type }) => {
      // Others are passed over by the library, for ever.
      if (type === 'message' || type === 'pong') return
      this.#refuse(guest, new Refusal('page', `a packet ${type}`))
    })
    connection.prependListener('close', reason => {
      guest.listener?.lost(reason === 'ping timeout')
      request.socket.destroy()
    })
  }

  async #join(socket: IoSocket, next: (error?: Error) => void): Promise<void> {
    const { request } = socket
    const guest = this.#guests.get(request)
    if (guest === undefined) return void request.socket.destroy()
    // The library wants somebody to hear of what it refuses; the guard has done so before.
    socket.on('error', () => request.socket.destroy())
    socket.on('disconnect', () => request.socket.destroy())
    const outcome = await this.#options.receive({
      origin: request.headers.origin,
      address: request.socket.remoteAddress ?? '',
      socket: request.socket,
    })
    if ('reason' in outcome) {
      const { reason, text } = outcome
      return next(Object.assign(new Error(text), { data: { reason, text } }))
    }
    guest.listener = outcome
    if (request.socket.destroyed) return outcome.lost(false)
    next()
  }

  #receive(guest: Guest, data: unknown): boolean {
    const packet = parsePacket(data, this.#options.limits)
    if (packet instanceof Refusal) return this.#refuse(guest, packet)
    if (packet.kind === 'connect') {
      guest.joins += 1
      const isJoined = guest.listener !== undefined
      if (!isJoined && guest.joins <= MAX_JOINS) return true
      return this.#refuse(guest, new Refusal('page', 'it joins too often'))
    }
    if (packet.kind === 'disconnect') return true
    if (guest.listener === undefined) {
      return this.#refuse(guest, new Refusal('page', 'an event before it has joined'))
    }
    guest.listener.receive(packet)
    return false
  }

  #refuse({ request, listener }: Guest, refusal: Refusal): false {
    if (listener === undefined) this.#options.onRefused(refusal)
    else listener.refuse(refusal)
    request.socket.destroy()
    return false
  }

  /** The parser of the library behind our own: it is handed what asks it to join or to leave. */
  #guardedDecoder(): typeof Decoder {
    const take = (): Guest | undefined => {
      const guest = this.#arriving
      this.#arriving = undefined
      return guest
    }
    const receive = (guest: Guest | undefined, data: unknown): boolean =>
      guest !== undefined && this.#receive(guest, data)
    return class GuardedDecoder extends Decoder {
      readonly #guest = take()

      override add(data: unknown): void {
        if (receive(this.#guest, data)) super.add(data)
      }
    }
  }

  /** The WebSockets of the library, with what it gives no option for. */
  #socketServer(): new (options: ServerOptions) => WebSocketServer {
    const watch = (socket: WebSocket): void => this.#watch(socket)
    return class PageSockets extends WebSocketServer {
      constructor(options: ServerOptions) {
        super({ ...options, maxFragments: MAX_FRAGMENTS, autoPong: false })
      }

      override handleUpgrade(
        request: IncomingMessage,
        socket: Duplex,
        head: Buffer,
        take: (client: WebSocket, request: IncomingMessage) => void,
      ): void {
        super.handleUpgrade(request, socket, head, client => {
          watch(client)
          take(client, request)
        })
      }
    }
  }

  /** Read a page that sends too much more slowly, and none that sends what no browser does. */
  #watch(socket: WebSocket): void {
    const { limits, clock, onThrottled } = this.#options
    let input: InputLimit | undefined
    let paused: Disposable | undefined
    socket.once('close', () => paused?.[Symbol.dispose]())
    socket.on('message', (data: Buffer) => {
      const now = clock.monotonic()
      input ??= new InputLimit(limits.maxFramesPerSecond, now)
      const waitMs = input.take(1, data.length, now)
      if (waitMs === 0 || socket.isPaused) return
      onThrottled()
      socket.pause()
      paused = clock.after(waitMs, () => socket.resume())
    })
    // A page cannot send these: no WebSocket of a browser lets it.
    socket.on('ping', () => socket.terminate())
    socket.on('pong', () => socket.terminate())
  }
}
