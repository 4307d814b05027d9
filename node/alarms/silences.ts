import type { Clock } from '../lib/clock.ts'
import type { Feeds } from '../sensors/feed.ts'
import { UNAVAILABLE_FOR_MS } from '../sensors/presets.ts'
import type { WatchedSensor } from './alarms.ts'
import type { Rule } from './rule.ts'

/** A sensor of which nothing is known. */
export interface Silence {
  readonly sensor: string
  /** For how long, in milliseconds. */
  readonly ms: number
  readonly reason: string
  /** Whether that is longer than its rule allows, or 15 minutes where it has none. */
  readonly isTooLong: boolean
}

export interface SilencesOptions {
  readonly feeds: Pick<Feeds, 'sensors' | 'subscribe' | 'last'>
  readonly rulesOf: (sensor: WatchedSensor) => readonly Rule[]
  readonly clock: Pick<Clock, 'monotonic'>
}

/** Knows for how long nothing has been known of each sensor, whether or not that is an alarm. */
export class Silences implements Disposable {
  readonly #options: SilencesOptions
  /** Since when nothing has been known of a sensor, on the monotonic clock; no entry while it is. */
  readonly #since = new Map<string, number>()
  readonly #subscription: Disposable

  constructor(options: SilencesOptions) {
    const { feeds, clock } = options
    this.#options = options
    for (const { name } of feeds.sensors) this.#since.set(name, clock.monotonic())
    this.#subscription = feeds.subscribe(({ name }, event) => {
      if (event.type !== 'unavailable') this.#since.delete(name)
      else if (!this.#since.has(name)) this.#since.set(name, clock.monotonic())
    })
  }

  /** Of a sensor; undefined while something is known of it. */
  of(sensor: WatchedSensor): Silence | undefined {
    const { feeds, clock, rulesOf } = this.#options
    const since = this.#since.get(sensor.name)
    if (since === undefined) return undefined
    const last = feeds.last(sensor.name)
    const reason = last?.type === 'unavailable' ? last.reason : 'it has said nothing yet'
    const rule = rulesOf(sensor).find(({ type }) => type === 'unavailable')
    const ms = clock.monotonic() - since
    return { sensor: sensor.name, ms, reason, isTooLong: ms > (rule?.forMs ?? UNAVAILABLE_FOR_MS) }
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
  }
}
