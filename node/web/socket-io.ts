import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { Server, type Socket as IoSocket } from 'socket.io'
import { Decoder, Encoder } from 'socket.io-parser'
import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws'
import type { Clock } from '../lib/clock.ts'
import { InputLimit } from '../wire/input-limit.ts'
import type { WireLimits } from '../wire/limits.ts'
import { Refusal } from '../wire/refusal.ts'
import { parsePacket, SOCKET_PATH, type PagePacket } from './packet.ts'
import { PolledSocket, type PolledConnection } from './polled-socket.ts'

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

/** The version of Engine.IO that `socket.io-client` 1 and 2 speak. */
const OLD_ENGINE = 3

/** A page that wants to join. */
export interface PageVisit {
  /** What its browser says where it comes from. */
  readonly origin: string | undefined
  readonly address: string
  readonly socket: Duplex
  /** Whether it knows no better than sensors that g-crypt has encrypted. */
  readonly isOld: boolean
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

/** What is served to pages that cannot do better. */
export interface PageCompat {
  /** Whether pages may poll over HTTP. */
  readonly polling: boolean
  /** Whether some sensors are sent as g-crypt encrypts them; with `polling`, pages of 2016 may join. */
  readonly gcrypt: boolean
}

export interface PageServerOptions {
  readonly compat: PageCompat
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
interface Connection extends PolledConnection {
  readonly request: IncomingMessage
  /** Of Engine.IO: 3 is that of `socket.io-client` 1 and 2. */
  readonly protocol: number
  readonly transport: { readonly name: string }
  once(event: string, listener: () => void): unknown
  on(event: 'packet', listener: (packet: { readonly type: string }) => void): unknown
  prependListener(event: 'close', listener: (reason: string) => void): unknown
}

/** One connection, from its upgrade on. */
interface Guest {
  /** Where the page is heard and told: its WebSocket, or what stands for one. */
  readonly socket: Duplex
  readonly isOld: boolean
  /** Of a page that polls: a WebSocket is read more slowly instead. */
  readonly pace: InputLimit | undefined
  joins: number
  /** Whether it is being decided whether it may join. */
  isJoining: boolean
  listener: PageListener | undefined
}

/** Socket.IO on connections that were upgraded, nothing compressed; without compat websocket alone. */
export class PageServer implements AsyncDisposable {
  readonly #options: PageServerOptions
  readonly #io: Server
  /** By what the library calls their connection. */
  readonly #guests = new WeakMap<object, Guest>()
  /** The guest whose decoder is made in this turn. */
  #arriving: Guest | undefined

  constructor(options: PageServerOptions) {
    const { limits, compat } = options
    this.#options = options
    this.#io = new Server({
      path: SOCKET_PATH,
      serveClient: false,
      transports: compat.polling ? ['polling', 'websocket'] : ['websocket'],
      allowEIO3: compat.polling && compat.gcrypt,
      // There are no cookies, and whether a page may join is asked when it does.
      ...(compat.polling && { cors: { origin: true, credentials: true } }),
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
    // Nobody is told by the rooms of the library, each page otherwise has one of its own.
    this.#io.of('/').adapter.addAll = () => {}
    this.#io.use((socket, next) => void this.#join(socket, next))
  }

  /** Take a connection that asks to become a WebSocket. */
  take(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#io.engine.handleUpgrade(request, socket, head)
  }

  /** Answer a request of a page that polls. */
  answer(request: IncomingMessage, response: ServerResponse): void {
    const { searchParams } = new URL(request.url ?? '', 'https://node')
    // A script instead of an answer, for browsers without CORS: a page of anybody could read it.
    if (searchParams.has('j')) return void response.writeHead(400).end()
    this.#io.engine.handleRequest(request, response)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.onClosing()
    await this.#io.close()
    this.#options.onClosed()
  }

  #arrive(connection: Connection): void {
    const { request, protocol } = connection
    const { limits, clock } = this.#options
    const isPolling = connection.transport.name === 'polling'
    const isOld = protocol === OLD_ENGINE
    const guest: Guest = {
      socket: isPolling ? new PolledSocket(connection) : request.socket,
      isOld,
      pace: isPolling ? new InputLimit(limits.maxFramesPerSecond, clock.monotonic()) : undefined,
      joins: 0,
      isJoining: false,
      listener: undefined,
    }
    this.#guests.set(connection, guest)
    this.#arriving = guest
    connection.on('packet', ({ type }) => {
      // Others are passed over by the library, for ever.
      if (type === 'message' || type === 'pong' || (isOld && type === 'ping')) return
      this.#refuse(guest, new Refusal('page', `a packet ${type}`))
    })
    connection.prependListener('close', reason => {
      guest.listener?.lost(reason === 'ping timeout')
      guest.socket.destroy()
    })
  }

  async #join(socket: IoSocket, next: (error?: Error) => void): Promise<void> {
    const { request, conn } = socket
    const guest = this.#guests.get(conn)
    if (guest === undefined) return void request.socket.destroy()
    // The library wants somebody to hear of what it refuses; the guard has done so before.
    const end = (): void => void guest.socket.destroy()
    socket.on('error', end).on('disconnect', end)
    const { compat } = this.#options
    const asksForOld = (socket.handshake.auth as { seal?: unknown }).seal === 'gcrypt'
    const outcome = await this.#options.receive({
      origin: request.headers.origin,
      // The socket of a request that began a polling may be gone by now.
      address: request.socket.remoteAddress ?? conn.remoteAddress ?? '',
      socket: guest.socket,
      isOld: compat.gcrypt && (guest.isOld || asksForOld),
    })
    guest.isJoining = false
    if ('reason' in outcome) {
      const { reason, text } = outcome
      return next(Object.assign(new Error(text), { data: { reason, text } }))
    }
    guest.listener = outcome
    if (guest.socket.destroyed) return outcome.lost(false)
    forgetRequest(socket)
    next()
  }

  #receive(guest: Guest, data: unknown): boolean {
    const { limits, clock } = this.#options
    const size = typeof data === 'string' ? data.length : 0
    if ((guest.pace?.take(1, size, clock.monotonic()) ?? 0) > 0) {
      return this.#refuse(guest, new Refusal('page', 'it polls too fast'))
    }
    const packet = parsePacket(data, limits)
    if (packet instanceof Refusal) return this.#refuse(guest, packet)
    if (packet.kind === 'connect') {
      guest.joins += 1
      const isAwaited = !guest.isJoining && guest.listener === undefined
      guest.isJoining = true
      if (isAwaited && guest.joins <= MAX_JOINS) return true
      return this.#refuse(guest, new Refusal('page', 'it joins too often'))
    }
    if (packet.kind === 'disconnect') return true
    if (guest.listener === undefined) {
      return this.#refuse(guest, new Refusal('page', 'an event before it has joined'))
    }
    guest.listener.receive(packet)
    return false
  }

  #refuse({ socket, listener }: Guest, refusal: Refusal): false {
    if (listener === undefined) this.#options.onRefused(refusal)
    else listener.refuse(refusal)
    socket.destroy()
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
    socket.on('message', (data: Buffer) => {
      const now = clock.monotonic()
      input ??= new InputLimit(limits.maxFramesPerSecond, now)
      const waitMs = input.take(1, data.length, now)
      if (waitMs === 0 || socket.isPaused) return
      onThrottled()
      socket.pause()
      if (paused === undefined) socket.once('close', () => paused?.[Symbol.dispose]())
      paused = clock.after(waitMs, () => socket.resume())
    })
    // A page cannot send these: no WebSocket of a browser lets it.
    const end = (): void => socket.terminate()
    socket.on('ping', end).on('pong', end)
  }
}

/** The library keeps it for whoever asks, several KiB for each page: from here on nobody does. */
function forgetRequest(socket: IoSocket): void {
  const { request, conn } = socket
  // What answers a request for the middlewares of the library, which there are none of, holds on to it.
  request.headers = {}
  request.rawHeaders = []
  Reflect.set(conn, 'request', undefined)
  Reflect.set(socket, 'handshake', undefined)
}
