import { nameOf, subjectOf } from '../identity/names.ts'
import { FridgeError } from '../lib/errors.ts'
import { RateLimit } from '../lib/rate-limit.ts'
import type { Rights } from '../sessions/admission.ts'
import type { BrowserParty, OriginParty } from '../sessions/party.ts'
import type { Service } from '../sessions/service.ts'
import type { Session } from '../sessions/session.ts'
import type { Sessions } from '../sessions/sessions.ts'
import {
  drawNonce,
  isSignedBy,
  parseInvited,
  parseSignIn,
  proofOf,
  type SignInProof,
} from '../sessions/sign-in.ts'
import type { Invitations } from '../sessions/invitations.ts'

/** How long a browser may take to sign, in milliseconds. */
const SIGN_IN_MS = 5_000

/** A page on which nobody has signed in yet. */
export interface SigningPage extends Session {
  readonly origin: OriginParty
  readonly ended: boolean
  /**
   * A browser has proven its key: whatever comes from now on is for it.
   * @param proof what it has signed, for nodes that are to believe it as well
   */
  identify(browser: BrowserParty, rights: Rights, proof: SignInProof): void
  /** Hold on to what waits for a browser to be let in here, in the place of what did before. */
  wait(waiting: Disposable): void
  /** Tell the page that its browser would be let in now. */
  tellListed(): void
}

export interface PageDoorOptions {
  readonly service: Pick<Service, 'node' | 'run' | 'clock' | 'lookout'>
  readonly sessions: Sessions
  readonly maxConnectionsPerClient: number
  /** Whether browsers reach this node, and no other, at a host. */
  readonly isOwnHost: (host: string) => boolean
  readonly invitations: Pick<Invitations, 'offer'>
}

/** How often one page may sign in: each time costs the check of a signature. */
const PACE = { perSecond: 1, burst: 5 }

/** Lets people sign in on pages that have joined, with the key that their browser keeps. */
export class PageDoor {
  readonly #options: PageDoorOptions
  readonly #nonces = new WeakMap<SigningPage, { readonly nonce: string; readonly until: number }>()
  readonly #paces = new WeakMap<SigningPage, RateLimit>()

  constructor(options: PageDoorOptions) {
    this.#options = options
  }

  /** Draw what the browser of a page is to sign. It counts once, and not for long. */
  challenge(session: SigningPage): string {
    const nonce = drawNonce()
    const until = this.#options.service.clock.monotonic() + SIGN_IN_MS
    this.#nonces.set(session, { nonce, until })
    return nonce
  }

  /**
   * Let the browser of a page in by its key.
   * @throws FridgeError `ERR_REFUSED`, `ERR_NOT_LISTED`, `ERR_EXPIRED` or `ERR_LIMIT`, in words for
   *   the person in front of it
   */
  enter(session: SigningPage, value: unknown): void {
    const { service, sessions, isOwnHost, maxConnectionsPerClient } = this.#options
    const { node, run, clock, lookout } = service
    const drawn = this.#nonces.get(session)
    this.#nonces.delete(session)
    this.#pace(session)
    if (session.identity !== session.origin) {
      throw new FridgeError('ERR_REFUSED', 'somebody has signed in on this page already')
    }
    const signIn = parseSignIn(value)
    if (signIn === undefined) throw new FridgeError('ERR_PROTOCOL', 'a sign-in is malformed')
    if (drawn === undefined || clock.monotonic() > drawn.until) {
      throw new FridgeError('ERR_REFUSED', 'it took too long to sign: try again')
    }
    const { name, at, keyId } = signIn
    const origin = nameOf(session.origin.subject)
    const text = { node, run, at, origin, name, key: keyId, nonce: drawn.nonce }
    if (!isSignedBy(signIn, text) || !isOwnHost(new URL(at).hostname)) {
      throw new FridgeError('ERR_REFUSED', 'the signature does not fit this page and this node')
    }
    lookout.check()
    if (session.ended) return
    const browser: BrowserParty = { role: 'client', subject: subjectOf('client', name), keyId }
    const judgement = sessions.admitBrowser(browser, session.origin)
    if ('refused' in judgement) {
      this.#await(session, browser)
      throw refusal(judgement.reason, name)
    }
    if (sessions.countOf(browser.subject) >= maxConnectionsPerClient) {
      throw new FridgeError('ERR_LIMIT', `${name} has too many connections`)
    }
    sessions.delete(session)
    session.identify(browser, judgement.rights, proofOf(signIn, drawn.nonce))
    sessions.add(session, judgement.until)
  }

  /**
   * Show the operator who has invited a browser what it brings, and wait until that has let it in.
   * @throws FridgeError `ERR_REFUSED` or `ERR_LIMIT`
   */
  async introduce(session: SigningPage, value: unknown): Promise<void> {
    this.#pace(session)
    const invited = parseInvited(value)
    if (invited === undefined) throw new FridgeError('ERR_PROTOCOL', 'an invitation is malformed')
    const { id, key, proof } = invited
    const origin = nameOf(session.origin.subject)
    return this.#options.invitations.offer(id, { origin, key, proof })
  }

  /** @throws FridgeError `ERR_LIMIT` */
  #pace(session: SigningPage): void {
    const { clock } = this.#options.service
    const pace = this.#paces.get(session) ?? new RateLimit({ ...PACE, clock })
    this.#paces.set(session, pace)
    if (!pace.allows('')) throw new FridgeError('ERR_LIMIT', 'too many attempts at once')
  }

  /** Who was refused may be let in a moment later: it has proven its key, so it hears of that. */
  #await(session: SigningPage, browser: BrowserParty): void {
    const { sessions } = this.#options
    const waiting = sessions.await(browser.subject, () => {
      if (!('refused' in sessions.admitBrowser(browser, session.origin))) session.tellListed()
    })
    session.wait(waiting)
  }
}

/** Names are nothing to find out here: who has another key hears the same as who was never let in. */
function refusal(reason: string, name: string): FridgeError {
  switch (reason) {
    case 'expired':
      return new FridgeError('ERR_EXPIRED', `the grant of ${name} has expired`)
    case 'wrong key':
    case 'revoked':
    case 'not on the whitelist':
      return new FridgeError('ERR_NOT_LISTED', `${name} is not let in with this key`)
    default:
      return new FridgeError('ERR_REFUSED', `nobody is let in here now: ${reason}`)
  }
}
