import type { X509Certificate } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { Identity } from '../identity/identity.ts'
import { originSubject, subjectOf, type Source } from '../identity/names.ts'
import { certifiesHost } from '../identity/tls.ts'
import { at } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import type { RefusalReason, Rights } from '../sessions/admission.ts'
import type { BrowserParty, OriginParty, Party } from '../sessions/party.ts'
import type { Service } from '../sessions/service.ts'
import { explain } from '../sessions/session.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { isSignedBy } from '../sessions/sign-in.ts'
import { Channel } from '../wire/channel.ts'
import type { Ending } from '../wire/connection.ts'
import { CLIENT_HEARTBEAT, type Hello } from '../wire/control.ts'
import { attachEmitter, encodeEvent } from '../wire/emitter.ts'
import type { MuxStream } from '../wire/mux.ts'
import { Refusal } from '../wire/refusal.ts'
import { AudienceSession } from './audience-session.ts'
import {
  ASKING_LIMITS,
  parseAsk,
  parseAskingHello,
  parseAudienceStream,
  type CheckedAsk,
} from './relay-frames.ts'

/** Another node that has dialed this one to read for its pages. */
export interface AskingNode {
  readonly socket: Duplex
  readonly peer: Identity
  /** The certificate that it has shown. */
  readonly certificate: X509Certificate
}

export interface ServedRelayOptions {
  readonly service: Service
  readonly sessions: Pick<Sessions, 'admitPage' | 'admitBrowser' | 'countOf' | 'add' | 'delete'>
  /** Whether a run of a node can be reached, as far as this node knows. */
  readonly isLive: (run: Source) => boolean
  readonly maxConnectionsPerClient: number
  /** Hears for whom pages of another node may not read here. */
  readonly onRefused: (audience: object, reason: string) => void
  readonly onEnd: (relay: ServedRelay, ending: Ending) => void
}

/** What an audience is let in with, or why it is not. */
type Verdict =
  | { readonly rights: Rights; readonly until: number }
  | { readonly reason: string; readonly text: string }

const ASKED: ReadonlySet<string> = new Set(['ask'])

/** The connection of another node, on which its pages read here. */
export class ServedRelay {
  readonly peer: Identity
  readonly #options: ServedRelayOptions
  readonly #certificate: X509Certificate
  readonly #channel: Channel
  readonly #sessions = new Map<number, AudienceSession>()
  readonly #expiry: Disposable
  #run: Source | undefined
  #lastNumber = 0

  constructor({ socket, peer, certificate }: AskingNode, options: ServedRelayOptions) {
    const { node, run, version, clock } = options.service
    this.peer = peer
    this.#options = options
    this.#certificate = certificate
    this.#expiry = at(clock, peer.notAfter, () =>
      this.close('certificate expired', `the certificate of ${peer.subject} has expired`),
    )
    this.#channel = new Channel(socket, {
      limits: ASKING_LIMITS,
      clock,
      control: {
        opens: true,
        ...CLIENT_HEARTBEAT,
        hello: { node, run, version, time: clock.now() },
        onHello: hello => this.#greet(hello),
      },
      rpc: {
        methods: () => new Map([['history', async values => this.#history(values)]]),
        reopens: false,
      },
      onStream: stream => this.#take(stream),
      onEnd: ending => this.#end(ending),
    })
  }

  /** How many audiences read over it. */
  get audiences(): number {
    return this.#sessions.size
  }

  close(reason: string, text: string): void {
    this.#channel.close({ reason, text })
  }

  /** @returns why the first words of the relaying node are refused */
  #greet(hello: Hello): string | undefined {
    const said = parseAskingHello(hello, this.peer.name)
    if (typeof said === 'string') return said
    if (!this.#options.isLive(said.run)) {
      // A sign-in of an earlier run is not to be shown again.
      this.close('not ready', `this run of ${this.peer.name} is not known here`)
    } else this.#run = said.run
    return undefined
  }

  #take(stream: MuxStream): boolean {
    const number = parseAudienceStream(stream.meta)
    if (number === undefined || number <= this.#lastNumber || this.#run === undefined) return false
    this.#lastNumber = number
    const run = this.#run
    let asked = false
    const emitter = attachEmitter(stream, {
      limits: ASKING_LIMITS,
      accepts: ASKED,
      onRefused: refusal => this.#channel.refuse(refusal),
    })
    emitter.on('ask', (...values) => {
      const ask = asked ? 'an audience is asked for twice' : parseAsk(values)
      asked = true
      if (typeof ask === 'string') this.#refuse(ask)
      else this.#answer(ask, run, number, stream)
    })
    return true
  }

  #answer(ask: CheckedAsk, run: Source, number: number, stream: MuxStream): void {
    const { service, sessions } = this.#options
    const subject = originSubject(ask.origin)
    const { hostname } = new URL(ask.origin)
    const isOwn = certifiesHost(this.#certificate, hostname)
    const origin: OriginParty = { role: 'origin', subject, isOwn }
    const browser = this.#browserOf(ask, run)
    if (browser === 'forged') return this.#refuse('an ask with a sign-in that nobody has signed')
    service.lookout.check()
    if (this.#channel.ended) return
    const verdict = this.#judge(origin, browser)
    if ('reason' in verdict) {
      const { reason, text } = verdict
      this.#options.onRefused({ peer: this.peer.name, origin: subject, ...browser }, reason)
      stream.write(encodeEvent('bye', reason, text))
      stream.end()
      return stream.destroy()
    }
    const session = new AudienceSession({
      channel: this.#channel,
      stream,
      number,
      origin,
      browser,
      rights: verdict.rights,
      service,
      onEnd: ended => {
        sessions.delete(ended)
        this.#sessions.delete(number)
      },
    })
    this.#sessions.set(number, session)
    sessions.add(session, verdict.until)
  }

  /** Whom a browser says it is, by what it has signed for the relaying node and its run. */
  #browserOf({ origin, signIn }: CheckedAsk, run: Source): BrowserParty | 'forged' | undefined {
    if (signIn === undefined) return undefined
    const { name, at: dialed, keyId, nonce } = signIn
    const text = { node: this.peer.name, run, at: dialed, origin, name, key: keyId, nonce }
    if (!isSignedBy(signIn, text)) return 'forged'
    return { role: 'client', subject: subjectOf('client', name), keyId }
  }

  #judge(origin: OriginParty, browser: BrowserParty | undefined): Verdict {
    const { sessions, maxConnectionsPerClient } = this.#options
    if (browser === undefined) {
      const admission = sessions.admitPage(origin)
      return admission.admitted ? admission : refusal(admission.reason, origin)
    }
    const judgement = sessions.admitBrowser(browser, origin)
    if ('refused' in judgement) return refusal(judgement.reason, judgement.refused)
    if (sessions.countOf(browser.subject) < maxConnectionsPerClient) return judgement
    const text = `${browser.subject} has too many connections`
    return { reason: 'too many connections', text }
  }

  async #history([number, request, ...more]: readonly unknown[]): Promise<unknown> {
    const session = typeof number === 'number' ? this.#sessions.get(number) : undefined
    if (session === undefined || more.length > 0) {
      throw new FridgeError('ERR_REFUSED', 'nobody of that number reads here')
    }
    return session.history(request)
  }

  #refuse(reason: string): void {
    this.#channel.refuse(new Refusal('relay', reason))
  }

  #end(ending: Ending): void {
    this.#expiry[Symbol.dispose]()
    for (const session of Array.from(this.#sessions.values())) session.leave()
    this.#options.onEnd(this, ending)
  }
}

function refusal(reason: RefusalReason, party: Party): Verdict {
  return { reason, text: explain(reason, party) }
}
