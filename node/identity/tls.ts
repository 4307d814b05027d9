import { X509Certificate } from 'node:crypto'
import { isIP, type TcpSocketConnectOpts } from 'node:net'
import type { DetailedPeerCertificate, PeerCertificate, TLSSocket } from 'node:tls'
import { isSelfSigned } from './certificate-chain.ts'
import { MAX_CHAIN } from './certificate-path.ts'
import type { Credentials } from './credentials.ts'
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

/** The certificate that the other end has shown. */
export function certificateOf(socket: TLSSocket): X509Certificate | undefined {
  const { raw } = socket.getPeerCertificate() as Partial<PeerCertificate>
  return raw && new X509Certificate(raw)
}

/** Whether a certificate is for a host, as browsers judge it. */
export function certifiesHost(certificate: X509Certificate, host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  const named = isIP(bare) === 0 ? certificate.checkHost(bare) : certificate.checkIP(bare)
  return named !== undefined
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
