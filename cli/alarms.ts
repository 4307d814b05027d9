import type { AlarmChange } from '../node/alarms/alarm.ts'
import { Alarms } from '../node/alarms/alarms.ts'
import type { Rule } from '../node/alarms/rule.ts'
import type { SensorInfo } from '../node/client/node-hello.ts'
import type { Clock } from '../node/lib/clock.ts'
import type { SensorEvent, SensorKind } from '../node/sensors/kinds.ts'
import { HYSTERESIS } from '../node/sensors/presets.ts'

/** The limits of somebody who watches, beside those that the nodes have themselves. */
export interface OwnLimits {
  /** How long a door may be open, in milliseconds. Default for ever. */
  readonly doorTimeoutMs?: number | undefined
  /** The warmest that is no alarm, °C. Default any. */
  readonly maxTemperature?: number | undefined
  /** The coldest that is no alarm, °C. Default any. */
  readonly minTemperature?: number | undefined
  /** How long it may be warmer or colder, in milliseconds. Default not at all. */
  readonly forMs?: number | undefined
}

/** How long nothing may be known of a sensor that is under a limit, in milliseconds, at least. */
const UNAVAILABLE_FOR_MS = 60_000

/** The rules that limits mean for a sensor of a kind. */
export function rulesOf(limits: OwnLimits, kind: SensorKind): Rule[] {
  const { doorTimeoutMs, maxTemperature, minTemperature, forMs = 0 } = limits
  const rules: Rule[] = []
  if (kind === 'door' && doorTimeoutMs !== undefined) {
    rules.push({ type: 'open', forMs: doorTimeoutMs })
  }
  if (kind === 'temperature') {
    if (maxTemperature !== undefined) {
      rules.push({ type: 'high', limit: maxTemperature, forMs, hysteresis: HYSTERESIS })
    }
    if (minTemperature !== undefined) {
      rules.push({ type: 'low', limit: minTemperature, forMs, hysteresis: HYSTERESIS })
    }
  }
  const longest = Math.max(UNAVAILABLE_FOR_MS, ...rules.map(rule => rule.forMs))
  return rules.length === 0 ? [] : [...rules, { type: 'unavailable', forMs: longest }]
}

export interface LimitWatchOptions {
  readonly clock: Clock
  readonly limits: OwnLimits
  readonly onAlarm: (change: AlarmChange) => void
}

interface WatchedNode {
  readonly alarms: Alarms
  /** Between the clock of the node and ours. */
  readonly skew: { clockAheadMs: number }
}

/**
 * Watches nodes under limits of its own, each apart and by the clock of that node, with the engine
 * that nodes have. What is known of a node outlives that it is lost: it goes on where it was.
 */
export class LimitWatch implements Disposable {
  readonly #options: LimitWatchOptions
  readonly #nodes = new Map<string, WatchedNode>()

  constructor(options: LimitWatchOptions) {
    this.#options = options
  }

  /** @param clockAheadMs how far the clock of the node is ahead of ours, in milliseconds */
  greet(node: string, clockAheadMs: number): void {
    const watched = this.#nodes.get(node)
    if (watched === undefined) this.#nodes.set(node, this.#watch(node, clockAheadMs))
    else watched.skew.clockAheadMs = clockAheadMs
  }

  hear(node: string, sensor: SensorInfo, event: SensorEvent): void {
    this.#nodes.get(node)?.alarms.hear(sensor, event)
  }

  /** A sensor may be read no more: nothing can be said of it. */
  forget(node: string, sensor: string): void {
    this.#nodes.get(node)?.alarms.forget(sensor)
  }

  [Symbol.dispose](): void {
    for (const { alarms } of this.#nodes.values()) alarms[Symbol.dispose]()
    this.#nodes.clear()
  }

  #watch(node: string, clockAheadMs: number): WatchedNode {
    const { clock, limits, onAlarm } = this.#options
    const skew = { clockAheadMs }
    const alarms = new Alarms({
      node,
      watcher: 'fridge client watch',
      clock: {
        now: () => clock.now() + skew.clockAheadMs,
        monotonic: () => clock.monotonic(),
        after: (ms, task) => clock.after(ms, task),
      },
      rulesOf: ({ kind }) => (kind === 'node' ? [] : rulesOf(limits, kind)),
    })
    alarms.subscribe(onAlarm)
    return { alarms, skew }
  }
}
