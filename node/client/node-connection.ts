import { connect, type TLSSocket } from 'node:tls'
import { formatAddress, type Address } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import type { Credentials } from '../identity/credentials.ts'
import type { Resume } from '../sessions/client-hello.ts'
import { FridgeError } from '../lib/errors.ts'
import type { Identity } from '../identity/identity.ts'
import type { Name, Source } from '../identity/names.ts'
import type { SensorEvent } from '../sensors/sensor.ts'
import { ALPN, peerOf, tlsOptions } from '../identity/tls.ts'
import { Connection, type Ending } from '../wire/connection.ts'
import { CLIENT_HEARTBEAT, Control, CONTROL_STREAM, type Bye } from '../wire/control.ts'
import { attachEmitter } from '../wire/emitter.ts'
import { NODE_LIMITS } from '../wire/limits.ts'
import type { MuxStream } from '../wire/mux.ts'
import { connectRpc, type RpcRemote } from '../wire/rpc.ts'
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
  /** TLS sessions by address, to resume and to keep: a shorter handshake for who comes back. */
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
  /** What the node still had of a sensor that was resumed has come, and what it had sent before. */
  readonly onResumed?: (sensor: SensorInfo) => void
  /** This client may not read the sensor any more: its grant was narrowed. */
  readonly onWithdrawn?: (sensor: SensorInfo) => void
}

/** What resumes a TLS session, and who is at the other end of it: a resumed one shows no certificate. */
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
  readonly sensors: readonly SensorInfo[]
  /** The node's methods: commands for a client, changes of the list for an operator. */
  readonly remote: RpcRemote
  /** Resolves when the connection has ended, with why: `ERR_REVOKED`, `ERR_CLOSED`… */
  readonly ended: Promise<FridgeError>
}

const EVENTS = ['open', 'close', 'reading', 'unavailable']
const RESUMED = 'resumed'
const ACCEPTS: ReadonlySet<string> = new Set([...EVENTS, RESUMED])

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
  const session = options.sessions?.get(text)
  const socket = connect({
    ...tlsOptions(credentials),
    ...address,
    ...serverName(address),
    ...(session && { session: session.ticket }),
  })
  // One that fails is not tried again; one that works is: a resumed session brings no new ticket.
  socket.once('connect', () => options.sessions?.delete(text))
  let ticket = session?.ticket
  let peer: Identity | undefined
  const keepTicket = (): void => {
    if (ticket && peer) options.sessions?.set(text, { ticket, peer })
  }
  // It may come before we know to whom it leads.
  socket.on('session', newest => {
    ticket = newest
    keepTicket()
  })
  const ended = Promise.withResolvers<FridgeError>()
  const greeted = Promise.withResolvers<NodeHello>()
  let hello: NodeHello | undefined
  let bye: Bye | undefined
  let control: Control | undefined

  const onEnd = (ending: Ending): void => {
    control?.[Symbol.dispose]()
    const { role } = credentials.identity
    ended.resolve(explainEnding(ending, { bye, greeted: hello !== undefined, role, attempt }))
  }
  const connection = new Connection(socket, {
    limits: NODE_LIMITS,
    onStream: stream => {
      if (stream.meta === CONTROL_STREAM) {
        if (control !== undefined) return false
        control = new Control(connection, stream, {
          limits: NODE_LIMITS,
          clock,
          ...CLIENT_HEARTBEAT,
          hello: resume === undefined ? {} : { resume: encodeResume(resume) },
          onHello: fields => {
            const parsed = parseNodeHello(fields)
            if (typeof parsed === 'string') return parsed
            hello = parsed
            onHello?.(parsed)
            greeted.resolve(parsed)
            return undefined
          },
          onBye: said => {
            bye = said
          },
          onDead: () => connection.cutAsDead(),
        })
        return true
      }
      // The hello comes before every other stream; a sensor that it did not name is not for us.
      const sensor = hello?.sensors.find(({ name }) => name === stream.meta)
      if (sensor !== undefined) listen(connection, stream, sensor, options)
      return hello !== undefined
    },
    onEnd,
  })
  const failed = ended.promise.then(error => Promise.reject(error))
  failed.catch(() => {})
  const abort = (): void => connection.close()
  signal?.addEventListener('abort', abort, { once: true })
  void ended.promise.then(() => signal?.removeEventListener('abort', abort))
  using _deadline = clock.after(timeoutMs, () => {
    bye = { reason: 'timeout', text: `no answer from ${text} within ${timeoutMs} ms` }
    connection.close()
  })
  try {
    peer = await Promise.race([failed, authenticated(socket, credentials, text, session)])
    keepTicket()
    const { node, run, sensors } = await Promise.race([failed, greeted.promise])
    // A node that refuses says so right behind its hello.
    const remote = await Promise.race([
      failed,
      connectRpc(connection.open('rpc'), {
        limits: NODE_LIMITS,
        clock,
        onRefused: refusal => connection.refuse(refusal),
      }),
    ]).catch(async () => failed)
    signal?.throwIfAborted()
    return {
      node,
      run,
      address: text,
      sensors,
      remote,
      ended: ended.promise,
      [Symbol.asyncDispose]: async () => {
        connection.close()
        await ended.promise
      },
    }
  } catch (error) {
    // Whoever it was, nobody will close it later.
    connection.close()
    throw error
  }
}

/** RFC 6066 allows names only. */
function serverName({ host }: Address): { servername?: string } {
  return /^[\d.]+$|:/.test(host) ? {} : { servername: host }
}

/** Resolves when the other end has shown that it is a node of our cluster. */
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
  for (const type of EVENTS) {
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

function encodeResume({ run, sensors }: Resume): object {
  return { run, sensors: Object.fromEntries(sensors) }
}
