import type { Resume } from '../sessions/client-hello.ts'
import type { NumberedEvent } from '../events/dialect.ts'
import type { Source } from '../identity/names.ts'

/** What comes next of a sensor: an event, or how many were missed before it. */
export type Step = NumberedEvent | { readonly missed: number }

/** How many events wait for `resumed` before the node is taken at its word without it. */
const MAX_HELD = 1_024

/**
 * How far each sensor of one run has been heard. Turns the events of a connection, which after a
 * resume come twice and out of order (PROTOCOL.md, "Resuming"), into each one once and in order.
 */
export class Progress {
  #run: Source | undefined
  readonly #heard = new Map<string, number>()
  readonly #held = new Map<string, NumberedEvent[]>()

  /** What to tell the next node of the last run that was heard. */
  get resume(): Resume | undefined {
    return this.#run === undefined || this.#heard.size === 0
      ? undefined
      : { run: this.#run, sensors: new Map(this.#heard) }
  }

  /** A connection begins. @returns whether it goes on where the last one ended */
  begin(run: Source): boolean {
    this.#held.clear()
    const goesOn = run === this.#run
    this.#run = run
    if (!goesOn) this.#heard.clear()
    for (const sensor of this.#heard.keys()) this.#held.set(sensor, [])
    return goesOn
  }

  /** Take an event that came. @returns what can be told now, in order */
  take(sensor: string, event: NumberedEvent): Step[] {
    const held = this.#held.get(sensor)
    if (held === undefined) return this.#advance(sensor, [event])
    held.push(event)
    return held.length < MAX_HELD ? [] : this.release(sensor)
  }

  /** The node has sent again what it held of a sensor. @returns what can be told now, in order */
  release(sensor: string): Step[] {
    const held = this.#held.get(sensor) ?? []
    this.#held.delete(sensor)
    return this.#advance(
      sensor,
      held.sort((one, other) => one.sequence - other.sequence),
    )
  }

  /** Begin a sensor anew: what comes of it next is the first event of it. */
  forget(sensor: string): void {
    this.#held.delete(sensor)
    this.#heard.delete(sensor)
  }

  #advance(sensor: string, events: readonly NumberedEvent[]): Step[] {
    const steps: Step[] = []
    for (const event of events) {
      const { sequence } = event
      const heard = this.#heard.get(sensor) ?? sequence - 1
      if (sequence <= heard) continue
      if (sequence > heard + 1) steps.push({ missed: sequence - heard - 1 })
      steps.push(event)
      this.#heard.set(sensor, sequence)
    }
    return steps
  }
}
