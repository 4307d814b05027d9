import type { TLSSocket } from 'node:tls'
import type { Credentials } from '../identity/credentials.ts'
import type { Identity } from '../identity/identity.ts'
import { ALPN, connectTls, DIAL_OPTIONS, peerOf, tlsOptions } from '../identity/tls.ts'
import { formatAddress, type Address } from '../lib/address.ts'
import { FridgeError } from '../lib/errors.ts'

/** What resumes a TLS session, and the identity of its node: a resumed session shows no certificate. */
export interface TlsSession {
  readonly ticket: Buffer
  readonly peer: Identity
}

export interface NodeTlsOptions {
  readonly address: Address
  readonly credentials: Credentials
  /** TLS sessions by address, to resume and to keep: a client that comes back has a shorter handshake. */
  readonly sessions?: Map<string, TlsSession>
}

export interface NodeTls {
  readonly socket: TLSSocket
  /** The session that the socket was offered to resume. */
  readonly session: TlsSession | undefined
  /** From then on, the newest ticket is kept with the identity of the node that gave it. */
  readonly keepTicketOf: (peer: Identity) => void
}

/** Begin a TLS connection, with the session that is kept of its address where there is one. */
export function startTls({ address, credentials, sessions }: NodeTlsOptions): NodeTls {
  const text = formatAddress(address)
  const session = sessions?.get(text)
  const socket = connectTls({
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

/**
 * Resolves when the other end has shown that it is a node of this client's cluster.
 * @throws FridgeError `ERR_TLS` when it is none
 */
export async function authenticated(
  { socket, session }: NodeTls,
  { address, credentials }: NodeTlsOptions,
): Promise<Identity> {
  await new Promise<void>(resolve => {
    socket.once('secureConnect', resolve)
  })
  const { trustDomain } = credentials.identity
  const peer = session !== undefined && socket.isSessionReused() ? session.peer : peerOf(socket)
  if (peer.role !== 'node' || (trustDomain ?? peer.trustDomain) !== peer.trustDomain) {
    const what = `${peer.subject}, not a node of this cluster`
    throw new FridgeError('ERR_TLS', `${formatAddress(address)} is ${what}`)
  }
  if (socket.alpnProtocol !== ALPN)
    throw new FridgeError('ERR_TLS', `${formatAddress(address)} does not speak ${ALPN}`)
  return peer
}
