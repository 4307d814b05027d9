import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { parseCertificates, pathOf } from './certificate-chain.ts'
import { signingAuthorities, type Credentials } from './credentials.ts'
import type { Identity } from './identity.ts'
import { chainOfPeer } from './transport.ts'

/**
 * The credentials that a node uses now, and whether its authorities still vouch for those who are
 * connected. OpenSSL judges each handshake by the bundle of its moment; this judges again when an
 * authority is taken out, so that no connection outlives what let it in.
 */
export class Trust {
  #credentials: Credentials
  #authorities: readonly X509Certificate[]
  #signing: readonly X509Certificate[]
  /** The live connections of each certificate, by its fingerprint. */
  readonly #connected = new Map<string, Set<TLSSocket>>()
  readonly #abandoned = new Set<string>()

  constructor(credentials: Credentials) {
    this.#credentials = credentials
    this.#authorities = authoritiesOf(credentials)
    this.#signing = signingAuthorities(credentials)
  }

  get credentials(): Credentials {
    return this.#credentials
  }

  /** The authorities that may stand behind the signature of a change, former ones included. */
  get signing(): readonly X509Certificate[] {
    return this.#signing
  }

  /**
   * Take note of a connection that has been authenticated, until it closes.
   * @param judgedBy the credentials that the handshake began with
   */
  hold(socket: TLSSocket, { fingerprint }: Identity, judgedBy: Credentials): void {
    if (socket.destroyed) return
    let sockets = this.#connected.get(fingerprint)
    if (sockets === undefined) this.#connected.set(fingerprint, (sockets = new Set()))
    sockets.add(socket)
    socket.once('close', () => {
      sockets.delete(socket)
      if (sockets.size > 0) return
      this.#connected.delete(fingerprint)
      this.#abandoned.delete(fingerprint)
    })
    // A handshake may have begun before an authority was taken out.
    if (judgedBy === this.#credentials || this.#vouchesForAny([socket])) {
      this.#abandoned.delete(fingerprint)
    } else this.#abandoned.add(fingerprint)
  }

  /** Whether an authority of now vouches for somebody who is connected. */
  vouchesFor({ fingerprint }: Pick<Identity, 'fingerprint'>): boolean {
    return this.#connected.has(fingerprint) && !this.#abandoned.has(fingerprint)
  }

  /** Use other credentials from now on. @returns the authorities that are not trusted any more */
  replace(credentials: Credentials): X509Certificate[] {
    const before = this.#authorities
    this.#authorities = authoritiesOf(credentials)
    this.#signing = signingAuthorities(credentials)
    this.#credentials = credentials
    const removed = before.filter(one => !this.#authorities.some(({ raw }) => raw.equals(one.raw)))
    for (const [fingerprint, sockets] of this.#connected) {
      // With none removed everybody stays: a signature need not be checked for each.
      if (removed.length === 0 && !this.#abandoned.has(fingerprint)) continue
      if (this.#vouchesForAny(sockets)) this.#abandoned.delete(fingerprint)
      else this.#abandoned.add(fingerprint)
    }
    return removed
  }

  #vouchesForAny(sockets: Iterable<TLSSocket>): boolean {
    for (const socket of sockets) {
      const [leaf, ...intermediates] = chainOfPeer(socket)
      if (leaf === undefined) continue
      if ('issuers' in pathOf(leaf, intermediates, this.#authorities)) return true
    }
    return false
  }
}

function authoritiesOf({ ca, files }: Credentials): X509Certificate[] {
  return parseCertificates(ca, files.caFile)
}
