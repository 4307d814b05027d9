import type { Clock } from '../lib/clock.ts'
import { SENSOR_KINDS, type SensorEvent } from './kinds.ts'
import type { Sensor, SensorLog, TellEvent } from './sensor.ts'

export interface PaceOptions {
  readonly clock: Clock
  readonly log?: SensorLog | undefined
  /** The shortest time between two events, ms; 0 lets each through. */
  readonly minIntervalMs: number
}

/** Events of a kind of which each counts that may come at once. */
const MOVES_AT_ONCE = 64

/**
 * A sensor that tells no more than its clients can take: of what comes faster only the newest counts.
 * A measuring sensor tells the newest reading of one turn of the event loop; of a door that moves
 * faster than any door can, the first moves are told, and then where it stands at each interval.
 */
export function paced(sensor: Sensor, options: PaceOptions): Sensor {
  if (options.minIntervalMs === 0) return sensor
  return {
    ...sensor,
    watch: async (tell, signal) => {
      using pace = new Pace(sensor, options, tell)
      try {
        await sensor.watch(event => pace.take(event), signal)
      } finally {
        pace.flush()
      }
    },
  }
}

class Pace implements Disposable {
  readonly #sensor: Sensor
  readonly #options: PaceOptions
  readonly #tell: TellEvent
  readonly #atOnce: number
  /** How many events may be told now, and when that was so. */
  #tokens: number
  #tokensAt: number
  #newest: SensorEvent | undefined
  #timer: Disposable | undefined
  #turn: NodeJS.Immediate | undefined
  #hasWarned = false

  constructor(sensor: Sensor, options: PaceOptions, tell: TellEvent) {
    this.#sensor = sensor
    this.#options = options
    this.#tell = tell
    this.#atOnce = SENSOR_KINDS[sensor.kind].onlyNewestCounts ? 1 : MOVES_AT_ONCE
    this.#tokens = this.#atOnce
    this.#tokensAt = options.clock.monotonic()
  }

  take(event: SensorEvent): void {
    const isWaiting = this.#newest !== undefined
    this.#newest = event
    if (isWaiting) return
    if (this.#atOnce > 1) this.#tellWhenAllowed()
    else this.#turn = setImmediate(() => this.#tellWhenAllowed())
  }

  /** Tell what waits, for the sensor has ended. */
  flush(): void {
    const event = this.#newest
    this.#newest = undefined
    if (event !== undefined) this.#tell(event)
  }

  [Symbol.dispose](): void {
    clearImmediate(this.#turn)
    this.#timer?.[Symbol.dispose]()
  }

  #tellWhenAllowed(): void {
    const { clock, minIntervalMs, log } = this.#options
    const now = clock.monotonic()
    this.#tokens = Math.min(this.#atOnce, this.#tokens + (now - this.#tokensAt) / minIntervalMs)
    this.#tokensAt = now
    if (this.#tokens >= 1) {
      this.#tokens -= 1
      return this.flush()
    }
    if (!this.#hasWarned) {
      this.#hasWarned = true
      const fields = { sensor: this.#sensor.name, minIntervalMs }
      log?.warn(fields, 'the sensor says more than is told: only the newest counts')
    }
    const waitMs = (1 - this.#tokens) * minIntervalMs
    this.#timer = clock.after(waitMs, () => this.#tellWhenAllowed())
  }
}
