import { randomBytes } from 'node:crypto'
import { createServer as createTcpServer, Socket } from 'node:net'
import {
  createSecureContext,
  createServer as createTlsServer,
  type TlsOptions,
  type TLSSocket,
} from 'node:tls'
import type { NodeConfig } from '../config/config.ts'
import type { Credentials } from '../identity/credentials.ts'
import type { Address } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import { errorCode } from '../lib/errors.ts'
import { GatheredLog } from '../lib/gathered-log.ts'
import { listen } from '../lib/listen.ts'
import type { Log } from '../lib/log.ts'
import type { Counts } from '../sessions/counts.ts'
import { HandshakeLimit } from './handshake-limit.ts'
import { endAtRenegotiation, NO_RENEGOTIATION } from './renegotiation.ts'
import { TICKET_SECONDS, TicketKeys } from './tickets.ts'

/** A connection whose handshake is done: the peer has proven that its certificate is its own. */
export interface Arrival<C = Credentials> {
  readonly socket: TLSSocket
  /** The connection beneath TLS. */
  readonly raw: Socket
  /** The credentials that its handshake began with. */
  readonly judgedBy: C
}

/** What a port shows in handshakes, and to whom. */
export interface Face<C> {
  /** What is shown now. */
  readonly credentials: C
  /** What is shown and demanded of a peer, but for the version of TLS. */
  readonly tlsOf: (credentials: C) => TlsOptions
  /** Takes connections that begin with anything but TLS. Default: TLS ends them. */
  readonly takePlain?: ((socket: Socket) => void) | undefined
  /** The option of `fridge node start` by which a person gives it another address. */
  readonly flag: string
}

export interface ListenerOptions<C> {
  readonly config: Pick<NodeConfig, 'listen' | 'tls'> & {
    readonly limits: Pick<NodeConfig['limits'], 'maxConnections' | 'drainMs'>
  }
  readonly face: Face<C>
  readonly counts: Pick<Counts, 'handshakes'>
  readonly clock: Clock
  readonly log: Log
}

/** How the first record of TLS begins (RFC 8446, section 5.1). */
const HANDSHAKE_RECORD = 22

/**
 * A TLS port as sockets: how many there may be, how fast handshakes may come, and what is shown
 * and demanded in each. Who a peer is, and whether it may come in, is no matter of this file.
 */
export class Listener<C = Credentials> {
  readonly #options: ListenerOptions<C>
  readonly #handshakes: HandshakeLimit
  readonly #log: GatheredLog
  readonly #tickets: TicketKeys
  readonly #tls
  readonly #tcp
  readonly #sockets = new Set<Socket>()
  /** Those that have not finished their handshake, by the address of their other end. */
  readonly #handshaking = new Map<string, Omit<Arrival<C>, 'socket'>>()

  /** Nothing listens before `open`. */
  constructor(options: ListenerOptions<C>) {
    const { config, face, clock } = options
    const { tls } = config
    this.#options = options
    this.#log = new GatheredLog(options.log, clock)
    this.#handshakes = new HandshakeLimit({ tls, clock })
    this.#tls = createTlsServer({
      ...this.#contextOf(face.credentials),
      handshakeTimeout: tls.handshakeTimeoutMs,
      sessionTimeout: TICKET_SECONDS,
    })
    this.#tickets = new TicketKeys(this.#tls, { clock, randomBytes })
    this.#tls.on('tlsClientError', (error, socket) => {
      this.#failed(addressOf(socket), whyFailed(error, socket))
      // One that ran out of time is only reported by the runtime, and would stay for ever.
      socket.destroy()
    })
    this.#tcp = createTcpServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 })
    this.#tcp.on('connection', socket => this.#take(socket))
  }

  /**
   * Take connections from now on, and hand over each whose handshake is done.
   * @throws FridgeError `ERR_LISTEN` when the address cannot be had
   */
  async open(receive: (arrival: Arrival<C>) => Promise<void>): Promise<void> {
    this.#tls.on('secureConnection', socket => {
      endAtRenegotiation(socket)
      this.#handOver(socket, receive)
    })
    await listen(this.#tcp, this.#options.config.listen, this.#options.face.flag)
    this.#tcp.on('error', error =>
      this.#options.log.error({ reason: error.message }, 'the port failed'),
    )
  }

  /** The address that it got. */
  get address(): Address {
    const bound = this.#tcp.address()
    if (bound === null || typeof bound === 'string') return this.#options.config.listen
    return { host: this.#options.config.listen.host, port: bound.port }
  }

  /** How many connections it holds, whoever they are of and however far they have come. */
  get connections(): number {
    return this.#sockets.size
  }

  /** How many of them are in their handshake. */
  get handshaking(): number {
    return this.#handshaking.size
  }

  /**
   * Show and demand other certificates from the next handshake on. Nobody's connection ends by it.
   * @throws when TLS cannot use them: then nothing has changed
   */
  renew(credentials: C): void {
    const context = this.#contextOf(credentials)
    createSecureContext(context)
    this.#tls.setSecureContext(context)
    // A session that was begun under an authority before must not be resumed past the new bundle.
    this.#tickets.change()
  }

  /** What handshakes are made with, at first and after each renewal. */
  #contextOf(credentials: C): TlsOptions {
    const { face, config } = this.#options
    const { minVersion } = config.tls
    return { ...face.tlsOf(credentials), minVersion, secureOptions: NO_RENEGOTIATION }
  }

  /**
   * Take no more connections, and wait up to `drainMs` for those that there are.
   * @param takeLeave ends those that came in, each in its own protocol
   */
  async close(takeLeave: () => Promise<void>): Promise<void> {
    const closed = new Promise<void>(resolve => {
      this.#tcp.close(() => resolve())
    })
    const left = takeLeave()
    for (const { raw } of this.#handshaking.values()) raw.destroy()
    await left
    const { clock, config } = this.#options
    using _deadline = clock.after(config.limits.drainMs, () => {
      for (const socket of this.#sockets) socket.destroy()
    })
    await closed
    this.#tickets[Symbol.dispose]()
    this.#log[Symbol.dispose]()
  }

  #take(socket: Socket): void {
    const { config, clock } = this.#options
    const isFull = this.#sockets.size >= config.limits.maxConnections
    if (isFull && !this.#makeRoom()) return this.#drop(socket)
    const end = otherEnd(socket)
    const onError = (): void => {}
    let deadline: Disposable | undefined = clock.after(config.tls.handshakeTimeoutMs, () => {
      this.#failed(socket.remoteAddress, 'it said nothing')
      socket.destroy()
    })
    const stopWaiting = (): void => {
      deadline?.[Symbol.dispose]()
      // The connection may last for months, and its timer would be kept with it.
      deadline = undefined
    }
    this.#sockets.add(socket)
    this.#beginHandshake(socket, end)
    socket.on('error', onError)
    socket.on('close', () => {
      stopWaiting()
      this.#sockets.delete(socket)
      this.#handshaking.delete(end)
    })
    // One that says nothing costs neither TLS nor its address a handshake.
    socket.once('readable', () => {
      stopWaiting()
      if (socket.readableLength === 0) return void socket.destroy()
      if (this.#isPlain(socket)) return this.#takePlain(socket, end)
      socket.off('error', onError)
      this.#shakeHands(socket, end)
    })
  }

  #beginHandshake(raw: Socket, end: string): void {
    this.#handshaking.set(end, { raw, judgedBy: this.#options.face.credentials })
  }

  /** Whether what a connection has sent is to be taken as something else than TLS. */
  #isPlain(socket: Socket): boolean {
    if (this.#options.face.takePlain === undefined) return false
    const first = socket.read() as Buffer
    socket.unshift(first)
    return first[0] !== HANDSHAKE_RECORD
  }

  #takePlain(socket: Socket, end: string): void {
    this.#handshaking.delete(end)
    this.#options.counts.handshakes.failed += 1
    this.#options.face.takePlain?.(socket)
  }

  #shakeHands(socket: Socket, end: string): void {
    const refusal = this.#handshakes.begin(socket.remoteAddress ?? '')
    if (refusal !== undefined) {
      this.#options.counts.handshakes[refusal] += 1
      const whose = refusal === 'limited' ? 'one address' : 'all addresses together'
      this.#log.warn({ address: socket.remoteAddress }, `too many handshakes from ${whose}`)
      socket.destroy()
      return
    }
    this.#beginHandshake(socket, end)
    this.#tls.emit('connection', socket)
  }

  #handOver(socket: TLSSocket, receive: (arrival: Arrival<C>) => Promise<void>): void {
    const end = otherEnd(socket)
    const begun = this.#handshaking.get(end)
    this.#handshaking.delete(end)
    // Until a session takes over, a reset must not go unheard.
    socket.on('error', () => {})
    this.#handshakes.succeeded(socket.remoteAddress ?? '')
    this.#options.counts.handshakes[socket.isSessionReused() ? 'resumed' : 'full'] += 1
    // Its other end is gone already, or it gave way to another connection.
    if (begun === undefined) return void socket.destroy()
    receive({ socket, ...begun }).catch((error: unknown) => {
      const fields = { err: error, address: socket.remoteAddress }
      this.#options.log.error(fields, 'a connection failed here')
      socket.destroy()
    })
  }

  /** Who has taken longest for its handshake gives way, so that no crowd of mutes closes the port. */
  #makeRoom(): boolean {
    const [oldest] = this.#handshaking
    if (oldest === undefined) return false
    const [end, { raw }] = oldest
    this.#handshaking.delete(end)
    this.#sockets.delete(raw)
    this.#drop(raw)
    return true
  }

  #drop(socket: Socket): void {
    this.#options.counts.handshakes.dropped += 1
    this.#log.warn(
      { address: socket.remoteAddress },
      'connection dropped: limits.maxConnections is reached',
    )
    socket.destroy()
  }

  #failed(address: string | undefined, reason: string): void {
    this.#options.counts.handshakes.failed += 1
    this.#log.info({ address, reason }, 'handshake failed')
  }
}

/**
 * Where the other end of a handshake is. A TLS socket that is gone has forgotten it; the connection
 * beneath it, which Node.js does not document, was asked while it lived.
 */
function addressOf(socket: TLSSocket): string | undefined {
  const raw: unknown = Reflect.get(socket, '_parent')
  return socket.remoteAddress ?? (raw instanceof Socket ? raw.remoteAddress : undefined)
}

/** Why a handshake came to nothing. */
function whyFailed(error: Error, { authorizationError }: TLSSocket): string {
  // A certificate that does not verify shows up as a hung-up socket; why stands beside it.
  if (authorizationError) return String(authorizationError)
  // Both have the code of a reset, but only a reset is what a read of the system failed with.
  if (errorCode(error) === 'ECONNRESET') return 'syscall' in error ? 'reset' : 'closed'
  return String(error)
}

/** Unique among the connections of one port. */
function otherEnd({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
