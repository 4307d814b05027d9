/**
 * What SIGHUP means. Of a terminal that was closed: stop, or what was started there would outlive
 * it. Else: read files again, for a command that does so; all others stop. A command needs a moment
 * to be loaded, so what comes before it has begun waits until that is known.
 */
export class HangUps {
  readonly #stop: () => void
  readonly #listeners = new Set<() => void>()
  #hasBegun = false
  #isWaiting = false

  constructor(stop: () => void) {
    this.#stop = stop
  }

  /** SIGHUP has come. @param isTerminalClosed whether there was a terminal, and is none any more */
  hear(isTerminalClosed: boolean): void {
    if (isTerminalClosed) return this.#stop()
    if (this.#listeners.size > 0) for (const listener of this.#listeners) listener()
    else if (this.#hasBegun) this.#stop()
    else this.#isWaiting = true
  }

  /** Read files again at each from now on, and at once if one waits. */
  subscribe(listener: () => void): Disposable {
    this.#listeners.add(listener)
    if (this.#isWaiting) listener()
    this.#isWaiting = false
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /** The command has begun: unless it has subscribed by now it reads nothing again. */
  begin(): void {
    this.#hasBegun = true
    if (this.#isWaiting) this.#stop()
    this.#isWaiting = false
  }
}
