import { connect, type TLSSocket } from 'node:tls'
import { formatAddress, type Address } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import type { Credentials } from '../identity/credentials.ts'
import type { Resume } from '../sessions/client-hello.ts'
import { errorCode, FridgeError } from '../lib/errors.ts'
import type { AlarmState, Alarm } from '../alarms/alarm.ts'
import { ALARM_STREAM, STANDING } from '../alarms/alarm-stream.ts'
import { isAlarmId, parseAlarm } from '../alarms/parse.ts'
import type { Identity } from '../identity/identity.ts'
import type { Name, Source } from '../identity/names.ts'
import { EVENT_TYPES, type SensorEvent } from '../sensors/kinds.ts'
import { ALPN, DIAL_OPTIONS, peerOf, tlsOptions } from '../identity/tls.ts'
import { Channel } from '../wire/channel.ts'
import type { Connection } from '../wire/connection.ts'
import { CLIENT_HEARTBEAT, type Bye } from '../wire/control.ts'
import { attachEmitter } from '../wire/emitter.ts'
import { NODE_LIMITS } from '../wire/limits.ts'
import type { MuxStream } from '../wire/mux.ts'
import type { CallOptions } from '../wire/rpc.ts'
import { explainEnding } from './farewell.ts'
import { parseNodeHello, parseSensorEvent, type NodeHello, type SensorInfo } from './node-hello.ts'
import type { Attempt } from './tls-problem.ts'

export type { NodeHello, SensorInfo } from './node-hello.ts'

export interface NodeConnectionOptions {
  readonly address: Address
  readonly credentials: Credentials
  readonly clock: Clock
  /** How long connecting may take, in milliseconds, until the node has said hello. Default 10000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** TLS sessions by address, to resume and to keep: a client that comes back has a shorter handshake. */
  readonly sessions?: Map<string, TlsSession>
  /** How far this client has heard the node before, where it has. */
  readonly resume?: Resume
  /** The node has said who it is; comes before every event. */
  readonly onHello?: (hello: NodeHello) => void
  /**
   * Hear of the sensors that the node lets this client read.
   * @param sequence the number of the event within the run of the node
   */
  readonly onEvent?: (sensor: SensorInfo, event: SensorEvent, sequence: number) => void
  /** Hear what happens to alarms; those that stood before are `raised` again, behind `onStanding`. */
  readonly onAlarm?: (state: AlarmState, alarm: Alarm) => void
  /** The ids of all alarms that stand, of sensors that this client may read. */
  readonly onStanding?: (ids: readonly string[]) => void
  /** What the node still had of a sensor that was resumed has come, and what it had sent before. */
  readonly onResumed?: (sensor: SensorInfo) => void
  /** This client may not read the sensor any more: its grant was narrowed. */
  readonly onWithdrawn?: (sensor: SensorInfo) => void
}

/** What resumes a TLS session, and the identity of its node: a resumed session shows no certificate. */
export interface TlsSession {
  readonly ticket: Buffer
  readonly peer: Identity
}

/** One live connection to one node. */
export interface NodeConnection extends AsyncDisposable {
  readonly node: Name
  /** The run of the node within which events are numbered. */
  readonly run: Source
  /** `HOST:PORT`. */
  readonly address: string
  /** How far its clock is ahead of ours, in milliseconds; 0 where it does not tell. */
  readonly clockAheadMs: number
  readonly sensors: readonly SensorInfo[]
  /** What the node lets be called: commands by a client, changes of the list by an operator. */
  readonly methods: ReadonlySet<string>
  /** Resolves when the connection has ended, with why: `ERR_REVOKED`, `ERR_CLOSED`… */
  readonly ended: Promise<FridgeError>
  /**
   * Call a method of the node. A call that is given up goes on over there; its answer is dropped.
   * @param values JSON values
   * @returns what it answered, unchecked
   * @throws FridgeError with the node's words, `ERR_COMMAND` or a code that it gave (`ERR_REFUSED`,
   *   `ERR_LIMIT`…); `ERR_TIMEOUT`; when the connection ends before the answer, what `ended` resolves
   *   with; the signal's reason when it aborts
   */
  call(method: string, values: readonly unknown[], options?: CallOptions): Promise<unknown>
}

/** How long a node may take to answer a call, in milliseconds, unless the call itself waits for others. */
export const ANSWER_MS = 30_000

const RESUMED = 'resumed'
const ACCEPTS: ReadonlySet<string> = new Set([...EVENT_TYPES, RESUMED])

/**
 * Connect to one node, and wait until it has said hello and offers its methods.
 * @throws FridgeError `ERR_UNREACHABLE`, `ERR_TLS`, `ERR_TIMEOUT`, or why the node refuses:
 *   `ERR_REFUSED`, `ERR_REVOKED`, `ERR_NOT_LISTED`, `ERR_EXPIRED`, `ERR_ISOLATED`
 */
export async function openNodeConnection(options: NodeConnectionOptions): Promise<NodeConnection> {
  const { address, credentials, clock, timeoutMs = 10_000, signal, resume, onHello } = options
  signal?.throwIfAborted()
  const text = formatAddress(address)
  const attempt: Attempt = { address: text, host: address.host, ...credentials.files }
  const { socket, session, keepTicketOf } = startTls(options, text)
  const ended = Promise.withResolvers<FridgeError>()
  const greeted = Promise.withResolvers<NodeHello>()
  let hello: NodeHello | undefined
  let clockAheadMs = 0
  let timeout: Bye | undefined
  let authenticatedAs: Name | undefined
  let broken: FridgeError | undefined
  const channel: Channel = new Channel(socket, {
    limits: NODE_LIMITS,
    clock,
    control: {
      opens: false,
      ...CLIENT_HEARTBEAT,
      hello: resume === undefined ? {} : { resume: encodeResume(resume) },
      onHello: fields => {
        const parsed = parseNodeHello(fields)
        if (typeof parsed === 'string') return parsed
        hello = parsed
        clockAheadMs = parsed.time === undefined ? 0 : parsed.time - clock.now()
        onHello?.(parsed)
        greeted.resolve(parsed)
        return undefined
      },
    },
    onStream: stream => {
      // The hello comes before every other stream; a sensor that it did not name is not for this client.
      const sensor = hello?.sensors.find(({ name }) => name === stream.meta)
      if (sensor !== undefined) listen(channel, stream, sensor, options)
      else if (hello !== undefined && stream.meta === ALARM_STREAM) {
        listenToAlarms(channel, stream, options)
      }
      return hello !== undefined
    },
    onEnd: ending => {
      const { role } = credentials.identity
      const bye = timeout ?? channel.bye
      const heard = { bye, greeted: hello !== undefined, role, attempt, node: authenticatedAs }
      ended.resolve(broken ?? explainEnding(ending, heard))
    },
  })
  const failed = ended.promise.then(error => Promise.reject(error))
  failed.catch(() => {})
  const abort = (): void => channel.close()
  signal?.addEventListener('abort', abort, { once: true })
  void ended.promise.then(() => signal?.removeEventListener('abort', abort))
  using _deadline = clock.after(timeoutMs, () => {
    timeout = { reason: 'timeout', text: `no answer from ${text} within ${timeoutMs} ms` }
    channel.close()
  })
  try {
    const peer = await Promise.race([failed, authenticated(socket, credentials, text, session)])
    authenticatedAs = peer.name
    keepTicketOf(peer)
    const { node, run, sensors } = await Promise.race([failed, greeted.promise])
    if (node !== peer.name) {
      throw new FridgeError('ERR_TLS', `${text} is ${peer.subject}, and says to be ${node}`)
    }
    // A node that refuses says so right behind its hello.
    const remote = await Promise.race([failed, channel.connectRpc()]).catch(async () => failed)
    signal?.throwIfAborted()
    return {
      node,
      run,
      address: text,
      clockAheadMs,
      sensors,
      methods: remote.methods,
      ended: ended.promise,
      call: async (method, values, callOptions) => {
        try {
          return await remote.call(method, values, callOptions)
        } catch (error) {
          if (errorCode(error) !== 'ERR_CLOSED') throw error
          // A connection that ended meanwhile says itself why: that is the better error. One whose
          // node ended the calls alone would let the caller wait for ever.
          if (!channel.ended && channel.bye === undefined) broken = endedCalls(text)
          channel.close()
          throw await ended.promise
        }
      },
      [Symbol.asyncDispose]: async () => {
        channel.close()
        await ended.promise
      },
    }
  } catch (error) {
    // The caller gets no connection that it could close.
    channel.close()
    throw error
  }
}

function endedCalls(address: string): FridgeError {
  return new FridgeError(
    'ERR_PROTOCOL',
    `${address} ended the calls of a connection that it kept`,
    {
      fix: 'ask another node with --node HOST:PORT, and look into that one',
    },
  )
}

/**
 * Begin a TLS connection, with the session that is kept of its address where there is one. From
 * `keepTicketOf` on, the newest ticket is kept with the identity of the node that gave it.
 */
function startTls(
  { address, credentials, sessions }: NodeConnectionOptions,
  text: string,
): { socket: TLSSocket; session: TlsSession | undefined; keepTicketOf: (peer: Identity) => void } {
  const session = sessions?.get(text)
  const socket = connect({
    ...tlsOptions(credentials),
    ...address,
    ...serverName(address),
    ...DIAL_OPTIONS,
    ...(session && { session: session.ticket }),
  })
  // A ticket that fails is not used again; one that works is: a resumed session brings no new one.
  socket.once('connect', () => sessions?.delete(text))
  let ticket = session?.ticket
  let peer: Identity | undefined
  const keepTicket = (): void => {
    if (ticket && peer) sessions?.set(text, { ticket, peer })
  }
  // A ticket may come before the node is known.
  socket.on('session', newest => {
    ticket = newest
    keepTicket()
  })
  const keepTicketOf = (identity: Identity): void => {
    peer = identity
    keepTicket()
  }
  return { socket, session, keepTicketOf }
}

/** RFC 6066 allows names only. */
function serverName({ host }: Address): { servername?: string } {
  return /^[\d.]+$|:/.test(host) ? {} : { servername: host }
}

/** Resolves when the other end has shown that it is a node of this client's cluster. */
async function authenticated(
  socket: TLSSocket,
  { identity }: Credentials,
  address: string,
  session: TlsSession | undefined,
): Promise<Identity> {
  await new Promise<void>(resolve => {
    socket.once('secureConnect', resolve)
  })
  const peer = session !== undefined && socket.isSessionReused() ? session.peer : peerOf(socket)
  if (peer.role !== 'node' || (identity.trustDomain ?? peer.trustDomain) !== peer.trustDomain) {
    throw new FridgeError('ERR_TLS', `${address} is ${peer.subject}, not a node of this cluster`)
  }
  if (socket.alpnProtocol !== ALPN)
    throw new FridgeError('ERR_TLS', `${address} does not speak ${ALPN}`)
  return peer
}

function listen(
  connection: Connection,
  stream: MuxStream,
  sensor: SensorInfo,
  { onEvent, onResumed, onWithdrawn }: NodeConnectionOptions,
): void {
  const emitter = attachEmitter(stream, {
    limits: NODE_LIMITS,
    accepts: ACCEPTS,
    onRefused: refusal => connection.refuse(refusal),
  })
  for (const type of EVENT_TYPES) {
    emitter.on(type, (...values) => {
      const numbered = parseSensorEvent(sensor.kind, type, values)
      if (numbered !== undefined) onEvent?.(sensor, numbered.event, numbered.sequence)
    })
  }
  emitter.on(RESUMED, () => onResumed?.(sensor))
  stream.onClose(() => {
    if (!connection.ended) onWithdrawn?.(sensor)
  })
}

const ALARM_STATES: readonly AlarmState[] = ['raised', 'over', 'acknowledged']

/** Alarms that are malformed are passed over, as events of sensors are. */
function listenToAlarms(
  connection: Connection,
  stream: MuxStream,
  { onAlarm, onStanding }: NodeConnectionOptions,
): void {
  const emitter = attachEmitter(stream, {
    limits: NODE_LIMITS,
    accepts: new Set([STANDING, ...ALARM_STATES]),
    onRefused: refusal => connection.refuse(refusal),
  })
  emitter.on(STANDING, ids => {
    if (Array.isArray(ids) && ids.every(isAlarmId)) onStanding?.(ids)
  })
  for (const state of ALARM_STATES) {
    emitter.on(state, value => {
      const alarm = parseAlarm(value)
      if (alarm !== undefined) onAlarm?.(state, alarm)
    })
  }
}

function encodeResume({ run, sensors }: Resume): object {
  return { run, sensors: Object.fromEntries(sensors) }
}
