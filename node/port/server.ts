import { randomBytes } from 'node:crypto'
import { createServer as createTcpServer, type Socket } from 'node:net'
import { createSecureContext, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import type { Address } from '../lib/address.ts'
import type { Rights } from '../sessions/admission.ts'
import { ClientSession, type Service } from '../sessions/client-session.ts'
import type { NodeConfig } from '../config/config.ts'
import type { Counts } from '../sessions/counts.ts'
import type { Credentials } from '../identity/credentials.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Dialect } from '../events/dialect.ts'
import { endSoon, refuse } from './refuse.ts'
import type { Overlay } from '../gossip/overlay.ts'
import { GatheredLog } from '../lib/gathered-log.ts'
import { HandshakeLimit } from '../lib/rate-limit.ts'
import type { Identity } from '../identity/identity.ts'
import { listen } from '../lib/listen.ts'
import type { Log } from '../lib/log.ts'
import { OperatorSession } from '../sessions/operator-session.ts'
import { chainOf, type Signer, type Signers } from '../identity/signers.ts'
import { RecordWatch } from './record-watch.ts'
import { endAtRenegotiation, NO_RENEGOTIATION } from './renegotiation.ts'
import { TICKET_SECONDS, TicketKeys } from './tickets.ts'
import { explain, type Session } from '../sessions/session.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { ALPN, chainOfPeer, peerOf, tlsOptions } from './transport.ts'
import type { Trust } from '../identity/trust.ts'
import type { Ending } from '../wire/connection.ts'
import { CLIENT_LIMITS, PEER_LIMITS, type WireLimits } from '../wire/limits.ts'
import type { RpcMethod } from '../wire/rpc.ts'

export interface ServerOptions {
  readonly config: Pick<NodeConfig, 'listen' | 'tls' | 'limits'>
  readonly trust: Trust
  readonly service: Service
  readonly sessions: Sessions
  readonly overlay: Overlay
  readonly log: Log
  readonly signers: Signers
  readonly counts: Counts
  readonly operatorMethods: (operator: Signer) => ReadonlyMap<string, RpcMethod>
  /** Resolves when the list is as fresh as it can be had: nobody is admitted before. */
  readonly gate: Promise<void>
}

/** One TLS port for everything: the role in the certificate decides what a connection may open. */
export class Server implements AsyncDisposable {
  readonly #options: ServerOptions
  readonly #limits: WireLimits
  readonly #handshakes: HandshakeLimit
  readonly #log: GatheredLog
  readonly #records: RecordWatch
  readonly #tickets: TicketKeys
  readonly #tls
  readonly #tcp
  readonly #sockets = new Set<Socket>()
  /** Those that have not finished their handshake, by the address of their other end. */
  readonly #handshaking = new Map<string, { socket: Socket; judgedBy: Credentials }>()
  #isStopping = false

  private constructor(options: ServerOptions) {
    const { config, trust, service } = options
    const { tls, limits } = config
    this.#options = options
    this.#log = new GatheredLog(options.log, service.clock)
    this.#records = new RecordWatch(service.clock)
    const { maxBufferedBytes, maxStalledMs, maxFramesPerSecond } = limits
    this.#limits = { ...CLIENT_LIMITS, maxBufferedBytes, maxStalledMs, maxFramesPerSecond }
    this.#handshakes = new HandshakeLimit({
      perSecond: tls.handshakesPerSecond,
      burst: tls.handshakeBurst,
      clock: service.clock,
    })
    this.#tls = createTlsServer({
      ...tlsOptions(trust.credentials),
      minVersion: tls.minVersion,
      handshakeTimeout: tls.handshakeTimeoutMs,
      sessionTimeout: TICKET_SECONDS,
      secureOptions: NO_RENEGOTIATION,
      requestCert: true,
      rejectUnauthorized: true,
    })
    this.#tickets = new TicketKeys(this.#tls, { clock: service.clock, randomBytes })
    this.#tls.on('secureConnection', socket => {
      endAtRenegotiation(socket)
      this.#accept(socket).catch((error: unknown) => {
        options.log.error({ err: error, address: socket.remoteAddress }, 'a connection failed here')
        socket.destroy()
      })
    })
    this.#tls.on('tlsClientError', (error, socket) => {
      // A certificate that does not verify shows up as a hung-up socket; why stands beside it.
      const reason = socket.authorizationError ?? error
      this.#failed(socket.remoteAddress, String(reason))
      // One that ran out of time is only reported by the runtime, and would stay for ever.
      socket.destroy()
    })
    this.#tcp = createTcpServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 })
    this.#tcp.on('connection', socket => this.#take(socket))
  }

  /** @throws FridgeError `ERR_LISTEN` when the address cannot be had */
  static async listen(options: ServerOptions): Promise<Server> {
    const server = new Server(options)
    await listen(server.#tcp, options.config.listen, '--listen')
    server.#tcp.on('error', error =>
      options.log.error({ reason: error.message }, 'the port failed'),
    )
    return server
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
  renew(credentials: Credentials): void {
    const context = {
      ...tlsOptions(credentials),
      minVersion: this.#options.config.tls.minVersion,
    }
    createSecureContext(context)
    this.#tls.setSecureContext(context)
    // A session that was begun under an authority before must not be resumed past the new bundle.
    this.#tickets.change()
  }

  /** Take no more connections, tell everyone, and wait for what is under way up to `drainMs`. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isStopping) return
    this.#isStopping = true
    const { sessions, overlay, service, config } = this.#options
    const closed = new Promise<void>(resolve => {
      this.#tcp.close(() => resolve())
    })
    for (const session of Array.from(sessions.all())) session.leave()
    for (const { socket } of this.#handshaking.values()) socket.destroy()
    await overlay[Symbol.asyncDispose]()
    using _deadline = service.clock.after(config.limits.drainMs, () => {
      for (const socket of this.#sockets) socket.destroy()
    })
    await closed
    this.#records[Symbol.dispose]()
    this.#tickets[Symbol.dispose]()
    this.#log[Symbol.dispose]()
  }

  #take(socket: Socket): void {
    const { maxConnections } = this.#options.config.limits
    if (this.#sockets.size >= maxConnections && !this.#makeRoom()) return this.#drop(socket)
    const end = otherEnd(socket)
    const onError = (): void => {}
    const deadline = setTimeout(() => {
      this.#failed(socket.remoteAddress, 'it said nothing')
      socket.destroy()
    }, this.#options.config.tls.handshakeTimeoutMs)
    deadline.unref()
    this.#sockets.add(socket)
    this.#handshaking.set(end, { socket, judgedBy: this.#options.trust.credentials })
    socket.on('error', onError)
    socket.once('close', () => {
      clearTimeout(deadline)
      this.#sockets.delete(socket)
      this.#handshaking.delete(end)
      this.#records.forget(socket)
    })
    // One that says nothing costs neither TLS nor its address a handshake.
    socket.once('readable', () => {
      clearTimeout(deadline)
      if (socket.readableLength === 0) return void socket.destroy()
      socket.off('error', onError)
      this.#shakeHands(socket, end)
    })
  }

  #shakeHands(socket: Socket, end: string): void {
    if (!this.#handshakes.allows(socket.remoteAddress ?? '')) {
      this.#options.counts.handshakes.limited += 1
      this.#log.warn({ address: socket.remoteAddress }, 'too many handshakes from one address')
      socket.destroy()
      return
    }
    this.#handshaking.set(end, { socket, judgedBy: this.#options.trust.credentials })
    this.#tls.emit('connection', socket)
  }

  /** Who has taken longest for its handshake gives way, so that no crowd of mutes closes the port. */
  #makeRoom(): boolean {
    const [oldest] = this.#handshaking
    if (oldest === undefined) return false
    const [end, { socket }] = oldest
    this.#handshaking.delete(end)
    this.#sockets.delete(socket)
    this.#drop(socket)
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

  async #accept(socket: TLSSocket): Promise<void> {
    const end = otherEnd(socket)
    const { judgedBy, socket: raw } = this.#handshaking.get(end) ?? {}
    this.#handshaking.delete(end)
    // Until a session takes over, a reset must not go unheard.
    const onError = (): void => {}
    socket.on('error', onError)
    const { gate, trust, overlay, sessions, counts } = this.#options
    const log = this.#log
    counts.handshakes[socket.isSessionReused() ? 'resumed' : 'full'] += 1
    const identity = this.#identify(socket)
    if (identity === undefined) return
    if (
      identity.trustDomain !== undefined &&
      identity.trustDomain !== trust.credentials.identity.trustDomain
    ) {
      log.warn(
        { subject: identity.subject, trustDomain: identity.trustDomain },
        'another trust domain',
      )
      counts.refused['another trust domain'] += 1
      socket.destroy()
      return
    }
    const own = (judgedBy ?? trust.credentials).identity
    if (judgedBy !== undefined) trust.hold(socket, identity, judgedBy)
    const dialect: Dialect = socket.alpnProtocol === ALPN ? 'fridge/1' : 'plain'
    if (identity.role === 'node') {
      const admission = sessions.admit(identity)
      if (dialect === 'fridge/1' && admission.admitted) {
        if (overlay.accept({ socket, peer: identity, own })) counts.accepted.node += 1
        else counts.refused['has equivocated'] += 1
        return
      }
      counts.refused[admission.admitted ? 'no ALPN' : admission.reason] += 1
      log.warn({ subject: identity.subject, dialect }, 'a node that may not gossip')
      socket.destroy()
      return
    }
    await gate
    if (socket.destroyed || this.#isStopping) return void socket.destroy()
    if (raw !== undefined) {
      this.#records.watch(raw, socket, () => {
        counts.cut['broke the protocol'] += 1
        log.warn({ subject: identity.subject }, 'cut: it floods TLS with records without data')
        socket.destroy()
      })
    }
    this.#admit(socket, identity, dialect)
  }

  #identify(socket: TLSSocket): Identity | undefined {
    try {
      return peerOf(socket)
    } catch (error) {
      const fields = { address: socket.remoteAddress, reason: errorMessage(error) }
      this.#log.warn(fields, 'a certificate that names nobody')
      this.#options.counts.refused['names nobody'] += 1
      socket.destroy()
      return undefined
    }
  }

  #admit(socket: TLSSocket, identity: Identity, dialect: Dialect): void {
    const { sessions, config, counts, service } = this.#options
    const log = this.#log
    const { subject } = identity
    const sayNo = (reason: string, text: string): void =>
      refuse(socket, dialect, { reason, text }, { service, limits: this.#limits })
    const admission = sessions.admit(identity)
    if (!admission.admitted) {
      counts.refused[admission.reason] += 1
      log.info({ subject, reason: admission.reason, resumed: socket.isSessionReused() }, 'refused')
      return sayNo(admission.reason, explain(admission.reason, identity))
    }
    if (sessions.countOf(subject) >= config.limits.maxConnectionsPerClient) {
      counts.refused['too many connections'] += 1
      log.warn({ subject }, 'refused: limits.maxConnectionsPerClient is reached')
      return sayNo('too many connections', `${subject} has too many connections`)
    }
    if (identity.role === 'operator' && dialect === 'plain') {
      counts.refused['no ALPN'] += 1
      log.info({ subject }, 'an operator without ALPN')
      return endSoon(socket)
    }
    const session = this.#open(socket, identity, dialect, admission.rights)
    if (typeof session === 'string') {
      counts.refused['unknown signer'] += 1
      log.warn({ subject, reason: session }, 'refused')
      return sayNo('refused', session)
    }
    sessions.add(session, admission.until)
    counts.accepted[identity.role] += 1
    log.info(
      { subject, dialect, address: socket.remoteAddress, resumed: socket.isSessionReused() },
      'admitted',
    )
  }

  /** @returns the session, or why it cannot be */
  #open(socket: TLSSocket, identity: Identity, dialect: Dialect, rights: Rights): Session | string {
    const { service, signers, operatorMethods } = this.#options
    const limits = this.#limits
    const onEnd = (session: Session, ending: Ending): void => this.#ended(session, ending)
    if (identity.role === 'client') {
      const onThrottled = (session: Session): void => this.#throttled(session)
      const who = { socket, identity, dialect, rights }
      return new ClientSession({ ...who, service, limits, onThrottled, onEnd })
    }
    const { node, run, version, clock } = service
    // Every node that takes a change of this operator will need the certificate.
    const signer = signers.learn(chainOf(chainOfPeer(socket)))
    if (typeof signer === 'string') return signer
    const methods = operatorMethods(signer)
    return new OperatorSession({
      socket,
      identity,
      node,
      run,
      version,
      methods,
      // The revocation of an operator or a node names every source there is.
      limits: {
        ...limits,
        maxLineBytes: PEER_LIMITS.maxLineBytes,
        maxFramesPerSecond: PEER_LIMITS.maxFramesPerSecond,
      },
      clock,
      onEnd,
    })
  }

  #throttled({ identity: { subject } }: Session): void {
    this.#options.counts.throttled += 1
    this.#log.warn({ subject }, 'throttled: it sends more than limits.maxFramesPerSecond')
  }

  #ended(session: Session, ending: Ending): void {
    const { sessions, counts } = this.#options
    const log = this.#log
    const { subject } = session.identity
    sessions.delete(session)
    if (ending.cause === 'refused') {
      counts.cut['broke the protocol'] += 1
      log.warn({ subject, reason: ending.refusal.toString() }, 'cut: it broke the protocol')
    } else if (ending.cause === 'too slow' || ending.cause === 'dead') {
      counts.cut[ending.cause] += 1
      log.warn({ subject }, `cut: ${ending.cause}`)
    } else log.info({ subject, cause: ending.cause }, 'disconnected')
  }
}

/** Unique among the connections of one port. */
function otherEnd({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
