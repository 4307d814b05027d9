import { Duplex } from 'node:stream'
import type { Random } from '../../node/lib/clock.ts'
import type { MachineClock, SimulatedTime } from './simulated-time.ts'

/** The first wait for an acknowledgment after which TCP sends again (RFC 6298; Linux), ms. */
export const RETRANSMIT_MS = 200

/** One end of a connection: on which machine it is. */
export interface WireEnd {
  readonly name: string
  readonly clock: MachineClock
}

export interface WireOptions {
  readonly time: SimulatedTime
  readonly random: Random
  /** How long a byte is under way, in milliseconds. */
  readonly delayMs: number
  /** The share of packets that is lost and sent again, as TCP does. */
  readonly loss: () => number
  /** What a thief at one end makes of what its node writes. Default: nothing. */
  readonly alter?: (from: string, text: string) => string
  /** Called when bytes arrive, before they are read. */
  readonly onArrival?: (from: string, to: string, text: string) => void
}

/** A TCP connection between two simulated machines: in order, late, and sent again when lost. */
export class SimulatedWire {
  readonly ends: readonly [Duplex, Duplex]
  readonly names: readonly [string, string]
  readonly #options: WireOptions
  /** Whether what one writes is lost for good, by who writes it. */
  readonly #swallowed = new Set<string>()

  constructor(one: WireEnd, other: WireEnd, options: WireOptions) {
    this.names = [one.name, other.name]
    this.#options = options
    const first: End = new End(this.#deliverer(one, other, () => second))
    const second: End = new End(this.#deliverer(other, one, () => first))
    this.ends = [first, second]
    for (const [end, there] of [
      [first, second],
      [second, first],
    ] as const) {
      end.once('close', () => {
        if (this.#swallowed.size === 0) options.time.after(options.delayMs, () => there.destroy())
      })
    }
  }

  /** How long a byte is under way, ms. */
  get delayMs(): number {
    return this.#options.delayMs
  }

  get closed(): boolean {
    return this.ends.every(({ destroyed }) => destroyed)
  }

  /** Lose all that one end writes from now on, or both, and tell nobody. */
  swallow(names: Iterable<string> = this.names): void {
    for (const name of names) this.#swallowed.add(name)
  }

  /** End it at once, as a reset does. */
  cut(): void {
    for (const end of this.ends) end.destroy()
  }

  #deliverer(from: WireEnd, to: WireEnd, there: () => Duplex): (text: string | null) => void {
    const { time, random, loss, alter, onArrival } = this.#options
    let arrivesAt = 0
    const arrive = (text: string | null): void => {
      const end = there()
      if (end.destroyed) return
      time.touch()
      if (text !== null) onArrival?.(from.name, to.name, text)
      end.push(text)
    }
    return written => {
      if (this.#swallowed.has(from.name)) return
      const text = written === null ? null : (alter?.(from.name, written) ?? written)
      time.touch()
      let lateMs = 0
      for (let again = RETRANSMIT_MS; random() < loss(); again *= 2) lateMs += again
      // What is behind a lost packet waits for it.
      arrivesAt = Math.max(arrivesAt, time.now + this.#options.delayMs + lateMs)
      // By the clock of the receiver: a machine that is frozen reads nothing.
      to.clock.after(arrivesAt - time.now, () => arrive(text))
    }
  }
}

class End extends Duplex {
  readonly #deliver: (text: string | null) => void

  constructor(deliver: (text: string | null) => void) {
    super({ allowHalfOpen: false, decodeStrings: false })
    this.#deliver = deliver
    // A reset is what it is for: whoever uses the stream sees it close.
    this.on('error', () => {})
  }

  override _read(): void {}

  override _write(chunk: string | Uint8Array, _: BufferEncoding, done: () => void): void {
    this.#deliver(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString())
    done()
  }

  override _final(done: () => void): void {
    this.#deliver(null)
    done()
  }
}
