import { Duplex } from 'node:stream'

/** A connected byte stream in memory, whose network a test can take away. */
export interface Pipe {
  readonly ends: readonly [Duplex, Duplex]
  readonly closed: boolean
  /** Lose everything from now on, and tell nobody. */
  swallow(): void
  /** End it at once, as a reset does: heard at both ends, unless everything is swallowed. */
  cut(): void
  /** Leave nothing of it. */
  destroy(): void
}

/** Make a pair of streams; what one writes the other reads on a later turn. */
export function makePipe(): Pipe {
  let swallows = false
  const one: End = new End(chunk => deliver(other, chunk))
  const other: End = new End(chunk => deliver(one, chunk))
  const deliver = (to: Duplex, chunk: Uint8Array | null): void => {
    if (swallows) return
    setImmediate(() => {
      if (!to.destroyed) to.push(chunk)
    })
  }
  const destroy = (): void => {
    one.destroy()
    other.destroy()
  }
  one.once('close', () => !swallows && setImmediate(() => other.destroy()))
  other.once('close', () => !swallows && setImmediate(() => one.destroy()))
  return {
    ends: [one, other],
    get closed() {
      return one.destroyed && other.destroyed
    },
    swallow: () => {
      swallows = true
    },
    cut: () => {
      if (!swallows) destroy()
    },
    destroy,
  }
}

class End extends Duplex {
  readonly #deliver: (chunk: Uint8Array | null) => void

  constructor(deliver: (chunk: Uint8Array | null) => void) {
    super({ allowHalfOpen: false })
    this.#deliver = deliver
    // A reset is what it is for: whoever uses the stream sees it close.
    this.on('error', () => {})
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    this.#deliver(chunk)
    done()
  }

  override _final(done: () => void): void {
    this.#deliver(null)
    done()
  }
}
