import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import type { Credentials } from '../identity/credentials.ts'
import { ALPN, connectTls, DIAL_OPTIONS, peerOf, tlsOptions } from '../identity/tls.ts'
import { formatAddress, readAddress } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import type { Dialed, OverlayOptions } from '../gossip/overlay-options.ts'
import type { Trust } from '../identity/trust.ts'

/** How long a dial may take, in milliseconds. */
const DIAL_MS = 10_000

export interface DialOptions {
  /** What this node shows, and whom it trusts. */
  readonly credentials: Credentials
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly tls?: ConnectionOptions
  /** What is to be spoken. Default: what nodes gossip over. */
  readonly alpn?: string
}

/**
 * Reach another node. It is known by its certificate, not by its address: host names are for
 * clients, and nodes move.
 * @throws FridgeError `ERR_UNREACHABLE`, `ERR_TLS`, `ERR_CERTIFICATE`
 */
export async function dialNode(
  address: string,
  { credentials, clock, signal, tls = {}, alpn = ALPN }: DialOptions,
): Promise<Dialed & { readonly socket: TLSSocket }> {
  const target = readAddress(address)
  if (target === undefined) throw new FridgeError('ERR_UNREACHABLE', `${address} is no address`)
  const socket = connectTls({
    ...tls,
    ...tlsOptions(credentials),
    ALPNProtocols: [alpn],
    ...target,
    ...DIAL_OPTIONS,
    checkServerIdentity: () => undefined,
  })
  await untilSecured(socket, address, clock, signal)
  try {
    const peer = peerOf(socket)
    if (socket.alpnProtocol !== alpn)
      throw new FridgeError('ERR_TLS', `${address} does not speak ${alpn}`)
    if (peer.role !== 'node' || peer.trustDomain !== credentials.identity.trustDomain) {
      throw new FridgeError('ERR_TLS', `${address} is ${peer.subject}, not a node of this cluster`)
    }
    socket.setKeepAlive(true, 10_000)
    return { socket, peer, own: credentials.identity }
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/**
 * Every address that the name in `HOST:PORT` stands for, in the order of the resolver; one that
 * holds no name stands for itself.
 * @throws what the resolver says
 */
export async function resolvePeer(address: string): Promise<string[]> {
  const target = readAddress(address)
  if (target === undefined || isIP(target.host) !== 0) return [address]
  const found = await lookup(target.host, { all: true })
  const all = found.map(({ address: host }) => formatAddress({ host, port: target.port }))
  return [...new Set(all)]
}

/** Reaches nodes with the credentials of the moment, and holds what it reached to the authorities of later. */
export function peerDialer(trust: Trust, clock: Clock, alpn?: string): OverlayOptions['dial'] {
  return async (address, signal) => {
    const judgedBy = trust.credentials
    const options = { credentials: judgedBy, clock, signal, ...(alpn !== undefined && { alpn }) }
    const dialed = await dialNode(address, options)
    return { ...dialed, peer: trust.hold(dialed.socket, dialed.peer, judgedBy) }
  }
}

/**
 * Wait until TLS stands.
 * @throws FridgeError `ERR_UNREACHABLE` when that takes too long; what the connection fails with
 */
async function untilSecured(
  socket: TLSSocket,
  address: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const abandon = (cause: unknown): void => {
    socket.destroy()
    reject(new FridgeError('ERR_UNREACHABLE', `no answer from ${address}`, { cause }))
  }
  const onAbort = (): void => abandon(signal.reason)
  using _deadline = clock.after(DIAL_MS, () =>
    abandon(new DOMException('The dial took too long', 'TimeoutError')),
  )
  signal.addEventListener('abort', onAbort, { once: true })
  socket.once('secureConnect', resolve)
  socket.once('error', reject)
  try {
    if (signal.aborted) onAbort()
    await promise
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
