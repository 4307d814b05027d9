import { connect, type TLSSocket } from 'node:tls'
import { formatAddress, type Address } from '../address.ts'
import type { Clock } from '../clock.ts'
import type { Credentials } from '../credentials.ts'
import { FridgeError, type ErrorCode } from '../errors.ts'
import { isName, type Name, type Role } from '../names.ts'
import { isSensorName, mayGive, type SensorEvent, type SensorKind } from '../sensors/sensor.ts'
import { ALPN, peerOf, tlsOptions } from '../transport.ts'
import { Connection, type Ending } from '../wire/connection.ts'
import { Control, CONTROL_STREAM, type Bye, type Hello } from '../wire/control.ts'
import { attachEmitter } from '../wire/emitter.ts'
import { NODE_LIMITS } from '../wire/limits.ts'
import type { MuxStream } from '../wire/mux.ts'
import { connectRpc, type RpcRemote } from '../wire/rpc.ts'
import { explainConnectionError, explainSilentClose, type Attempt } from './tls-problem.ts'

export interface NodeConnectionOptions {
  readonly address: Address
  readonly credentials: Credentials
  readonly clock: Clock
  /** How long connecting may take, in milliseconds, until the node has said hello. Default 10000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** Hear of the sensors that the node lets this client read. */
  readonly onEvent?: (sensor: SensorInfo, event: SensorEvent) => void
}

/** A sensor of a node. */
export interface SensorInfo {
  readonly name: string
  readonly kind: SensorKind
}

/** One live connection to one node. */
export interface NodeConnection extends AsyncDisposable {
  readonly node: Name
  /** `HOST:PORT`. */
  readonly address: string
  readonly sensors: readonly SensorInfo[]
  /** The node's methods: commands for a client, changes of the list for an operator. */
  readonly remote: RpcRemote
  /** Resolves when the connection has ended, with why: `ERR_REVOKED`, `ERR_CLOSED`… */
  readonly ended: Promise<FridgeError>
}

const HEARTBEAT = { heartbeatMs: 3_000, deadAfterMs: 9_000 } as const
const EVENTS: ReadonlySet<string> = new Set(['open', 'close', 'reading', 'unavailable'])

/** The error code of each reason that a node says goodbye with. */
const BYE_CODES = new Map<string, ErrorCode>([
  ['revoked', 'ERR_REVOKED'],
  ['not on the whitelist', 'ERR_NOT_LISTED'],
  ['expired', 'ERR_EXPIRED'],
  ['certificate expired', 'ERR_EXPIRED'],
  ['isolated', 'ERR_ISOLATED'],
  ['leaving', 'ERR_CLOSED'],
])

const ADD = 'an operator can let it in: fridge whitelist add NAME'

/** What mends each of them, where a person can do something about it. */
const BYE_FIXES = new Map<string, string>([
  ['revoked', ADD],
  ['not on the whitelist', ADD],
  ['expired', ADD],
  ['wrong key', `${ADD} --key KEY (fridge certs inspect FILE shows it)`],
  ['certificate expired', 'renew it: fridge certs renew ROLE NAME'],
  ['not trusted', 'get one of the new authority: fridge certs renew ROLE NAME'],
  [
    'too many connections',
    'close another one, or raise limits.maxConnectionsPerClient of the node',
  ],
  ['isolated', 'connect to another node with --node HOST:PORT, or wait until this one has a peer'],
])

/**
 * Connect to one node, and wait until it has said hello and offers its methods.
 * @throws FridgeError `ERR_UNREACHABLE`, `ERR_TLS`, `ERR_TIMEOUT`, or why the node refuses:
 *   `ERR_REFUSED`, `ERR_REVOKED`, `ERR_NOT_LISTED`, `ERR_EXPIRED`, `ERR_ISOLATED`
 */
export async function openNodeConnection(options: NodeConnectionOptions): Promise<NodeConnection> {
  const { address, credentials, clock, timeoutMs = 10_000, signal, onEvent } = options
  signal?.throwIfAborted()
  const text = formatAddress(address)
  const attempt: Attempt = { address: text, host: address.host, ...credentials.files }
  const socket = connect({ ...tlsOptions(credentials), ...address, ...serverName(address) })
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
          ...HEARTBEAT,
          hello: {},
          onHello: fields => {
            const parsed = parseHello(fields)
            if (typeof parsed === 'string') return parsed
            hello = parsed
            greeted.resolve(parsed)
            return undefined
          },
          onBye: said => {
            bye = said
          },
          onDead: () => connection.close(),
        })
        return true
      }
      // The hello comes before every other stream; a sensor that it did not name is not for us.
      const sensor = hello?.sensors.find(({ name }) => name === stream.meta)
      if (sensor !== undefined) listen(connection, stream, sensor, onEvent)
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
    await Promise.race([failed, authenticated(socket, credentials, text)])
    const { node, sensors } = await Promise.race([failed, greeted.promise])
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
): Promise<void> {
  await new Promise<void>(resolve => {
    socket.once('secureConnect', resolve)
  })
  const peer = peerOf(socket)
  if (peer.role !== 'node' || (identity.trustDomain ?? peer.trustDomain) !== peer.trustDomain) {
    throw new FridgeError('ERR_TLS', `${address} is ${peer.subject}, not a node of this cluster`)
  }
  if (socket.alpnProtocol !== ALPN)
    throw new FridgeError('ERR_TLS', `${address} does not speak ${ALPN}`)
}

interface NodeHello {
  readonly node: Name
  readonly sensors: readonly SensorInfo[]
}

function parseHello({ node, sensors = [] }: Hello): NodeHello | string {
  if (!isName(node)) return 'a hello names no node'
  if (!Array.isArray(sensors) || !sensors.every(isSensorInfo))
    return 'a hello has malformed sensors'
  return { node, sensors }
}

function isSensorInfo(value: unknown): value is SensorInfo {
  if (typeof value !== 'object' || value === null) return false
  const { name, kind } = value as Record<string, unknown>
  return isSensorName(name) && (kind === 'door' || kind === 'temperature')
}

function listen(
  connection: Connection,
  stream: MuxStream,
  sensor: SensorInfo,
  onEvent: NodeConnectionOptions['onEvent'],
): void {
  const emitter = attachEmitter(stream, {
    limits: NODE_LIMITS,
    accepts: EVENTS,
    onRefused: refusal => connection.refuse(refusal),
  })
  for (const type of EVENTS) {
    emitter.on(type, (...values) => {
      const event = parseSensorEvent(type, values)
      if (event !== undefined && mayGive(sensor.kind, event)) onEvent?.(sensor, event)
    })
  }
}

/** @returns undefined for an event that this version does not know */
function parseSensorEvent(type: string, values: readonly unknown[]): SensorEvent | undefined {
  const at = values.at(-1)
  if (typeof at !== 'number') return undefined
  const [first, unit] = values
  switch (type) {
    case 'open':
    case 'close':
      return { type, at }
    case 'reading':
      return typeof first === 'number' && unit === 'C'
        ? { type, value: first, unit, at }
        : undefined
    case 'unavailable':
      return typeof first === 'string' ? { type, reason: first, at } : undefined
    default:
      return undefined
  }
}

interface Heard {
  readonly bye: Bye | undefined
  /** Whether the node has said hello. */
  readonly greeted: boolean
  /** What this end is to the node. */
  readonly role: Role
  readonly attempt: Attempt
}

function explainEnding(ending: Ending, { bye, greeted, role, attempt }: Heard): FridgeError {
  const { address } = attempt
  if (bye?.reason === 'timeout') return new FridgeError('ERR_TIMEOUT', bye.text)
  if (bye !== undefined) {
    return new FridgeError(BYE_CODES.get(bye.reason) ?? 'ERR_REFUSED', bye.text, fixOf(bye, role))
  }
  switch (ending.cause) {
    case 'refused':
      return new FridgeError(
        'ERR_PROTOCOL',
        `${address} broke the protocol: ${ending.refusal.toString()}`,
      )
    case 'too slow':
      return new FridgeError('ERR_TOO_SLOW', `${address} does not read what it is sent`)
    case 'lost':
      if (ending.error !== undefined) return explainConnectionError(ending.error, attempt)
      return greeted
        ? new FridgeError('ERR_CLOSED', `${address} closed the connection`)
        : explainSilentClose(attempt)
    case 'closed':
      return new FridgeError('ERR_CLOSED', 'the connection was closed')
  }
}

function fixOf({ reason }: Bye, role: Role): { fix?: string } {
  if (reason === 'revoked' && role !== 'client') {
    return { fix: `a revoked ${role} stays out; use a new name: fridge certs issue ${role} NAME` }
  }
  const fix = BYE_FIXES.get(reason)
  return fix === undefined ? {} : { fix }
}
