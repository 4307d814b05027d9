import type { TLSSocket } from 'node:tls'
import type { NodeConfig } from '../config/config.ts'
import type { Dialect } from '../events/dialect.ts'
import type { Overlay } from '../gossip/overlay.ts'
import type { Identity } from '../identity/identity.ts'
import { chainOf, type Signer, type Signers } from '../identity/signers.ts'
import { ALPN, certificateOf, chainOfPeer, peerOf, RELAY_ALPN } from '../identity/tls.ts'
import type { Name, Role } from '../identity/names.ts'
import type { Trust } from '../identity/trust.ts'
import { errorMessage } from '../lib/errors.ts'
import { GatheredLog } from '../lib/gathered-log.ts'
import type { Log } from '../lib/log.ts'
import type { RelayEnds } from '../relays/relay-ends.ts'
import type { Rights } from '../sessions/admission.ts'
import { ClientSession } from '../sessions/client-session.ts'
import type { Service } from '../sessions/service.ts'
import type { Counts, NotAdmitted } from '../sessions/counts.ts'
import { OperatorSession } from '../sessions/operator-session.ts'
import { explain, type Session } from '../sessions/session.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Ending } from '../wire/connection.ts'
import type { Bye } from '../wire/control.ts'
import { endSoon } from '../wire/end-soon.ts'
import { CLIENT_LIMITS, PEER_LIMITS, type WireLimits } from '../wire/limits.ts'
import type { RpcMethod } from '../wire/rpc.ts'
import { sayFarewell } from './farewell.ts'
import type { Arrival } from './listener.ts'
import { RecordWatch } from './record-watch.ts'

export interface ReceptionOptions {
  readonly config: Pick<NodeConfig, 'limits'>
  readonly trust: Trust
  readonly service: Service
  readonly sessions: Sessions
  readonly overlay: Overlay
  readonly log: Log
  readonly signers: Signers
  readonly counts: Counts
  /** What a node is shown that was removed, or has forked. */
  readonly proofAgainst: (node: Name) => unknown
  /** Where other nodes read for their pages. */
  readonly relays: Pick<RelayEnds, 'admits' | 'take'>
  readonly operatorMethods: (operator: Signer) => ReadonlyMap<string, RpcMethod>
  /** Resolves when the list is as fresh as it can be had: nobody is admitted before. */
  readonly gate: Promise<void>
}

/** Why a peer is not let in. */
interface TurnAway {
  readonly reason: NotAdmitted
  readonly level: 'info' | 'warn'
  /** What the log says of it. */
  readonly sentence: string
  readonly fields: object
  /**
   * What the peer is told where its protocol has a place for it. `close` says nothing, and lets it
   * close its own end; `cut` leaves it no time for that.
   */
  readonly farewell: Bye | 'close' | 'cut'
}

/** A client or an operator whose certificate is in order. */
interface Visitor {
  readonly socket: TLSSocket
  readonly identity: Identity
  readonly dialect: Dialect
  /** What this node had shown it. */
  readonly own: Identity
}

/**
 * Decides who of those that have shown a certificate may come in: the role in the certificate says
 * what a connection may open. Whoever may not is turned away in one place.
 */
export class Reception implements Disposable {
  readonly #options: ReceptionOptions
  readonly #limits: WireLimits
  readonly #log: GatheredLog
  readonly #records: RecordWatch
  #isLeaving = false

  constructor(options: ReceptionOptions) {
    const { config, service } = options
    const { maxBufferedBytes, maxStalledMs, maxFramesPerSecond } = config.limits
    this.#options = options
    this.#limits = { ...CLIENT_LIMITS, maxBufferedBytes, maxStalledMs, maxFramesPerSecond }
    this.#log = new GatheredLog(options.log, service.clock)
    this.#records = new RecordWatch(service.clock)
  }

  /** Let a peer in, or turn it away. */
  async receive(arrival: Arrival): Promise<void> {
    const { socket, judgedBy } = arrival
    const { trust, gate } = this.#options
    const identified = this.#identify(socket)
    if ('farewell' in identified) return this.#turnAway(socket, identified)
    const identity = trust.hold(socket, identified, judgedBy)
    const own = judgedBy.identity
    const visitor = { socket, identity, dialect: dialectOf(socket), own }
    if (socket.alpnProtocol === RELAY_ALPN) return this.#relay(visitor)
    if (identity.role === 'node') {
      const refused = this.#link(visitor)
      if (refused !== undefined) this.#turnAway(socket, refused, 'node')
      return
    }
    await gate
    if (socket.destroyed || this.#isLeaving) return void socket.destroy()
    // Before anybody is admitted: the node may have slept since its last look.
    this.#options.service.lookout.check()
    this.#watchRecords(arrival, identity)
    const refused = this.#admit(visitor)
    if (refused !== undefined) this.#turnAway(socket, refused)
  }

  /** Let nobody in any more, and tell everyone who is in that the node stops. */
  async takeLeave(): Promise<void> {
    this.#isLeaving = true
    const { sessions, overlay } = this.#options
    for (const session of Array.from(sessions.all())) session.leave()
    await overlay[Symbol.asyncDispose]()
  }

  /** Once every connection has ended. */
  [Symbol.dispose](): void {
    this.#records[Symbol.dispose]()
    this.#log[Symbol.dispose]()
  }

  #turnAway(
    socket: TLSSocket,
    { reason, level, sentence, fields, farewell }: TurnAway,
    role: Role = 'client',
  ): void {
    const { counts, service } = this.#options
    counts.refused[reason] += 1
    this.#log[level]({ ...fields, address: socket.remoteAddress }, sentence)
    if (farewell === 'cut') socket.destroy()
    else if (farewell === 'close') endSoon(socket, service.clock)
    else {
      const limits = role === 'node' ? PEER_LIMITS : this.#limits
      sayFarewell(socket, { dialect: dialectOf(socket), role }, farewell, { service, limits })
    }
  }

  /** Who the peer is, if it is somebody of this cluster. */
  #identify(socket: TLSSocket): Identity | TurnAway {
    let identity: Identity
    try {
      identity = peerOf(socket)
    } catch (error) {
      return {
        reason: 'names nobody',
        level: 'warn',
        sentence: 'a certificate that names nobody',
        fields: { reason: errorMessage(error) },
        farewell: 'cut',
      }
    }
    const { subject, trustDomain } = identity
    const own = this.#options.trust.credentials.identity.trustDomain
    if (trustDomain === undefined || trustDomain === own) return identity
    return {
      reason: 'another trust domain',
      level: 'warn',
      sentence: 'another trust domain',
      fields: { subject, trustDomain },
      farewell: 'cut',
    }
  }

  /** Give the connection of a node to the overlay. @returns why that may not be */
  #link({ socket, identity, dialect, own }: Visitor): TurnAway | undefined {
    const { sessions, overlay, proofAgainst, counts } = this.#options
    const { name, subject } = identity
    const turnAway = (reason: NotAdmitted, farewell: TurnAway['farewell'] = 'cut'): TurnAway => ({
      reason,
      level: 'warn',
      sentence: 'a node that may not gossip',
      fields: { subject, dialect },
      farewell,
    })
    const admission = sessions.admit(identity)
    if (!admission.admitted) {
      const { reason } = admission
      // One that was off when it was removed would serve on by its old list.
      const isTold = reason === 'revoked' || reason === 'node removed'
      if (!isTold) return turnAway(reason)
      const proof = reason === 'revoked' ? proofAgainst(name) : undefined
      return turnAway(reason, { reason, text: explain(reason, identity), proof })
    }
    if (dialect === 'plain') return turnAway('no ALPN')
    const from = socket.remoteAddress
    if (!overlay.accept({ socket, peer: identity, own, from })) {
      // It may not know: its key was used elsewhere, or it was resumed from an earlier state.
      return turnAway('has equivocated', overlay.farewellTo(identity))
    }
    counts.accepted.node += 1
    return undefined
  }

  /** Let a node read here for its pages, once clients would be let in. */
  async #relay({ socket, identity }: Visitor): Promise<void> {
    const { sessions, relays, gate, counts, service } = this.#options
    await gate
    if (socket.destroyed || this.#isLeaving) return void socket.destroy()
    service.lookout.check()
    const turnAway = (reason: NotAdmitted): void =>
      this.#turnAway(socket, {
        reason,
        level: 'warn',
        sentence: 'refused: it may not read here for pages',
        fields: { subject: identity.subject },
        farewell: 'cut',
      })
    if (identity.role !== 'node') return turnAway('no ALPN')
    const admission = sessions.admit(identity)
    if (!admission.admitted) return turnAway(admission.reason)
    if (!relays.admits(identity)) return turnAway('has equivocated')
    const certificate = certificateOf(socket)
    if (certificate === undefined) return void socket.destroy()
    counts.accepted.node += 1
    await relays.take({ socket, peer: identity, certificate })
  }

  /** Open the session of a client or an operator. @returns why that may not be */
  #admit(visitor: Visitor): TurnAway | undefined {
    const { socket, identity, dialect } = visitor
    const { sessions, config, counts } = this.#options
    const { role, subject } = identity
    const admission = sessions.admit(identity)
    if (!admission.admitted) {
      const { reason } = admission
      return {
        reason,
        level: 'info',
        sentence: 'refused',
        fields: { subject, reason, resumed: socket.isSessionReused() },
        farewell: { reason, text: explain(reason, identity) },
      }
    }
    if (sessions.countOf(subject) >= config.limits.maxConnectionsPerClient) {
      const reason = 'too many connections'
      return {
        reason,
        level: 'warn',
        sentence: 'refused: limits.maxConnectionsPerClient is reached',
        fields: { subject },
        farewell: { reason, text: `${subject} has too many connections` },
      }
    }
    if (role === 'operator' && dialect === 'plain') {
      return {
        reason: 'no ALPN',
        level: 'info',
        sentence: 'an operator without ALPN',
        fields: { subject },
        farewell: 'close',
      }
    }
    const session = this.#openSession(visitor, admission.rights)
    if (typeof session === 'string') {
      return {
        reason: 'unknown signer',
        level: 'warn',
        sentence: 'refused',
        fields: { subject, reason: session },
        farewell: { reason: 'refused', text: session },
      }
    }
    sessions.add(session, admission.until)
    counts.accepted[role] += 1
    this.#log.info(
      { subject, dialect, address: socket.remoteAddress, resumed: socket.isSessionReused() },
      'admitted',
    )
    return undefined
  }

  /** @returns the session, or why it cannot be */
  #openSession({ socket, identity, dialect }: Visitor, rights: Rights): Session | string {
    const { service, signers, operatorMethods, trust } = this.#options
    const limits = this.#limits
    const onEnd = (session: Session, ending: Ending): void => this.#ended(session, ending)
    const onThrottled = (session: Session): void => this.#throttled(session)
    if (identity.role === 'client') {
      const who = { socket, identity, dialect, rights }
      return new ClientSession({ ...who, service, limits, onThrottled, onEnd })
    }
    const { node, run, version, clock } = service
    // Every node that takes a change of this operator will need the certificate.
    const signer = signers.learn(chainOf(chainOfPeer(socket, trust.trusted)))
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
      limits: { ...limits, maxLineBytes: PEER_LIMITS.maxLineBytes },
      clock,
      onThrottled,
      onEnd,
    })
  }

  #watchRecords({ socket, raw }: Arrival, { subject }: Identity): void {
    this.#records.watch(raw, socket, () => {
      this.#options.counts.cut['broke the protocol'] += 1
      this.#log.warn({ subject }, 'cut: it floods TLS with records without data')
      socket.destroy()
    })
    raw.once('close', () => this.#records.forget(raw))
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
    } else {
      const isOrderly = ending.cause === 'lost' && ending.isOrderly === true
      log.info({ subject, cause: isOrderly ? 'closed' : ending.cause }, 'disconnected')
    }
  }
}

function dialectOf(socket: TLSSocket): Dialect {
  return socket.alpnProtocol === ALPN ? 'fridge/1' : 'plain'
}
