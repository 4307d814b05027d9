import type { Name, Source } from '../identity/names.ts'
import { formatAddress } from '../lib/address.ts'
import { errorCode, FridgeError } from '../lib/errors.ts'
import type { CallOptions, RpcRemote } from '../wire/rpc.ts'
import { NodeChannel, type NodeChannelOptions } from './node-channel.ts'
import type { SensorInfo } from './node-hello.ts'
import { authenticated, startTls, type NodeTlsOptions } from './node-tls.ts'
import { explainSilence } from './tls-problem.ts'

export type { NodeHello, SensorInfo } from './node-hello.ts'

export interface NodeConnectionOptions extends NodeTlsOptions, NodeChannelOptions {
  /** How long connecting may take, in milliseconds, until the node has said hello. Default 10000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
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

/**
 * Connect to one node, and wait until it has said hello and offers its methods.
 * @throws FridgeError `ERR_UNREACHABLE`, `ERR_TLS`, `ERR_TIMEOUT`, or why the node refuses:
 *   `ERR_REFUSED`, `ERR_REVOKED`, `ERR_NOT_LISTED`, `ERR_EXPIRED`, `ERR_ISOLATED`
 */
export async function openNodeConnection(options: NodeConnectionOptions): Promise<NodeConnection> {
  const { address, credentials, clock, timeoutMs = 10_000, signal } = options
  signal?.throwIfAborted()
  const text = formatAddress(address)
  const tls = startTls(options)
  const attempt = { address: text, host: address.host, ...credentials.files }
  const opened = new NodeChannel(tls.socket, attempt, options)
  const { channel, ended } = opened
  const failed = ended.then(error => Promise.reject(error))
  failed.catch(() => {})
  const abort = (): void => channel.close()
  signal?.addEventListener('abort', abort, { once: true })
  void ended.then(() => signal?.removeEventListener('abort', abort))
  using _deadline = clock.after(timeoutMs, () => {
    opened.fail(explainSilence(attempt, { timeoutMs, isTaken: !tls.socket.connecting }))
  })
  try {
    const peer = await Promise.race([failed, authenticated(tls, options)])
    opened.recognize(peer.name)
    tls.keepTicketOf(peer)
    const { node, run, sensors, clockAheadMs } = await Promise.race([failed, opened.greeted])
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
      ended,
      call: callsOf(remote, opened, text),
      [Symbol.asyncDispose]: async () => {
        channel.close()
        await ended
      },
    }
  } catch (error) {
    // The caller gets no connection that it could close.
    channel.close()
    throw error
  }
}

function callsOf(remote: RpcRemote, opened: NodeChannel, address: string): NodeConnection['call'] {
  const { channel } = opened
  return async (method, values, options) => {
    try {
      return await remote.call(method, values, options)
    } catch (error) {
      if (errorCode(error) !== 'ERR_CLOSED') throw error
      // A connection that ended meanwhile says itself why: that is the better error. One whose
      // node ended the calls alone would let the caller wait for ever.
      if (channel.ended || channel.bye !== undefined) channel.close()
      else opened.fail(endedCalls(address))
      throw await opened.ended
    }
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
