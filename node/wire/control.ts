import { untilNextRound, type Clock } from '../lib/clock.ts'
import { isRecord } from '../lib/record.ts'
import type { Connection } from './connection.ts'
import { attachEmitter, type RemoteEmitter } from './emitter.ts'
import type { WireLimits } from './limits.ts'
import type { MuxStream } from './mux.ts'
import { Refusal } from './refusal.ts'

/** The sub-stream of every `fridge/1` connection that speaks of the connection itself. */
export const CONTROL_STREAM = 'control'

/** The version of `fridge/1` that this end speaks. */
export const PROTOCOL_VERSION = 1

/**
 * How often both ends of a client's connection say that they live, and how long the other may be
 * silent, in milliseconds. Silence is looked at once a beat, so a dead peer is found within 9 s.
 */
export const CLIENT_HEARTBEAT = { heartbeatMs: 3_000, deadAfterMs: 6_000 } as const

/**
 * A beat that is due within this share of the time between two is said at once when the peer's is
 * heard, and the next one waits as much longer for the peer's. So one of the two ends wakes the
 * other, and each wakes once for both beats: waking is most of what a connection costs that is idle.
 */
const EARLY = 0.5

const ACCEPTS: ReadonlySet<string> = new Set(['hello', 'beat', 'bye'])
const MAX_BYE_TEXT = 1_024

/** The fields of a hello: `protocol` is a number, the rest depends on the sender's role. */
export type Hello = Readonly<Record<string, unknown>>

/** Why the peer says that it closes: a stable word, and a sentence for people. */
export interface Bye {
  readonly reason: string
  readonly text: string
  /** Between nodes: what proves it. Whoever hears it has checked nothing of it. */
  readonly proof?: unknown
}

export interface ControlOptions {
  readonly limits: WireLimits
  readonly clock: Clock
  /** How often this end says that it lives, in milliseconds. */
  readonly heartbeatMs: number
  /** How long the peer may be silent before the connection is cut as dead, in milliseconds. */
  readonly deadAfterMs: number
  /**
   * Whether beats of this process that nothing else causes are said together, so that it wakes once
   * for all. For a few connections: many would be written in one turn. Default: they are not.
   */
  readonly beatsTogether?: boolean | undefined
  /** What this end says first. */
  readonly hello: Hello
  /** The peer's first words, of the version that this end speaks. @returns why they are refused */
  readonly onHello?: ((hello: Hello) => string | undefined) | undefined
  /** Whether a farewell of the peer may carry a proof. Default: it may not. */
  readonly takesProof?: boolean | undefined
  readonly onBye: (bye: Bye) => void
}

/** Hello, heartbeats and farewell on one connection (PROTOCOL.md, "Control"). */
export class Control implements Disposable {
  readonly #emitter: RemoteEmitter
  readonly #connection: Connection
  readonly #options: ControlOptions
  #timer: Disposable | undefined
  #beatAt: number
  #greeted = false
  #heard = -1
  #silentMs = 0

  /** @param stream opened by the end that accepted the connection */
  constructor(connection: Connection, stream: MuxStream, options: ControlOptions) {
    this.#connection = connection
    this.#options = options
    this.#emitter = attachEmitter(stream, {
      limits: options.limits,
      accepts: ACCEPTS,
      onRefused: refusal => connection.refuse(refusal),
    })
    this.#emitter.on('hello', (...values) => this.#onHello(values))
    this.#emitter.on('bye', (...values) => this.#onBye(values))
    this.#emitter.on('beat', (...values) => {
      if (values.length > 0) this.#refuse('a beat carries something')
      else this.#answerBeat()
    })
    this.#emitter.emit('hello', { protocol: PROTOCOL_VERSION, ...options.hello })
    this.#beatAt = options.clock.monotonic()
    this.#beatIn(this.#intervalMs())
  }

  bye({ reason, text, proof }: Bye): void {
    if (proof === undefined) this.#emitter.emit('bye', reason, text)
    else this.#emitter.emit('bye', reason, text, proof)
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
  }

  #beatIn(ms: number): void {
    const { clock, deadAfterMs } = this.#options
    this.#timer?.[Symbol.dispose]()
    this.#timer = clock.after(ms, () => {
      const heard = this.#connection.bytesHeard
      const sinceMs = clock.monotonic() - this.#connection.heardAt
      // No more than the time between two looks: a process that was stopped has heard nothing either.
      this.#silentMs = heard === this.#heard ? this.#silentMs + ms : Math.min(sinceMs, ms)
      this.#heard = heard
      // No FIN will tell.
      if (this.#silentMs >= deadAfterMs) return this.#connection.cutAsDead()
      this.#beat()
      this.#beatIn(this.#intervalMs())
    })
  }

  #beat(): void {
    this.#beatAt = this.#options.clock.monotonic()
    this.#emitter.emit('beat')
  }

  #answerBeat(): void {
    const { clock, heartbeatMs } = this.#options
    if (clock.monotonic() - this.#beatAt < (1 - EARLY) * heartbeatMs) return
    this.#heard = this.#connection.bytesHeard
    this.#silentMs = 0
    this.#beat()
    this.#beatIn((1 + EARLY) * heartbeatMs)
  }

  /** How long until the next beat that the peer's does not cause. */
  #intervalMs(): number {
    const { clock, heartbeatMs, beatsTogether = false } = this.#options
    if (!beatsTogether) return heartbeatMs
    // Its last beat may have come just before the look that it was due for. One that has missed more
    // is looked at more often, since others wait to be told that it is dead.
    const isMissed = this.#silentMs > 1.5 * heartbeatMs
    return untilNextRound(clock, isMissed ? heartbeatMs / 2 : heartbeatMs)
  }

  #onHello([hello, ...rest]: unknown[]): void {
    if (this.#greeted || rest.length > 0) return this.#refuse('a hello out of place')
    if (!isRecord(hello)) {
      return this.#refuse('a hello is not an object')
    }
    this.#greeted = true
    const fields = hello as Hello
    if (fields['protocol'] !== PROTOCOL_VERSION) return this.#refuse('another version of fridge/1')
    const problem = this.#options.onHello?.(fields)
    if (problem !== undefined) this.#refuse(problem)
  }

  #onBye([reason, text, ...rest]: unknown[]): void {
    const [proof, ...more] = rest
    const isPlain = rest.length === 0
    const isProven = this.#options.takesProof === true && reason === 'revoked' && isRecord(proof)
    const isWhole = isPlain || (isProven && more.length === 0)
    if (typeof reason !== 'string' || typeof text !== 'string' || !isWhole) {
      return this.#refuse('a bye is malformed')
    }
    this.#options.onBye({
      reason,
      text: text.slice(0, MAX_BYE_TEXT),
      ...(proof !== undefined && { proof }),
    })
  }

  #refuse(reason: string): void {
    this.#connection.refuse(new Refusal('emitter', reason))
  }
}
