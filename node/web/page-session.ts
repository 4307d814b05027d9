import type { Duplex } from 'node:stream'
import { answerFrame, eventFrame, sensorFrame } from '../events/page-frames.ts'
import type { EventStream, Subscriber } from '../events/subscriber.ts'
import { nameOf, type Origin } from '../identity/names.ts'
import { FridgeError } from '../lib/errors.ts'
import { COMMANDS } from '../sensors/commands.ts'
import { allows, type RefusalReason, type Rights } from '../sessions/admission.ts'
import type { BrowserParty, OriginParty, Party } from '../sessions/party.ts'
import type { SignInProof } from '../sessions/sign-in.ts'
import type { Audience, Relays } from '../relays/relays.ts'
import type { Service } from '../sessions/service.ts'
import { AlarmTeller } from '../sessions/alarm-teller.ts'
import { toldSensors } from '../sessions/told-sensors.ts'
import type { OpenViews } from '../sessions/views.ts'
import { explain } from '../sessions/session.ts'
import type { Ending } from '../wire/connection.ts'
import type { WireLimits } from '../wire/limits.ts'
import { Refusal } from '../wire/refusal.ts'
import { Outlet, type Parting } from './outlet.ts'
import { PageCalls } from './page-calls.ts'
import { PageRelays } from './page-relays.ts'
import type { PagePacket } from './packet.ts'
import { SealedCalls } from './sealed-calls.ts'
import type { PageDoor, SigningPage } from './page-door.ts'
import { reportOf } from './report.ts'

/** The version of what pages are told. */
const PAGE_PROTOCOL = 1

/** What a grant may name as a command. */
const CALLABLE = [...COMMANDS, 'acknowledge'] as const

export interface PageSessionOptions {
  readonly socket: Duplex
  /** Whether it is sent sensors as g-crypt encrypts them, where their channel allows. */
  readonly isOld: boolean
  readonly origin: OriginParty
  readonly rights: Rights
  readonly service: Service
  readonly limits: WireLimits
  /** What pages look at whose grants name it. */
  readonly openViews: OpenViews
  /** By which pages look at other nodes. */
  readonly relays: Relays
  /** Where somebody may sign in. */
  readonly door: PageDoor
  readonly onEnd: (session: PageSession, ending: Ending) => void
}

/** One live page: a stream of events for each sensor that it may read, and calls. */
export class PageSession implements SigningPage {
  readonly origin: OriginParty
  readonly #options: PageSessionOptions
  readonly #outlet: Outlet
  readonly #subscriber: Subscriber
  readonly #streams = new Map<string, PageStream>()
  #identity: Party
  #rights: Rights
  /** Made when the page calls, as `#calls`: most pages listen and never ask for anything. */
  #relayed: PageRelays | undefined
  /** What its browser has signed; undefined where nobody has signed in. */
  #browser: Audience['browser']
  #calls: PageCalls | undefined
  /** Once somebody has signed in. */
  #sealedCalls: SealedCalls | undefined
  #alarmTeller: AlarmTeller | undefined
  #onEnd: (() => void)[] = []
  #pending = 0
  #waiting: Disposable | undefined
  #ended = false

  constructor(options: PageSessionOptions) {
    const { socket, isOld, origin, rights, service, limits } = options
    this.origin = origin
    this.#options = options
    this.#identity = origin
    this.#rights = rights
    this.#outlet = new Outlet(socket, {
      limits,
      clock: service.clock,
      onTooSlow: () => this.#cutAsTooSlow(),
    })
    this.#subscriber = service.fanOut.join(this.#outlet, isOld ? 'old page' : 'page')
    const { node, run, version, clock } = service
    const hello = { protocol: PAGE_PROTOCOL, node, run, version, time: clock.now() }
    this.#outlet.writeShared(eventFrame('hello', hello))
    this.#tellRights()
    this.#openStreams()
    if (service.alarms.hasRules) this.#openAlarms()
  }

  get identity(): Party {
    return this.#identity
  }

  get ended(): boolean {
    return this.#ended
  }

  /** A browser has proven its key: whatever comes from now on is for it. */
  identify(browser: BrowserParty, rights: Rights, proof: SignInProof): void {
    const { service } = this.#options
    const call = async (values: readonly unknown[]): Promise<unknown> =>
      this.#openCalls().call(values)
    this.#identity = browser
    this.#browser = { keyId: browser.keyId, proof }
    this.#sealedCalls = new SealedCalls({ service, nonce: proof.nonce, call, reportOf })
    // What it watches it watches as somebody else.
    this.#relayed?.[Symbol.dispose]()
    this.#waiting?.[Symbol.dispose]()
    this.#calls = undefined
    this.narrow(rights)
  }

  wait(waiting: Disposable): void {
    this.#waiting?.[Symbol.dispose]()
    this.#waiting = waiting
  }

  tellListed(): void {
    this.#say('listed')
  }

  cut(reason: RefusalReason, party: Party): void {
    const bye = { reason, text: explain(reason, party) }
    this.#end({ cause: 'closed' }, { bye, isFinal: true })
  }

  narrow(rights: Rights): void {
    this.#rights = rights
    for (const [sensor, stream] of this.#streams) {
      if (allows(rights.sensors, sensor)) continue
      this.#streams.delete(sensor)
      stream.close()
    }
    this.#tellRights()
    this.#openStreams()
    this.#alarmTeller?.tellStanding()
    this.#relayed?.review()
  }

  leave(): void {
    const bye = { reason: 'leaving', text: 'the node is stopping' }
    this.#end({ cause: 'closed' }, { bye, isFinal: false })
  }

  /** Take what the page has emitted. */
  receive({ event, values, id }: Extract<PagePacket, { kind: 'event' }>): void {
    if (this.#ended) return
    // An event that waits for no answer asks for nothing.
    if (id === undefined) return this.refuse(new Refusal('page', `${event} without an answer`))
    const { maxPendingCalls } = this.#options.limits
    if (this.#pending >= maxPendingCalls) {
      const message = `more than ${maxPendingCalls} calls at once`
      return this.#answer(id, { error: { code: 'ERR_LIMIT', message } })
    }
    this.#pending += 1
    void this.#run(event, values)
      .then(
        value => this.#answer(id, { value }),
        (error: unknown) => this.#answer(id, { error: reportOf(error) }),
      )
      .finally(() => {
        this.#pending -= 1
      })
  }

  /** End it because of what the page sent. */
  refuse(refusal: Refusal): void {
    this.#end({ cause: 'refused', refusal })
  }

  /** The connection is over. @param isDead whether the page has said nothing for too long */
  lost(isDead: boolean): void {
    this.#end({ cause: isDead ? 'dead' : 'lost' })
  }

  #openCalls(): PageCalls {
    const { service, limits, openViews } = this.#options
    return (this.#calls ??= new PageCalls({
      service,
      subject: this.#identity.subject,
      openViews,
      relayed: this.#openRelayed().methods,
      clock: service.clock,
      maxPending: limits.maxPendingCalls,
      rights: () => this.#rights,
      hasEnded: () => this.#ended,
    }))
  }

  #openRelayed(): PageRelays {
    return (this.#relayed ??= new PageRelays({
      relays: this.#options.relays,
      carrier: this.#outlet,
      audience: () => this.#audience(),
      mayRead: sensor => allows(this.#rights.sensors, sensor),
    }))
  }

  async #run(event: string, values: readonly unknown[]): Promise<unknown> {
    const { door } = this.#options
    switch (event) {
      case 'nonce':
        return door.challenge(this)
      case 'sign-in':
        return door.enter(this, values[0])
      case 'sealed':
        if (this.#sealedCalls !== undefined) return this.#sealedCalls.run(values)
        throw new FridgeError('ERR_REFUSED', 'nobody has signed in on this page')
      case 'invited':
        return door.introduce(this, values[0])
      default:
        return this.#openCalls().call(values)
    }
  }

  #audience(): Audience | undefined {
    // Which nodes there are is nothing for a page to find out on which nobody may read anything.
    if (this.#rights.sensors?.size === 0) return undefined
    return { origin: nameOf(this.origin.subject) as string as Origin, browser: this.#browser }
  }

  #tellRights(): void {
    const { commands, views } = this.#rights
    this.#say('rights', {
      subject: this.#identity.subject,
      sensors: toldSensors(this.#options.service, this.#rights),
      commands: CALLABLE.filter(name => allows(commands, name)),
      // Nobody is without a grant who has signed in.
      views: Array.from(views ?? []),
    })
  }

  #openStreams(): void {
    const { service } = this.#options
    for (const { name } of service.sensors) {
      if (this.#streams.has(name) || !allows(this.#rights.sensors, name)) continue
      const stream = new PageStream(name, this.#outlet)
      this.#streams.set(name, stream)
      service.fanOut.serve(this.#subscriber, name, stream)
    }
  }

  #openAlarms(): void {
    const place = {
      tell: (event: string, value: unknown) => this.#say('alarms', event, value),
      onClose: (listener: () => void) => void this.#onEnd.push(listener),
    }
    const { alarms } = this.#options.service
    this.#alarmTeller = new AlarmTeller(alarms, place, sensor =>
      allows(this.#rights.sensors, sensor),
    )
  }

  #say(event: string, ...values: unknown[]): void {
    this.#outlet.writeShared(eventFrame(event, ...values))
  }

  #answer(id: number, answer: object): void {
    this.#outlet.writeShared(answerFrame(id, answer))
  }

  #cutAsTooSlow(): void {
    const bye = { reason: 'too slow', text: 'it does not read what it is sent' }
    this.#end({ cause: 'too slow' }, { bye, isFinal: false })
  }

  /** @param parting what the page is told, if it is still there to hear it */
  #end(ending: Ending, parting?: Parting): void {
    if (this.#ended) return
    this.#ended = true
    this.#waiting?.[Symbol.dispose]()
    this.#relayed?.[Symbol.dispose]()
    for (const listener of this.#onEnd.splice(0)) listener()
    for (const stream of this.#streams.values()) stream.close()
    this.#streams.clear()
    if (parting === undefined) this.#outlet.destroy()
    else this.#outlet.close(parting)
    this.#options.onEnd(this, ending)
  }
}

/** Where the events of one sensor go on a page. */
class PageStream implements EventStream {
  /** The name of its sensor: equal for all pages, so that all are sent the same bytes. */
  readonly id: string
  readonly #outlet: Outlet
  readonly #listeners: (() => void)[] = []

  constructor(sensor: string, outlet: Outlet) {
    this.id = sensor
    this.#outlet = outlet
  }

  writeEncoded(json: string): void {
    this.#outlet.writeShared(sensorFrame(this.id, json))
  }

  onClose(listener: () => void): void {
    this.#listeners.push(listener)
  }

  close(): void {
    for (const listener of this.#listeners.splice(0)) listener()
  }
}
