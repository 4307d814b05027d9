import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { constants } from 'node:fs'
import { connect as connectTcp, isIP, type Socket } from 'node:net'

import type { MqttClient } from 'mqtt'

import { connectTls } from '../../identity/tls.ts'
import type { Clock } from '../../lib/clock.ts'
import { errorCode, errorMessage, FridgeError } from '../../lib/errors.ts'
import { GuardedSocket } from './mqtt-guard.ts'

/** What is in the files that a broker is connected to with. */
const [PASSWORD, AUTHORITIES] = ['password of the broker', 'authorities of the broker']

export interface BrokerOptions {
  readonly clock: Clock
  /** `mqtt://HOST[:PORT]`, `mqtts://…` for TLS. */
  readonly broker: string
  /** Who this end is. Default nobody. */
  readonly user?: string | undefined
  /** The file with the password, read at each connection. Default none. */
  readonly passwordFile?: string | undefined
  /** The authorities of the broker, PEM. Default those of Node.js. */
  readonly caFile?: string | undefined
  /** What the broker publishes, and keeps, once this end is gone without a word. Default nothing. */
  readonly will?: { readonly topic: string; readonly payload: string } | undefined
}

export interface BrokerMessage {
  readonly topic: string
  readonly payload: Uint8Array
  /** Whether the broker had kept it: it was said at any time before. */
  readonly isRetained: boolean
}

/** A connection to a broker. It is not renewed: who uses it starts another one. */
export interface BrokerConnection extends AsyncDisposable {
  /** @throws FridgeError `ERR_REFUSED` when the broker does not allow it */
  subscribe(topics: readonly string[]): Promise<void>
  /**
   * Publish at least once; resolves when the broker has it.
   * @param isRetained whether the broker keeps it, for who subscribes later
   * @throws FridgeError when the connection ends before
   */
  publish(topic: string, payload: string, isRetained: boolean): Promise<void>
  /** Rejects, as a FridgeError, when it ends. */
  readonly ended: Promise<never>
}

/** How long a broker may take to answer: to the connection, its handshake and the login, ms each. */
const ANSWER_MS = 10_000

/** How often a broker that says nothing is asked whether it lives, s. */
const KEEPALIVE_S = 30

/** Longer files hold no password and no authorities. */
const MAX_FILE_BYTES = 1_048_576

export function isBrokerUrl(value: unknown): value is string {
  if (typeof value !== 'string' || !/^mqtts?:\/\/[^/?#@]+\/?$/.test(value)) return false
  return URL.canParse(value)
}

/**
 * Connect and log in.
 * @throws FridgeError that names what is wrong, without names of files: clients are told it
 */
export async function connectBroker(
  options: BrokerOptions,
  onMessage: (message: BrokerMessage) => void,
  signal: AbortSignal,
): Promise<BrokerConnection> {
  const { clock, user, passwordFile, will } = options
  const password = passwordFile === undefined ? undefined : await readSecret(passwordFile, PASSWORD)
  const socket = await connectSocket(options, signal)
  // Loaded where a broker is used: it takes longer to load than the rest of the sensors.
  const { MqttClient } = await import('mqtt')
  const client = new MqttClient(() => new GuardedSocket(socket, clock), {
    protocolVersion: 4,
    clientId: `fridge-${randomUUID().slice(0, 8)}`,
    clean: true,
    keepalive: KEEPALIVE_S,
    connectTimeout: ANSWER_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    timerVariant: 'native',
    ...(will !== undefined && {
      will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: true },
    }),
    ...(user !== undefined && { username: user }),
    ...(password !== undefined && { password: password.replace(/\r?\n$/, '') }),
  })
  client.on('message', (topic, payload, { retain }) => {
    onMessage({ topic, payload, isRetained: retain })
  })
  const ended = endOf(client)
  const { promise: connected, resolve: onConnect } = Promise.withResolvers<void>()
  client.on('connect', () => onConnect())
  const end = async (): Promise<void> => {
    signal.removeEventListener('abort', stop)
    await client.endAsync(true)
    socket.destroy()
  }
  const stop = (): void => void end()
  signal.addEventListener('abort', stop)
  try {
    signal.throwIfAborted()
    await Promise.race([connected, ended])
  } catch (error) {
    await end()
    throw error
  }
  return {
    ended,
    subscribe: async topics => {
      // It rejects when one is not granted; any other failure ends the connection too.
      const granted = client.subscribeAsync([...topics], { qos: 1 }).catch((cause: unknown) => {
        const message = 'the broker does not let this user read the topic'
        throw new FridgeError('ERR_REFUSED', message, { cause })
      })
      await Promise.race([ended, granted])
    },
    publish: async (topic, payload, retain) => {
      const taken = client.publishAsync(topic, payload, { qos: 1, retain })
      await Promise.race([ended, taken.catch((error: unknown) => Promise.reject(failure(error)))])
    },
    [Symbol.asyncDispose]: end,
  }
}

/** Rejects with the first thing that goes wrong, or at the end. */
function endOf(client: MqttClient): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  client.on('error', error => reject(failure(error)))
  client.on('close', () => reject(new FridgeError('ERR_CLOSED', 'the broker has closed')))
  promise.catch(() => undefined)
  return promise
}

/** CONNACK of MQTT 3.1.1, section 3.2.2.3. */
const REFUSALS: ReadonlyMap<unknown, string> = new Map([
  [4, 'the broker does not know this user and password'],
  [5, 'the broker does not let this user in'],
])

function failure(error: unknown): FridgeError {
  if (error instanceof FridgeError) return error
  const code =
    typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  const refusal = REFUSALS.get(code)
  if (refusal !== undefined) return new FridgeError('ERR_REFUSED', refusal, { cause: error })
  const message = `the broker cannot be used: ${errorCode(error) ?? errorMessage(error)}`
  return new FridgeError('ERR_UNREACHABLE', message, { cause: error })
}

async function connectSocket(
  { clock, broker, caFile }: BrokerOptions,
  signal: AbortSignal,
): Promise<Socket> {
  const url = new URL(broker)
  const isTls = url.protocol === 'mqtts:'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const port = Number(url.port) || (isTls ? 8_883 : 1_883)
  const ca = caFile === undefined ? undefined : await readSecret(caFile, AUTHORITIES)
  const socket = isTls
    ? connectTls({ host, port, ca, ...(isIP(host) === 0 && { servername: host }) })
    : connectTcp({ host, port })
  const answered = new AbortController()
  using _deadline = clock.after(ANSWER_MS, () => answered.abort())
  try {
    await once(socket, isTls ? 'secureConnect' : 'connect', {
      signal: AbortSignal.any([signal, answered.signal]),
    })
    return socket
  } catch (error) {
    socket.on('error', () => undefined)
    socket.destroy()
    signal.throwIfAborted()
    const why = answered.signal.aborted ? 'no answer' : describeFailure(error)
    throw new FridgeError('ERR_UNREACHABLE', `the broker cannot be reached: ${why}`, {
      cause: error,
    })
  }
}

/** What the commonest faults of TLS mean, by their codes in Node.js and OpenSSL. */
const TLS_FAULTS: ReadonlyMap<string, string> = new Map([
  ...[
    'SELF_SIGNED_CERT_IN_CHAIN',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  ].map(code => [code, 'its certificate is of no authority that is known here (caFile)'] as const),
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is not for that host'],
  ['CERT_HAS_EXPIRED', 'its certificate has expired'],
  ['CERT_NOT_YET_VALID', 'its certificate is not valid yet: compare the clocks'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'no TLS is spoken on that port'],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'no TLS is spoken on that port'],
])

function describeFailure(error: unknown): string {
  const code = errorCode(error)
  return (code && TLS_FAULTS.get(code)) ?? code ?? errorMessage(error)
}

/** Read once what connecting to a broker reads each time. @throws FridgeError `ERR_CONFIG` that says which file */
export async function checkBrokerFiles({
  passwordFile,
  caFile,
}: Pick<BrokerOptions, 'passwordFile' | 'caFile'>): Promise<void> {
  if (passwordFile !== undefined) await readSecret(passwordFile, PASSWORD)
  if (caFile !== undefined) await readSecret(caFile, AUTHORITIES)
}

/** @param what is in it, for people */
async function readSecret(path: string, what: string): Promise<string> {
  try {
    // Without waiting: were the path a FIFO, opening it would wait for a writer for ever.
    await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const { size } = await handle.stat()
    if (size > MAX_FILE_BYTES) throw new Error('it is too long')
    return await handle.readFile('utf8')
  } catch (error) {
    const why = errorCode(error) ?? errorMessage(error)
    throw new FridgeError('ERR_CONFIG', `the ${what} cannot be read: ${why}`, { cause: error })
  }
}
