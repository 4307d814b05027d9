import type { Clock } from '../lib/clock.ts'
import type { Name } from '../identity/names.ts'

/**
 * How long the next place is kept for an operator that was proposed a change, in milliseconds: a
 * round trip over a slow line, and a signature. Nobody waits for it where nobody else proposes.
 */
const TURN_MS = 2_000

export interface TurnOptions {
  /** The operator whose removal is proposed, if any: that goes before all that it might hold up. */
  readonly removes?: Name | undefined
  /** Aborts when the caller has gone. */
  readonly signal: AbortSignal
}

/** An operator that waits for its turn. */
interface Waiting {
  readonly operator: Name
  readonly removes: Name | undefined
  readonly signal: AbortSignal
  readonly begin: () => void
}

/** The operator for which the next place is kept. */
interface Turn extends Disposable {
  readonly operator: Name
}

/**
 * Who may have the next place of this node. A change is proposed at a place, signed, and committed
 * there: whoever commits without end would take each place before another operator has signed for
 * it. So the next place is kept for the operator that was proposed a change, until it has
 * committed one or its time is up; operators that propose meanwhile take turns, each with one
 * change however many it waits with. The changes of one operator do not wait for each other.
 */
export class Turns implements Disposable {
  readonly #clock: Clock
  #turn: Turn | undefined
  /** In the order in which they came. */
  #waiting: Waiting[] = []
  /** Operators in the order of their last turns, the latest last. */
  readonly #served = new Set<Name>()
  /** How many commits of each operator are under way: each may still take the next place. */
  readonly #committing = new Map<Name, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Wait until the next place is this operator's. It has it when the promise resolves.
   * @throws the signal's reason when the caller goes while it waits
   */
  async take(operator: Name, { removes, signal }: TurnOptions): Promise<void> {
    signal.throwIfAborted()
    if (this.#turn?.operator === operator) return
    if (removes !== undefined && this.#turn?.operator === removes) this.#end()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting: Waiting = { operator, removes, signal, begin: resolve }
    const abort = (): void => {
      this.#waiting = this.#waiting.filter(one => one !== waiting)
      reject(signal.reason)
    }
    this.#waiting.push(waiting)
    signal.addEventListener('abort', abort, { once: true })
    this.#next()
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  /**
   * Commit a change, and end the operator's turn.
   * @returns what `commit` returns; undefined, and nothing is done, while another has the next place
   */
  async commit<T>(operator: Name, commit: () => Promise<T>): Promise<T | undefined> {
    const isTaken =
      this.#turn === undefined
        ? this.#waiting.some(one => one.operator !== operator)
        : this.#turn.operator !== operator
    if (isTaken) return undefined
    this.#committing.set(operator, (this.#committing.get(operator) ?? 0) + 1)
    try {
      return await commit()
    } finally {
      const left = (this.#committing.get(operator) ?? 0) - 1
      if (left > 0) this.#committing.set(operator, left)
      else this.#committing.delete(operator)
      if (this.#turn?.operator === operator) this.#end()
      this.#next()
    }
  }

  [Symbol.dispose](): void {
    this.#end()
  }

  /** Give the next place to whom it is due, once no commit of another is under way. */
  #next(): void {
    if (this.#turn !== undefined) return
    const next = this.#choose()
    if (next === undefined) return
    const { operator } = next
    for (const other of this.#committing.keys()) if (other !== operator) return
    this.#waiting = this.#waiting.filter(one => one !== next)
    this.#begin(next)
    next.begin()
  }

  #begin({ operator, signal }: Waiting): void {
    const over = (): void => {
      this.#end()
      this.#next()
    }
    const timer = this.#clock.after(TURN_MS, over)
    signal.addEventListener('abort', over, { once: true })
    this.#served.delete(operator)
    this.#served.add(operator)
    this.#turn = {
      operator,
      [Symbol.dispose]: () => {
        timer[Symbol.dispose]()
        signal.removeEventListener('abort', over)
      },
    }
  }

  #end(): void {
    this.#turn?.[Symbol.dispose]()
    this.#turn = undefined
  }

  /** Removals of those who hold others up, then the others; of each the operator that had no turn for longest. */
  #choose(): Waiting | undefined {
    const served = [...this.#served]
    const waiting = this.#waiting.map(one => one.operator)
    // The latest as well: the removal may just have ended its turn.
    const busy = new Set([...this.#committing.keys(), ...waiting, ...served.slice(-1)])
    const rank = ({ operator, removes }: Waiting): number => {
      const isUrgent = removes !== undefined && busy.has(removes)
      return served.indexOf(operator) - (isUrgent ? served.length + 1 : 0)
    }
    const [first] = this.#waiting
      .filter(({ signal }) => !signal.aborted)
      .sort((one, other) => rank(one) - rank(other))
    return first
  }
}
