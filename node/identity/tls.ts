import { X509Certificate } from 'node:crypto'
import { isIP, type TcpSocketConnectOpts } from 'node:net'
import { connect, type ConnectionOptions, type PeerCertificate, type TLSSocket } from 'node:tls'
import { isIssuedBy, isSelfSigned } from './certificate-chain.ts'
import { COMMON_NAME, fieldsOf, valuesIn } from './certificate-fields.ts'
import { MAX_CHAIN } from './certificate-path.ts'
import type { Credentials } from './credentials.ts'
import { readElements, readOnly, TAG } from './der.ts'
import { FridgeError } from '../lib/errors.ts'
import { identityOf, type Identity } from './identity.ts'

/** The ALPN name of our own protocol (RFC 7301). Without ALPN a connection speaks the plain one. */
export const ALPN = 'fridge/1'

/** The ALPN name under which one node reads the sensors of another for pages (PROTOCOL.md, "Relays"). */
export const RELAY_ALPN = 'fridge-relay/1'

/**
 * How every connection is made. Each address of a name may take 2.5 s to answer before the next one
 * is tried. By itself Node.js waits for 250 ms, less than a far link takes there and back: then the
 * one address that lives would be given up for one that is dead. 2.5 s leave time for a lost packet.
 */
export const DIAL_OPTIONS: Pick<TcpSocketConnectOpts, 'autoSelectFamilyAttemptTimeout'> = {
  autoSelectFamilyAttemptTimeout: 2_500,
}

/** What both ends of every connection present and demand. */
export function tlsOptions({
  key,
  certificate,
  ca,
}: Pick<Credentials, 'key' | 'certificate' | 'ca'>) {
  return { key, cert: certificate, ca, ALPNProtocols: [ALPN] }
}

/** The tag of the certificate of the other end in a session, as OpenSSL encodes one. */
const PEER_OF_SESSION = 0xa3

/** What stands before the host of a session, with the length of that in two bytes behind it. */
const HOST_OF_SESSION = Buffer.from('\0nodejs:tls:session:1\0')

/**
 * `connect` of `node:tls`, but that the certificates of the other end are read here. By itself
 * Node.js makes an object of all that it shows, which ends the process where a name in one of them is
 * a string of no known kind (Node.js 24.20).
 */
export function connectTls(options: ConnectionOptions): TLSSocket {
  const socket = connect(options)
  const shown = (): Partial<PeerCertificate> => describePeer(socket)
  // Node.js asks for it when it compares the host.
  return Object.assign(socket, { getPeerCertificate: shown })
}

/** What `checkServerIdentity` looks at; of a certificate that cannot be read nothing, which it refuses. */
function describePeer(socket: TLSSocket): Partial<PeerCertificate> {
  try {
    const certificate = certificateOf(socket)
    if (certificate === undefined) return {}
    const { raw, subjectAltName } = certificate
    const [commonName = ''] = valuesIn(fieldsOf(certificate).subject, COMMON_NAME)
    const subject = { CN: commonName } as PeerCertificate['subject']
    return { raw, subject, ...(subjectAltName !== undefined && { subjectaltname: subjectAltName }) }
  } catch {
    return {}
  }
}

/**
 * Who is at the other end.
 * @throws FridgeError `ERR_CERTIFICATE` when the certificate names nobody we know how to treat
 */
export function peerOf(socket: TLSSocket): Identity {
  const raw = leafOf(socket)
  if (raw === undefined) throw new FridgeError('ERR_CERTIFICATE', 'it shows no certificate')
  return identityOf(raw)
}

/** The certificate that the other end has shown. */
export function certificateOf(socket: TLSSocket): X509Certificate | undefined {
  const raw = leafOf(socket)
  return raw && new X509Certificate(raw)
}

/**
 * Out of the session, as OpenSSL keeps it: `getPeerCertificate` can end the process (`connectTls`),
 * and `getPeerX509Certificate` never gives its memory back, some 4 KiB a handshake (Node.js 24.20).
 * That one is asked where a session is written in another way.
 */
function leafOf(socket: TLSSocket): Uint8Array | undefined {
  return leafInSession(socket.getSession()) ?? socket.getPeerX509Certificate()?.raw
}

function leafInSession(session: Buffer | null | undefined): Uint8Array | undefined {
  if (session === undefined || session === null) return undefined
  try {
    const parts = readElements(readOnly(withoutHost(session), TAG.sequence))
    return parts.find(({ tag }) => tag === PEER_OF_SESSION)?.content
  } catch {
    return undefined
  }
}

/** Before the session of a connection that was dialed Node.js says for which host it is. */
function withoutHost(session: Buffer): Buffer {
  if (!session.subarray(0, HOST_OF_SESSION.length).equals(HOST_OF_SESSION)) return session
  const begin = HOST_OF_SESSION.length + 2
  return session.subarray(begin + session.readUInt16BE(begin - 2))
}

/** Whether a certificate is for a host, as browsers judge it. */
export function certifiesHost(certificate: X509Certificate, host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  const named = isIP(bare) === 0 ? certificate.checkHost(bare) : certificate.checkIP(bare)
  return named !== undefined
}

/** What was shown on a connection that is still there: it does not change. */
const shownChains = new WeakMap<TLSSocket, readonly X509Certificate[]>()

/**
 * The certificate of the other end and the intermediates that it showed, without the root. Of
 * somebody who needs none, as one of these authorities has issued the certificate, and of somebody
 * who resumes a session, that one alone.
 */
export function chainOfPeer(
  socket: TLSSocket,
  authorities: readonly X509Certificate[],
): readonly X509Certificate[] {
  const known = shownChains.get(socket)
  if (known !== undefined) return known
  const leaf = certificateOf(socket)
  if (leaf === undefined) return []
  const isDirect = authorities.some(one => isSelfSigned(one) && isIssuedBy(leaf, one))
  if (isDirect || socket.isSessionReused()) return [leaf]
  const chain = [leaf]
  // This costs memory for good, and is asked once for a connection.
  let above = socket.getPeerX509Certificate()?.issuerCertificate
  while (above !== undefined && chain.length < MAX_CHAIN && !isSelfSigned(above)) {
    chain.push(above)
    above = above.issuerCertificate
  }
  shownChains.set(socket, chain)
  return chain
}
