import { hash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { ALARM_STREAM } from '../alarms/alarm-stream.ts'
import type { Alarms } from '../alarms/alarms.ts'
import { AlarmTeller } from './alarm-teller.ts'
import { allows, type RefusalReason, type Rights } from './admission.ts'
import { parseClientHello } from './client-hello.ts'
import { COMMANDS } from '../sensors/commands.ts'
import { PLAIN_SENSORS } from '../sensors/kinds.ts'
import type { Dialect } from '../events/dialect.ts'
import type { Subscriber } from '../events/subscriber.ts'
import type { Identity } from '../identity/identity.ts'
import { ServedCalls } from './served-calls.ts'
import type { Service } from './service.ts'
import { toldSensors } from './told-sensors.ts'
import { explain, type Session } from './session.ts'
import { Channel } from '../wire/channel.ts'
import type { Ending } from '../wire/connection.ts'
import { CLIENT_HEARTBEAT, type Hello } from '../wire/control.ts'
import { encodeEvent } from '../wire/emitter.ts'
import type { WireLimits } from '../wire/limits.ts'
import type { MuxStream } from '../wire/mux.ts'
import { Refusal } from '../wire/refusal.ts'

export interface ClientSessionOptions {
  readonly socket: Duplex
  readonly identity: Identity
  readonly dialect: Dialect
  readonly rights: Rights
  readonly service: Service
  readonly limits: WireLimits
  readonly onThrottled: (session: ClientSession) => void
  readonly onEnd: (session: ClientSession, ending: Ending) => void
}

/** One client's connection: a stream a sensor, opened here, and `rpc`, opened by the client. */
export class ClientSession implements Session {
  readonly identity: Identity
  readonly #channel: Channel
  readonly #options: ClientSessionOptions
  readonly #subscriber: Subscriber
  readonly #streams = new Map<string, MuxStream>()
  /** How far the client had heard this run before, by sensor, until it has been answered. */
  #resume = new Map<string, number>()
  #rights: Rights
  #knowsSealed = false
  /** Sensors whose streams the client has closed. */
  readonly #declined = new Set<string>()
  #alarmTeller: AlarmTeller | undefined
  readonly #calls: ServedCalls

  constructor(options: ClientSessionOptions) {
    this.identity = options.identity
    this.#options = options
    this.#rights = options.rights
    const { service, limits, dialect } = options
    this.#calls = new ServedCalls({
      service,
      subject: this.identity.subject,
      // The plain protocol stays as it is.
      isPlain: dialect === 'plain',
      maxPending: limits.maxPendingCalls,
      rights: () => this.#rights,
      hasEnded: () => this.#channel.ended,
    })
    this.#channel = new Channel(options.socket, {
      limits,
      clock: service.clock,
      control:
        dialect === 'plain'
          ? undefined
          : {
              opens: true,
              ...CLIENT_HEARTBEAT,
              hello: helloOf(service, limits),
              onHello: hello => this.#greet(hello),
            },
      rpc: { methods: () => this.#calls.methods, reopens: true },
      byeToSlow: { reason: 'too slow', text: 'it does not read what it is sent' },
      onThrottled: () => options.onThrottled(this),
      onEnd: ending => options.onEnd(this, ending),
    })
    this.#subscriber = service.fanOut.join(this.#channel, dialect)
    this.#openStreams()
    if (this.#calls.hasAlarms) this.#openAlarms(service.alarms)
  }

  cut(reason: RefusalReason): void {
    this.#channel.close({ reason, text: explain(reason, this.identity) })
  }

  narrow(rights: Rights): void {
    this.#rights = rights
    for (const [sensor, stream] of this.#streams) {
      if (allows(rights.sensors, sensor)) continue
      this.#streams.delete(sensor)
      stream.end()
      stream.destroy()
    }
    this.#openStreams()
    this.#alarmTeller?.tellStanding()
  }

  leave(): void {
    this.#channel.close({ reason: 'leaving', text: 'the node is stopping' })
  }

  #openStreams(): void {
    const { dialect, service } = this.#options
    const names = dialect === 'plain' ? PLAIN_SENSORS : service.sensors.map(({ name }) => name)
    for (const name of names) {
      if (this.#streams.has(name) || this.#declined.has(name)) continue
      if (!this.#mayBeTold(name)) continue
      if (allows(this.#rights.sensors, name)) this.#openStream(name)
    }
  }

  /** An event that a client does not know would end its connection; the plain protocol has none. */
  #mayBeTold(sensor: string): boolean {
    const { dialect, service } = this.#options
    if (dialect === 'plain' || this.#knowsSealed) return true
    return service.seals.infoOf(sensor) === undefined
  }

  #openStream(sensor: string): void {
    const { service } = this.#options
    const stream = this.#channel.open(sensor, streamIdOf(sensor))
    this.#streams.set(sensor, stream)
    stream.onClose(() => {
      // A client that has closed it itself does not want it, whatever its grant becomes.
      if (this.#streams.delete(sensor)) this.#declined.add(sensor)
    })
    stream.onText(() =>
      this.#channel.refuse(
        new Refusal('emitter', 'a client emits nothing on the stream of a sensor'),
      ),
    )
    if (service.sensors.some(({ name }) => name === sensor)) {
      service.fanOut.serve(this.#subscriber, sensor, stream)
      this.#resumeStream(stream, sensor)
      return
    }
    // Only the plain protocol has a stream for a sensor that the node lacks.
    stream.write(encodeEvent('unavailable', `this node has no sensor ${sensor}`))
  }

  #openAlarms(alarms: Alarms): void {
    const stream = this.#channel.open(ALARM_STREAM, streamIdOf(ALARM_STREAM))
    stream.onText(() =>
      this.#channel.refuse(
        new Refusal('emitter', 'a client emits nothing on the stream of alarms'),
      ),
    )
    stream.onClose(() => {
      this.#alarmTeller = undefined
    })
    const place = {
      tell: (event: string, value: unknown) => stream.write(encodeEvent(event, value)),
      onClose: (listener: () => void) => stream.onClose(listener),
    }
    this.#alarmTeller = new AlarmTeller(alarms, place, sensor =>
      allows(this.#rights.sensors, sensor),
    )
  }

  /** @returns why the client's first words are refused */
  #greet(fields: Hello): string | undefined {
    const { service } = this.#options
    const hello = parseClientHello(fields)
    if (typeof hello === 'string') return hello
    const { resume, knowsSealed } = hello
    this.#knowsSealed = knowsSealed
    if (resume?.run === service.run) this.#resume = new Map(resume.sensors)
    for (const [sensor, stream] of this.#streams) this.#resumeStream(stream, sensor)
    if (knowsSealed) this.#openStreams()
    return undefined
  }

  /** Answer each sensor that the client has named once: now, or when its stream is opened. */
  #resumeStream(stream: MuxStream, sensor: string): void {
    const sequence = this.#resume.get(sensor)
    if (sequence === undefined) return
    this.#resume.delete(sensor)
    this.#options.service.fanOut.resume(this.#subscriber, sensor, stream, sequence)
  }
}

/** The label of a sensor's stream: the same for every client, so that all are sent the same bytes. */
function streamIdOf(sensor: string): string {
  return hash('sha256', sensor).slice(0, 16)
}

/** The limits that a client can keep to only if it knows them. */
const TOLD_LIMITS = [
  'maxLineBytes',
  'maxDepth',
  'maxStreams',
  'maxPendingCalls',
  'maxBufferedBytes',
  'maxStalledMs',
  'maxFramesPerSecond',
] as const satisfies readonly (keyof WireLimits)[]

/** What the node says first. */
function helloOf(service: Service, limits: WireLimits): Hello {
  const { node, run, version, clock } = service
  return {
    node,
    run,
    version,
    time: clock.now(),
    sensors: toldSensors(service, { sensors: undefined }),
    commands: COMMANDS,
    heartbeat: CLIENT_HEARTBEAT,
    limits: limitsToTell(limits),
  }
}

function limitsToTell(limits: WireLimits): Partial<WireLimits> {
  return Object.fromEntries(TOLD_LIMITS.map(name => [name, limits[name]]))
}
