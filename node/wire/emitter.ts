import type { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import { Stream } from 'node:stream'
import { parseJson } from './json.ts'
import type { WireLimits } from './limits.ts'
import { TextLineDecoder } from './lines.ts'
import type { MuxStream } from './mux.ts'
import { Refusal } from './refusal.ts'

/**
 * The one file that knows the package `duplex-emitter` 2.1.2. The package is handed events, not
 * lines, and only those that this end expects: a peer can never raise a local event such as
 * `error`, and nothing is parsed twice.
 */

interface Package extends EventEmitter {
  /** Where the package raises what the peer has sent. */
  readonly readEmitter: EventEmitter
}

const duplexEmitter = createRequire(import.meta.url)('duplex-emitter') as (
  stream: Stream,
) => Package

export interface EmitterOptions {
  readonly limits: WireLimits
  /** The events that the peer may emit. */
  readonly accepts: ReadonlySet<string>
  readonly onRefused: (refusal: Refusal) => void
}

/** Events over one sub-stream. */
export interface RemoteEmitter {
  /** Send an event. After the stream has closed, nothing happens. */
  emit(event: string, ...values: unknown[]): void
  /** Hear an event of the peer. Its values are what the peer chose: check them. */
  on(event: string, listener: (...values: unknown[]) => void): void
}

/** One event as duplex-emitter writes it. */
export function encodeEvent(event: string, ...values: unknown[]): string {
  return `${JSON.stringify([event, ...values])}\n`
}

/** An event of the peer: its name, and values that are still unchecked. */
type PeerEvent = [event: string, ...values: unknown[]]

/** Check one line of an emitter (PROTOCOL.md, "Events"). */
function parseEvent(line: string, { limits, accepts }: EmitterOptions): PeerEvent | Refusal {
  const value = parseJson(line, limits.maxDepth)
  if (value instanceof Refusal) return value
  if (!Array.isArray(value)) return new Refusal('emitter', 'an event is not an array')
  const [event] = value as unknown[]
  if (typeof event !== 'string' || !accepts.has(event)) {
    return new Refusal('emitter', 'an event of an unexpected kind')
  }
  if (value.length - 1 > limits.maxArguments) return new Refusal('emitter', 'too many values')
  return value as PeerEvent
}

/** Exchange events over a sub-stream. The first line that is not accepted is refused, once. */
export function attachEmitter(stream: MuxStream, options: EmitterOptions): RemoteEmitter {
  const emitter = duplexEmitter(new Facade(stream))
  const decoder = new TextLineDecoder(options.limits.maxLineBytes)
  let refused = false
  const refuse = (refusal: Refusal): void => {
    if (refused) return
    refused = true
    options.onRefused(refusal)
  }
  stream.onText(text => {
    if (refused) return
    const refusal = decoder.write(text, line => {
      const event = parseEvent(line, options)
      if (event instanceof Refusal) refuse(event)
      else emitter.readEmitter.emit(...event)
      return !refused && !stream.closed
    })
    if (refusal !== undefined) refuse(refusal)
  })
  return {
    emit: (event, ...values) => {
      emitter.emit(event, ...values)
    },
    on: (event, listener) => {
      emitter.on(event, listener)
    },
  }
}

/** The old-style stream that the package pipes from and writes to. */
class Facade extends Stream {
  readonly #stream: MuxStream
  readable = true

  constructor(stream: MuxStream) {
    super()
    this.#stream = stream
  }

  get writable(): boolean {
    return !this.#stream.closed
  }

  write(text: string): boolean {
    this.#stream.write(text)
    return true
  }
}
