import type { Duplex } from 'node:stream'
import { allows, type RefusalReason, type Rights } from './admission.ts'
import type { Clock } from './clock.ts'
import { COMMANDS, runCommand } from './commands.ts'
import { FridgeError } from './errors.ts'
import { eventValues, type Dialect, type FanOut } from './fan-out.ts'
import type { Identity } from './identity.ts'
import type { Name } from './names.ts'
import type { Actuator } from './sensors/actuator.ts'
import type { Sensor } from './sensors/sensor.ts'
import { explain, type Session } from './session.ts'
import { Connection, type Ending } from './wire/connection.ts'
import { Control, CONTROL_STREAM } from './wire/control.ts'
import { attachEmitter } from './wire/emitter.ts'
import type { WireLimits } from './wire/limits.ts'
import type { MuxStream } from './wire/mux.ts'
import { serveRpc, type RpcMethod } from './wire/rpc.ts'

/** What a connection without ALPN is served, whatever else the node has. */
export const PLAIN_SENSORS = ['door', 'temperature'] as const

/** How often both ends of a client's connection say that they live, in milliseconds. */
export const CLIENT_HEARTBEAT = { heartbeatMs: 3_000, deadAfterMs: 9_000 } as const

/** What a node serves to its clients. */
export interface Service {
  readonly node: Name
  readonly version: string
  readonly sensors: readonly Sensor[]
  readonly actuator: Actuator | undefined
  readonly fanOut: FanOut
  readonly clock: Clock
}

export interface ClientSessionOptions {
  readonly socket: Duplex
  readonly identity: Identity
  readonly dialect: Dialect
  readonly rights: Rights
  readonly service: Service
  readonly limits: WireLimits
  readonly onEnd: (session: ClientSession, ending: Ending) => void
}

const NO_EVENTS: ReadonlySet<string> = new Set()

/** One client's connection: a stream a sensor, opened here, and `rpc`, opened by the client. */
export class ClientSession implements Session {
  readonly identity: Identity
  readonly #connection: Connection
  readonly #options: ClientSessionOptions
  readonly #control: Control | undefined
  readonly #streams = new Map<string, MuxStream>()
  #rights: Rights
  #servesRpc = false

  constructor(options: ClientSessionOptions) {
    this.identity = options.identity
    this.#options = options
    this.#rights = options.rights
    const { service, limits, dialect } = options
    this.#connection = new Connection(options.socket, {
      limits,
      onStream: stream => this.#accept(stream),
      onEnd: ending => {
        this.#control?.[Symbol.dispose]()
        options.onEnd(this, ending)
      },
    })
    if (dialect === 'fridge/1') {
      this.#control = new Control(this.#connection, this.#connection.open(CONTROL_STREAM), {
        limits,
        clock: service.clock,
        ...CLIENT_HEARTBEAT,
        hello: {
          node: service.node,
          version: service.version,
          sensors: service.sensors.map(({ name, kind }) => ({ name, kind })),
          commands: COMMANDS,
        },
        onHello: () => undefined,
        onBye: () => {},
        onDead: () => this.#connection.close(),
      })
    }
    this.#openStreams()
  }

  cut(reason: RefusalReason): void {
    this.#control?.bye(reason, explain(reason, this.identity))
    this.#connection.close()
  }

  narrow(rights: Rights): void {
    this.#rights = rights
    for (const [sensor, stream] of this.#streams) {
      if (allows(rights.sensors, sensor)) continue
      stream.end()
      stream.destroy()
    }
    this.#openStreams()
  }

  leave(): void {
    this.#control?.bye('leaving', 'the node is stopping')
    this.#connection.close()
  }

  #openStreams(): void {
    const { dialect, service } = this.#options
    const names = dialect === 'plain' ? PLAIN_SENSORS : service.sensors.map(({ name }) => name)
    for (const name of names) {
      if (!this.#streams.has(name) && allows(this.#rights.sensors, name)) this.#openStream(name)
    }
  }

  #openStream(sensor: string): void {
    const { dialect, service, limits } = this.#options
    const stream = this.#connection.open(sensor)
    this.#streams.set(sensor, stream)
    stream.onClose(() => this.#streams.delete(sensor))
    const emitter = attachEmitter(stream, {
      limits,
      accepts: NO_EVENTS,
      onRefused: refusal => this.#connection.refuse(refusal),
    })
    if (service.sensors.some(({ name }) => name === sensor)) {
      service.fanOut.serve(stream, sensor, dialect)
      return
    }
    const missing = `this node has no sensor ${sensor}`
    emitter.emit(
      ...eventValues({ type: 'unavailable', reason: missing, at: service.clock.now() }, dialect),
    )
  }

  #accept(stream: MuxStream): boolean {
    if (stream.meta !== 'rpc' || this.#servesRpc) return false
    this.#servesRpc = true
    stream.onClose(() => {
      this.#servesRpc = false
    })
    const methods = new Map<string, RpcMethod>(
      COMMANDS.map(name => [name, async values => this.#call(name, values)]),
    )
    serveRpc(stream, methods, {
      limits: this.#options.limits,
      onRefused: refusal => this.#connection.refuse(refusal),
    })
    return true
  }

  async #call(name: (typeof COMMANDS)[number], values: readonly unknown[]): Promise<string> {
    if (!allows(this.#rights.commands, name)) {
      throw new FridgeError('ERR_REFUSED', `the grant does not allow ${name}`)
    }
    return runCommand(name, values, this.#options.service.actuator)
  }
}
