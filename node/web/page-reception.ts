import { isOrigin, originSubject, roleOf } from '../identity/names.ts'
import { GatheredLog } from '../lib/gathered-log.ts'
import type { Log } from '../lib/log.ts'
import { networkOf } from '../lib/rate-limit.ts'
import type { Counts, PageNotAdmitted } from '../sessions/counts.ts'
import type { Relays } from '../relays/relays.ts'
import type { OriginParty } from '../sessions/party.ts'
import type { Service } from '../sessions/service.ts'
import { explain } from '../sessions/session.ts'
import type { OpenViews } from '../sessions/views.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Ending } from '../wire/connection.ts'
import type { WireLimits } from '../wire/limits.ts'
import type { PageDoor } from './page-door.ts'
import { PageSession } from './page-session.ts'
import type { PageListener, PageRefusal, PageVisit } from './socket-io.ts'

export interface PageReceptionOptions {
  readonly service: Service
  readonly sessions: Sessions
  readonly counts: Pick<Counts, 'web' | 'cut'>
  readonly limits: WireLimits
  readonly maxPagesPerAddress: number
  /** The origins of the page that this node serves itself. */
  readonly ownOrigins: () => ReadonlySet<string>
  /** What pages look at whose grants name it. */
  readonly openViews: OpenViews
  /** By which pages look at other nodes. */
  readonly relays: Relays
  /** Where people sign in on the pages that have joined. */
  readonly door: PageDoor
  /** Resolves when the list is as fresh as it can be had: nobody is admitted before. */
  readonly gate: Promise<void>
  readonly log: Log
}

/**
 * Decides which pages may join. What a browser says of their origin protects the person in front of
 * it from pages of others; a program can say what it likes, and gets what everybody may have.
 */
export class PageReception implements Disposable {
  readonly #options: PageReceptionOptions
  readonly #log: GatheredLog
  readonly #sessions = new Set<PageSession>()
  /** How many pages are live, by origin and address. */
  readonly #live = new Map<string, number>()
  #isLeaving = false

  constructor(options: PageReceptionOptions) {
    this.#options = options
    this.#log = new GatheredLog(options.log, options.service.clock)
  }

  /** Let a page join, or say why it may not. */
  async receive(visit: PageVisit): Promise<PageListener | PageRefusal> {
    const { gate, service } = this.#options
    await gate
    // Before anybody is admitted: the node may have slept since its last look.
    service.lookout.check()
    const outcome = this.#admit(visit)
    if (outcome instanceof PageSession) return outcome
    const { reason, text } = outcome
    this.#options.counts.web.refused[reason] += 1
    const fields = { origin: visit.origin?.slice(0, MAX_ORIGIN), address: visit.address, reason }
    this.#log.info(fields, 'a page was refused')
    return { reason, text }
  }

  /** Let no page join any more, and tell all that have that the node stops. */
  takeLeave(): void {
    this.#isLeaving = true
    for (const session of Array.from(this.#sessions)) session.leave()
  }

  [Symbol.dispose](): void {
    this.#log[Symbol.dispose]()
  }

  #admit({ origin, address, socket, isOld }: PageVisit): PageSession | Refused {
    const { sessions, service, limits, openViews, relays, door, counts } = this.#options
    if (origin === undefined) {
      return { reason: 'no origin', text: 'only pages of browsers may join: there was no Origin' }
    }
    const party = this.#partyOf(origin)
    if (party === undefined) {
      const text = 'only pages that came over HTTPS from a host of their own may join'
      return { reason: 'not on the whitelist', text }
    }
    if (this.#isLeaving) return { reason: 'not ready', text: 'the node is stopping' }
    const admission = sessions.admitPage(party)
    if (!admission.admitted) {
      return { reason: admission.reason, text: explain(admission.reason, party) }
    }
    const place = `${origin} ${networkOf(address)}`
    if ((this.#live.get(place) ?? 0) >= this.#options.maxPagesPerAddress) {
      const text = `there are too many pages of ${origin} from one address`
      return { reason: 'too many pages', text }
    }
    const session = new PageSession({
      socket,
      isOld,
      origin: party,
      rights: admission.rights,
      service,
      limits,
      openViews,
      relays,
      door,
      onEnd: (ended, ending) => this.#ended(ended, ending, place),
    })
    this.#live.set(place, (this.#live.get(place) ?? 0) + 1)
    this.#sessions.add(session)
    sessions.add(session, admission.until)
    counts.web.accepted[party.isOwn ? 'own' : 'listed'] += 1
    this.#log.info({ origin, address }, 'a page has joined')
    return session
  }

  #partyOf(origin: string): OriginParty | undefined {
    if (!isOrigin(origin)) return undefined
    const isOwn = this.#options.ownOrigins().has(origin)
    return { role: 'origin', subject: originSubject(origin), isOwn }
  }

  #ended(session: PageSession, ending: Ending, place: string): void {
    const { sessions, counts } = this.#options
    sessions.delete(session)
    this.#sessions.delete(session)
    const left = (this.#live.get(place) ?? 1) - 1
    if (left === 0) this.#live.delete(place)
    else this.#live.set(place, left)
    const origin = session.origin.subject
    const { subject } = session.identity
    const who = roleOf(subject) === 'origin' ? { origin } : { origin, subject }
    if (ending.cause === 'refused') {
      counts.cut['broke the protocol'] += 1
      this.#log.warn({ ...who, reason: ending.refusal.toString() }, 'cut: it broke the protocol')
    } else if (ending.cause === 'too slow' || ending.cause === 'dead') {
      counts.cut[ending.cause] += 1
      this.#log.warn(who, `cut: ${ending.cause}`)
    } else this.#log.info({ ...who, cause: ending.cause }, 'a page has left')
  }
}

/** What of an origin that is none goes into the log, in characters. */
const MAX_ORIGIN = 200

interface Refused {
  readonly reason: PageNotAdmitted
  readonly text: string
}
