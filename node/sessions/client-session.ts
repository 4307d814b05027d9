import { hash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { ALARM_STREAM } from '../alarms/alarm-stream.ts'
import type { Alarms } from '../alarms/alarms.ts'
import { alarmMethods } from './alarm-calls.ts'
import { AlarmTeller } from './alarm-teller.ts'
import { allows, type RefusalReason, type Rights } from './admission.ts'
import { parseClientHello } from './client-hello.ts'
import type { Clock } from '../lib/clock.ts'
import { COMMANDS, runCommand, type CommandName } from '../sensors/commands.ts'
import { PLAIN_SENSORS } from '../sensors/kinds.ts'
import { FridgeError } from '../lib/errors.ts'
import type { Lookout } from '../lib/lookout.ts'
import type { Dialect } from '../events/dialect.ts'
import type { FanOut } from '../events/fan-out.ts'
import type { Subscriber } from '../events/subscriber.ts'
import type { Identity } from '../identity/identity.ts'
import type { Name, Source } from '../identity/names.ts'
import type { Actuator } from '../sensors/actuator.ts'
import type { History } from '../history/history.ts'
import { parseHistoryRequest, type HistoryPage } from '../history/page.ts'
import type { CommandTrail } from './command-trail.ts'
import type { Sensor } from '../sensors/sensor.ts'
import { explain, type Session } from './session.ts'
import { Channel } from '../wire/channel.ts'
import type { Ending } from '../wire/connection.ts'
import { CLIENT_HEARTBEAT, type Hello } from '../wire/control.ts'
import { encodeEvent } from '../wire/emitter.ts'
import type { WireLimits } from '../wire/limits.ts'
import type { MuxStream } from '../wire/mux.ts'
import { Refusal } from '../wire/refusal.ts'
import type { RpcMethod } from '../wire/rpc.ts'

/** What a node serves to its clients. */
export interface Service {
  readonly node: Name
  /** This run of the node: its events are numbered within it. */
  readonly run: Source
  readonly version: string
  readonly sensors: readonly Sensor[]
  readonly actuator: Actuator | undefined
  readonly fanOut: FanOut
  /** Looked at before a client is served: a node that slept must see first whether it still may. */
  readonly lookout: Pick<Lookout, 'check'>
  readonly history: Pick<History, 'page'>
  readonly trail: CommandTrail
  readonly alarms: Alarms
  readonly clock: Clock
}

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
  /** Sensors whose streams the client has closed. */
  readonly #declined = new Set<string>()
  #pendingCalls = 0
  #alarmTeller: AlarmTeller | undefined
  readonly #alarmMethods: ReadonlyMap<string, RpcMethod>

  constructor(options: ClientSessionOptions) {
    this.identity = options.identity
    this.#options = options
    this.#rights = options.rights
    const { service, limits, dialect } = options
    this.#alarmMethods = alarmMethods(service.alarms, {
      subject: options.identity.subject,
      mayRead: sensor => allows(this.#rights.sensors, sensor),
      mayAcknowledge: () => allows(this.#rights.commands, 'acknowledge'),
      clock: service.clock,
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
      rpc: { methods: () => this.#methods(), reopens: true },
      byeToSlow: { reason: 'too slow', text: 'it does not read what it is sent' },
      onThrottled: () => options.onThrottled(this),
      onEnd: ending => options.onEnd(this, ending),
    })
    this.#subscriber = service.fanOut.join(this.#channel, dialect)
    this.#openStreams()
    if (this.#hasAlarms) this.#openAlarms(service.alarms)
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
      if (allows(this.#rights.sensors, name)) this.#openStream(name)
    }
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

  /** The plain protocol stays as it is, and so does a node without rules. */
  get #hasAlarms(): boolean {
    const { dialect, service } = this.#options
    return dialect === 'fridge/1' && service.alarms.hasRules
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
    this.#alarmTeller = new AlarmTeller(alarms, stream, sensor =>
      allows(this.#rights.sensors, sensor),
    )
  }

  /** @returns why the client's first words are refused */
  #greet(fields: Hello): string | undefined {
    const { service } = this.#options
    const hello = parseClientHello(fields)
    if (typeof hello === 'string') return hello
    if (hello.resume?.run !== service.run) return undefined
    this.#resume = new Map(hello.resume.sensors)
    for (const [sensor, stream] of this.#streams) this.#resumeStream(stream, sensor)
    return undefined
  }

  /** Answer each sensor that the client has named once: now, or when its stream is opened. */
  #resumeStream(stream: MuxStream, sensor: string): void {
    const sequence = this.#resume.get(sensor)
    if (sequence === undefined) return
    this.#resume.delete(sensor)
    this.#options.service.fanOut.resume(this.#subscriber, sensor, stream, sequence)
  }

  #methods(): ReadonlyMap<string, RpcMethod> {
    const { dialect, service } = this.#options
    const { subject } = this.identity
    const methods = new Map<string, RpcMethod>(
      COMMANDS.map(name => [
        name,
        async values =>
          service.trail.follow({ subject, name, values }, async () => this.#call(name, values)),
      ]),
    )
    // The plain protocol stays as it is.
    if (dialect !== 'plain') methods.set('history', async ([request]) => this.#history(request))
    if (this.#hasAlarms) for (const [name, method] of this.#alarmMethods) methods.set(name, method)
    return methods
  }

  async #call(name: CommandName, values: readonly unknown[]): Promise<string> {
    this.#look()
    if (!allows(this.#rights.commands, name)) {
      throw new FridgeError('ERR_REFUSED', `the grant does not allow ${name}`)
    }
    return this.#counted(async () => runCommand(name, values, this.#options.service.actuator))
  }

  async #history(value: unknown): Promise<HistoryPage> {
    this.#look()
    const request = parseHistoryRequest(value)
    if (typeof request === 'string') throw new FridgeError('ERR_PROTOCOL', request)
    const { sensor, table } = request
    if (!allows(this.#rights.sensors, sensor)) {
      throw new FridgeError('ERR_REFUSED', `the grant does not allow ${sensor}`)
    }
    // Who else called what is for operators.
    if (table === 'commands') {
      throw new FridgeError('ERR_REFUSED', 'commands are shown to operators only')
    }
    return this.#counted(async () => this.#options.service.history.page(request))
  }

  /** A node that slept must see first whether it still serves. */
  #look(): void {
    this.#options.service.lookout.check()
    if (this.#channel.ended) throw new FridgeError('ERR_CLOSED', 'the connection was closed')
  }

  async #counted<Answer>(run: () => Promise<Answer>): Promise<Answer> {
    const { limits } = this.#options
    // The calls of the whole connection count, whatever became of the stream that each came on.
    if (this.#pendingCalls >= limits.maxPendingCalls) {
      throw new FridgeError('ERR_LIMIT', `more than ${limits.maxPendingCalls} calls at once`)
    }
    this.#pendingCalls += 1
    try {
      return await run()
    } finally {
      this.#pendingCalls -= 1
    }
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
function helloOf({ node, run, version, sensors, clock }: Service, limits: WireLimits): Hello {
  return {
    node,
    run,
    version,
    time: clock.now(),
    sensors: sensors.map(({ name, kind }) => ({ name, kind })),
    commands: COMMANDS,
    heartbeat: CLIENT_HEARTBEAT,
    limits: limitsToTell(limits),
  }
}

function limitsToTell(limits: WireLimits): Partial<WireLimits> {
  return Object.fromEntries(TOLD_LIMITS.map(name => [name, limits[name]]))
}
