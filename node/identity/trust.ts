import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { parseCertificates } from './certificate-chain.ts'
import { pathOf, type Path } from './certificate-path.ts'
import { signingAuthorities, type Credentials } from './credentials.ts'
import type { Clock } from '../lib/clock.ts'
import { identityOf, type Identity } from './identity.ts'
import { keepNewest } from '../lib/keep-newest.ts'
import { usagesOf } from './path-rules.ts'
import { chainOfPeer } from './tls.ts'

/** How many intermediates are kept, some 5 KiB each: a site has one or two. */
const MAX_INTERMEDIATES = 64

/** For how many clients it is remembered that theirs are kept, some 100 bytes each. */
const MAX_LOOKED_AT = 16_384

/**
 * The credentials that a node uses now, and whether its authorities still vouch for those who are
 * connected. OpenSSL judges each handshake by the bundle of its moment; this judges again when an
 * authority is taken out, so that no connection outlives what let it in.
 */
export class Trust {
  readonly #clock: Pick<Clock, 'now'>
  #credentials: Credentials
  #authorities: readonly X509Certificate[]
  #signing: readonly X509Certificate[]
  /** The live connections of each certificate, by its fingerprint. */
  readonly #connected = new Map<string, Set<TLSSocket>>()
  readonly #abandoned = new Set<string>()
  /**
   * The intermediates that clients have shown, by their own fingerprints, newest last: whoever
   * resumes a session (RFC 8446, 2.2) shows none.
   */
  readonly #intermediates = new Map<string, X509Certificate>()
  /** The certificates whose intermediates have been looked at, by fingerprint, newest last. */
  readonly #lookedAt = new Map<string, true>()
  /** The certificates that end before all above them, by fingerprint, newest last. */
  readonly #endFirst = new Map<string, true>()

  constructor(credentials: Credentials, clock: Pick<Clock, 'now'>) {
    this.#clock = clock
    this.#credentials = credentials
    this.#authorities = authoritiesOf(credentials)
    this.#signing = signingAuthorities(credentials)
  }

  get credentials(): Credentials {
    return this.#credentials
  }

  /** The authorities that may stand behind a connection. */
  get trusted(): readonly X509Certificate[] {
    return this.#authorities
  }

  /** The authorities that may stand behind the signature of a change, former ones included. */
  get signing(): readonly X509Certificate[] {
    return this.#signing
  }

  /**
   * Take note of a connection that has been authenticated, until it closes.
   * @param judgedBy the credentials that the handshake began with
   * @returns who that is, until the first certificate on the way to an authority ends
   */
  hold(socket: TLSSocket, identity: Identity, judgedBy: Credentials): Identity {
    if (socket.destroyed) return identity
    const { fingerprint } = identity
    let sockets = this.#connected.get(fingerprint)
    if (sockets === undefined) this.#connected.set(fingerprint, (sockets = new Set()))
    sockets.add(socket)
    socket.once('close', () => {
      sockets.delete(socket)
      if (sockets.size > 0) return
      this.#connected.delete(fingerprint)
      this.#abandoned.delete(fingerprint)
    })
    this.#keepIntermediates(socket, fingerprint)
    // A handshake may have begun before an authority was taken out, and OpenSSL does not look at how
    // somebody without a URI spells the name of an issuing key.
    const isJudged = judgedBy === this.#credentials && identity.trustDomain !== undefined
    if (isJudged || this.#vouchesForAny([socket])) {
      this.#abandoned.delete(fingerprint)
    } else this.#abandoned.add(fingerprint)
    return this.#withinChain(socket, identity)
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
    this.#endFirst.clear()
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
      const [leaf, ...intermediates] = chainOfPeer(socket, this.#authorities)
      if (leaf === undefined) continue
      const known = [...intermediates, ...this.#intermediates.values()]
      if ('issuers' in this.#pathOf(leaf, known)) return true
    }
    return false
  }

  /** OpenSSL looks at the times of a chain once: whoever stays connected outlives an intermediate. */
  #withinChain(socket: TLSSocket, identity: Identity): Identity {
    const { fingerprint, notAfter, role } = identity
    if (this.#endFirst.has(fingerprint)) return identity
    const [leaf, ...shown] = chainOfPeer(socket, this.#authorities)
    if (leaf === undefined) return identity
    const intermediates = [...shown, ...this.#intermediates.values()]
    const path = pathOf(leaf, { intermediates, trusted: this.#authorities, usages: usagesOf(role) })
    // Of somebody who resumes a session the intermediates may be forgotten.
    if ('broken' in path) return identity
    if (path.notAfter < notAfter) return { ...identity, notAfter: path.notAfter }
    keepNewest(this.#endFirst, fingerprint, true, MAX_LOOKED_AT)
    return identity
  }

  #pathOf(leaf: X509Certificate, intermediates: readonly X509Certificate[]): Path {
    const usages = usagesOf(identityOf(leaf.raw).role)
    const trusted = this.#authorities
    return pathOf(leaf, { intermediates, trusted, usages, at: this.#clock.now() })
  }

  #keepIntermediates(socket: TLSSocket, fingerprint: string): void {
    if (this.#lookedAt.has(fingerprint) || socket.isSessionReused()) return
    keepNewest(this.#lookedAt, fingerprint, true, MAX_LOOKED_AT)
    const [leaf, ...shown] = chainOfPeer(socket, this.#authorities)
    if (leaf === undefined || shown.length === 0) return
    const path = this.#pathOf(leaf, shown)
    // What else a client may have sent along vouches for nobody.
    for (const one of 'issuers' in path ? path.issuers : []) {
      if (!shown.includes(one)) continue
      keepNewest(this.#intermediates, one.fingerprint256, one, MAX_INTERMEDIATES)
    }
  }
}

function authoritiesOf({ ca, files }: Credentials): X509Certificate[] {
  return parseCertificates(ca, files.caFile)
}
