import type { Clock } from '../lib/clock.ts'
import type { SensorEvent } from './kinds.ts'
import type { Sensor, TellEvent } from './sensor.ts'

/**
 * A door whose contact bounces: a move is told once it has held for `debounceMs`, at the moment when
 * it came. What is known first is told at once, and so is that nothing is known.
 */
export function debounced(sensor: Sensor, clock: Clock, debounceMs: number): Sensor {
  if (debounceMs === 0) return sensor
  return {
    ...sensor,
    watch: async (tell, signal) => {
      using debounce = new Debounce(clock, debounceMs, tell)
      await sensor.watch(event => debounce.take(event), signal)
    },
  }
}

class Debounce implements Disposable {
  readonly #clock: Clock
  readonly #ms: number
  readonly #tell: TellEvent
  #told: SensorEvent | undefined
  #held: { event: SensorEvent; timer: Disposable } | undefined

  constructor(clock: Clock, ms: number, tell: TellEvent) {
    this.#clock = clock
    this.#ms = ms
    this.#tell = tell
  }

  take(event: SensorEvent): void {
    if (event.type === this.#held?.event.type) return
    this[Symbol.dispose]()
    const isMove = event.type !== 'unavailable' && this.#told?.type !== 'unavailable'
    if (this.#told === undefined || !isMove) return this.#pass(event)
    if (event.type === this.#told.type) return
    const timer = this.#clock.after(this.#ms, () => this.#pass(event))
    this.#held = { event, timer }
  }

  /** Forget a move that did not hold. */
  [Symbol.dispose](): void {
    this.#held?.timer[Symbol.dispose]()
    this.#held = undefined
  }

  #pass(event: SensorEvent): void {
    this.#held = undefined
    this.#told = event
    this.#tell(event)
  }
}
