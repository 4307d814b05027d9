import { ALARM_STREAM } from '../alarms/alarm-stream.ts'
import type { Subscriber } from '../events/subscriber.ts'
import { FridgeError } from '../lib/errors.ts'
import { allows, type RefusalReason, type Rights } from '../sessions/admission.ts'
import { AlarmTeller } from '../sessions/alarm-teller.ts'
import type { BrowserParty, OriginParty, Party } from '../sessions/party.ts'
import { ServedCalls } from '../sessions/served-calls.ts'
import type { Service } from '../sessions/service.ts'
import { explain, type Session } from '../sessions/session.ts'
import { toldSensors } from '../sessions/told-sensors.ts'
import type { Channel } from '../wire/channel.ts'
import { encodeEvent } from '../wire/emitter.ts'
import type { MuxStream } from '../wire/mux.ts'
import { Refusal } from '../wire/refusal.ts'
import { ASKING_LIMITS, partStream } from './relay-frames.ts'

export interface AudienceSessionOptions {
  /** The connection of the relaying node. */
  readonly channel: Channel
  /** The stream on which it has asked. */
  readonly stream: MuxStream
  readonly number: number
  readonly origin: OriginParty
  /** Undefined where nobody has signed in. */
  readonly browser: BrowserParty | undefined
  readonly rights: Rights
  readonly service: Service
  readonly onEnd: (session: AudienceSession) => void
}

/**
 * Pages of another node that read here: held to the list of this node as a page of its own is, and
 * never more than that.
 */
export class AudienceSession implements Session {
  readonly identity: Party
  readonly origin: OriginParty
  readonly #options: AudienceSessionOptions
  readonly #subscriber: Subscriber
  readonly #streams = new Map<string, MuxStream>()
  readonly #calls: ServedCalls
  #rights: Rights
  #alarmTeller: AlarmTeller | undefined
  #alarmStream: MuxStream | undefined
  #ended = false

  constructor(options: AudienceSessionOptions) {
    const { channel, stream, origin, browser, rights, service } = options
    this.identity = browser ?? origin
    this.origin = origin
    this.#options = options
    this.#rights = rights
    this.#calls = new ServedCalls({
      service,
      subject: this.identity.subject,
      isPlain: false,
      maxPending: ASKING_LIMITS.maxPendingCalls,
      rights: () => this.#rights,
      hasEnded: () => this.#ended,
    })
    this.#subscriber = service.fanOut.join(channel, 'fridge/1')
    stream.onClose(() => this.#end())
    this.#tellRights()
    this.#openStreams()
    if (this.#calls.hasAlarms) this.#openAlarms()
  }

  cut(reason: RefusalReason, party: Party): void {
    this.#leave(reason, explain(reason, party))
  }

  narrow(rights: Rights): void {
    this.#rights = rights
    for (const [sensor, stream] of this.#streams) {
      if (allows(rights.sensors, sensor)) continue
      this.#streams.delete(sensor)
      close(stream)
    }
    this.#tellRights()
    this.#openStreams()
    this.#alarmTeller?.tellStanding()
  }

  leave(): void {
    this.#leave('leaving', 'the node is stopping')
  }

  /** A page of a history, as far as the rights go. @throws FridgeError */
  async history(request: unknown): Promise<unknown> {
    const method = this.#calls.methods.get('history')
    if (method === undefined) throw new FridgeError('ERR_COMMAND', 'there is no history here')
    return method([request], () => {}, new AbortController().signal)
  }

  #leave(reason: string, text: string): void {
    if (this.#ended) return
    this.#say('bye', reason, text)
    close(this.#options.stream)
    this.#end()
  }

  #tellRights(): void {
    this.#say('rights', { sensors: toldSensors(this.#options.service, this.#rights) })
  }

  #openStreams(): void {
    const { service } = this.#options
    for (const { name } of service.sensors) {
      if (this.#streams.has(name) || !allows(this.#rights.sensors, name)) continue
      const stream = this.#open(name)
      this.#streams.set(name, stream)
      service.fanOut.serve(this.#subscriber, name, stream)
    }
  }

  #openAlarms(): void {
    const stream = this.#open(ALARM_STREAM)
    this.#alarmStream = stream
    const place = {
      tell: (event: string, value: unknown) => stream.write(encodeEvent(event, value)),
      onClose: (listener: () => void) => stream.onClose(listener),
    }
    this.#alarmTeller = new AlarmTeller(this.#options.service.alarms, place, sensor =>
      allows(this.#rights.sensors, sensor),
    )
  }

  #open(part: string): MuxStream {
    const { channel, number } = this.#options
    const stream = channel.open(partStream(number, part))
    stream.onText(() =>
      channel.refuse(
        new Refusal('relay', 'a relaying node emits nothing on the stream of a sensor'),
      ),
    )
    return stream
  }

  #say(event: string, ...values: unknown[]): void {
    this.#options.stream.write(encodeEvent(event, ...values))
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    for (const stream of this.#streams.values()) close(stream)
    this.#streams.clear()
    if (this.#alarmStream !== undefined) close(this.#alarmStream)
    this.#alarmTeller = undefined
    this.#options.onEnd(this)
  }
}

/** Close a stream behind what was written on it. */
function close(stream: MuxStream): void {
  stream.end()
  stream.destroy()
}
