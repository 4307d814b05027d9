import type { Duplex } from 'node:stream'
import { ALARM_STREAM } from '../alarms/alarm-stream.ts'
import type { Credentials } from '../identity/credentials.ts'
import type { Name } from '../identity/names.ts'
import type { Clock } from '../lib/clock.ts'
import type { FridgeError } from '../lib/errors.ts'
import type { Resume } from '../sessions/client-hello.ts'
import { Channel } from '../wire/channel.ts'
import type { Ending } from '../wire/connection.ts'
import { CLIENT_HEARTBEAT, type Hello } from '../wire/control.ts'
import { NODE_LIMITS } from '../wire/limits.ts'
import type { MuxStream } from '../wire/mux.ts'
import { listenToAlarms, listenToSensor, type EventHandlers } from './event-streams.ts'
import { explainEnding } from './farewell.ts'
import { parseNodeHello, type NodeHello } from './node-hello.ts'
import { Unsealer } from './sealed-events.ts'
import type { Attempt } from './tls-problem.ts'

export interface NodeChannelOptions extends EventHandlers {
  readonly credentials: Credentials
  readonly clock: Clock
  /** How far this client has heard the node before, where it has. */
  readonly resume?: Resume
  /** The node has said who it is; comes before every event. */
  readonly onHello?: (hello: NodeHello) => void
  /** Opens what nodes have sealed. Default one without a passphrase. */
  readonly unsealer?: Unsealer
}

/** The hello of a node, and when it came. */
export interface Greeting extends NodeHello {
  /** How far its clock is ahead of ours, in milliseconds; 0 where it does not tell. */
  readonly clockAheadMs: number
}

/** A channel to a node from its first byte on: what the node says, and why the channel ends. */
export class NodeChannel {
  readonly channel: Channel
  readonly #attempt: Attempt
  readonly #options: NodeChannelOptions
  readonly #begunAt: number
  readonly #greeted = Promise.withResolvers<Greeting>()
  readonly #ended = Promise.withResolvers<FridgeError>()
  #hello: NodeHello | undefined
  #clockAheadMs = 0
  #node: Name | undefined
  #failure: FridgeError | undefined

  constructor(socket: Duplex, attempt: Attempt, options: NodeChannelOptions) {
    const { clock, resume } = options
    this.#attempt = attempt
    this.#options = options
    this.#begunAt = clock.monotonic()
    this.channel = new Channel(socket, {
      limits: NODE_LIMITS,
      clock,
      control: {
        opens: false,
        ...CLIENT_HEARTBEAT,
        hello: { sealed: true, ...(resume && { resume: encodeResume(resume) }) },
        onHello: fields => this.#hear(fields),
      },
      onStream: stream => this.#listen(stream),
      onEnd: ending => this.#ended.resolve(this.#failure ?? this.#explain(ending)),
    })
  }

  get greeted(): Promise<Greeting> {
    return this.#greeted.promise
  }

  /** Resolves with why it has ended. */
  get ended(): Promise<FridgeError> {
    return this.#ended.promise
  }

  /** The certificate at the other end is that of a node. */
  recognize(node: Name): void {
    this.#node = node
  }

  /** End it for a reason of this end, whatever the node has said. */
  fail(error: FridgeError): void {
    this.#failure = error
    this.channel.close()
  }

  #hear(fields: Hello): string | undefined {
    const { clock, onHello } = this.#options
    const hello = parseNodeHello(fields)
    if (typeof hello === 'string') return hello
    this.#hello = hello
    this.#clockAheadMs = hello.time === undefined ? 0 : hello.time - clock.now()
    onHello?.(hello)
    this.#greeted.resolve({ ...hello, clockAheadMs: this.#clockAheadMs })
    return undefined
  }

  /** The hello comes before every other stream; a sensor that it did not name is not for this client. */
  #listen(stream: MuxStream): boolean {
    if (this.#hello === undefined) return false
    const hello = this.#hello
    const sensor = hello.sensors.find(({ name }) => name === stream.meta)
    const { clock, unsealer = new Unsealer(undefined) } = this.#options
    if (sensor !== undefined) {
      const aheadMs = this.#clockAheadMs
      const opener = unsealer.openerFor(hello, () => clock.now() + aheadMs)
      listenToSensor(this.channel, stream, sensor, this.#options, opener)
    }
    if (stream.meta === ALARM_STREAM) listenToAlarms(this.channel, stream, this.#options)
    return true
  }

  #explain(ending: Ending): FridgeError {
    return explainEnding(ending, {
      bye: this.channel.bye,
      greeted: this.#hello !== undefined,
      self: this.#options.credentials.identity,
      attempt: this.#attempt,
      lastedMs: this.#options.clock.monotonic() - this.#begunAt,
      node: this.#node,
    })
  }
}

function encodeResume({ run, sensors }: Resume): object {
  return { run, sensors: Object.fromEntries(sensors) }
}
