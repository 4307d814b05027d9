import { X509Certificate } from 'node:crypto'
import {
  connect,
  type ConnectionOptions,
  type DetailedPeerCertificate,
  type PeerCertificate,
  type TLSSocket,
} from 'node:tls'
import { readAddress } from '../lib/address.ts'
import { isSelfSigned } from '../identity/certificate-chain.ts'
import { MAX_CHAIN } from '../identity/certificate-path.ts'
import type { Credentials } from '../identity/credentials.ts'
import { FridgeError } from '../lib/errors.ts'
import type { Dialed } from '../gossip/overlay.ts'
import { identityOf, type Identity } from '../identity/identity.ts'

/** The ALPN name of our own protocol (RFC 7301). Without ALPN a connection speaks the plain one. */
export const ALPN = 'fridge/1'

/** How long a dial may take, in milliseconds. */
const DIAL_MS = 10_000

/** What both ends of every connection present and demand. */
export function tlsOptions({
  key,
  certificate,
  ca,
}: Pick<Credentials, 'key' | 'certificate' | 'ca'>) {
  return { key, cert: certificate, ca, ALPNProtocols: [ALPN] }
}

/**
 * Who is at the other end.
 * @throws FridgeError `ERR_CERTIFICATE` when the certificate names nobody we know how to treat
 */
export function peerOf(socket: TLSSocket): Identity {
  // `getPeerX509Certificate` never gives its memory back, some 5 KiB a handshake (Node.js 24.20).
  const { raw } = socket.getPeerCertificate() as Partial<PeerCertificate>
  if (raw === undefined) throw new FridgeError('ERR_CERTIFICATE', 'it shows no certificate')
  return identityOf(raw)
}

/** The certificate of the other end and the intermediates that it showed, without the root. */
export function chainOfPeer(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = []
  let at: Partial<DetailedPeerCertificate> | undefined = socket.getPeerCertificate(true)
  while (at?.raw !== undefined && chain.length < MAX_CHAIN) {
    const certificate = new X509Certificate(at.raw)
    if (chain.length > 0 && isSelfSigned(certificate)) break
    chain.push(certificate)
    // That of a root is itself.
    at = at.issuerCertificate === at ? undefined : at.issuerCertificate
  }
  return chain
}

/**
 * Reach another node. It is known by its certificate, not by its address: host names are for
 * clients, and nodes move.
 * @throws FridgeError `ERR_UNREACHABLE`, `ERR_TLS`, `ERR_CERTIFICATE`
 */
export async function dialNode(
  address: string,
  credentials: Credentials,
  signal: AbortSignal,
  options: ConnectionOptions = {},
): Promise<Dialed & { readonly socket: TLSSocket }> {
  const target = readAddress(address)
  if (target === undefined) throw new FridgeError('ERR_UNREACHABLE', `${address} is no address`)
  const socket = connect({
    ...options,
    ...tlsOptions(credentials),
    ...target,
    checkServerIdentity: () => undefined,
  })
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(DIAL_MS)])
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => {
      const cause: unknown = deadline.reason
      socket.destroy()
      reject(new FridgeError('ERR_UNREACHABLE', `no answer from ${address}`, { cause }))
    }
    deadline.addEventListener('abort', abort, { once: true })
    socket.once('secureConnect', () => {
      deadline.removeEventListener('abort', abort)
      resolve()
    })
    socket.once('error', error => {
      deadline.removeEventListener('abort', abort)
      reject(error)
    })
  })
  try {
    const peer = peerOf(socket)
    if (socket.alpnProtocol !== ALPN)
      throw new FridgeError('ERR_TLS', `${address} does not speak ${ALPN}`)
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
