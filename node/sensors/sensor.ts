import type { Log } from '../lib/log.ts'
import type { SensorEvent, SensorKind } from './kinds.ts'

/** Takes what a sensor says. Never throws. */
export type TellEvent = (event: SensorEvent) => void

/** A source of events. Each driver is a file in `drivers/`. */
export interface Sensor {
  /** Unique on its node: `^[a-z][a-z0-9-]{0,31}$`. */
  readonly name: string
  readonly kind: SensorKind
  /**
   * Silence after which the sensor counts as unavailable, ms. Default that of its kind
   * (`SENSOR_KINDS`).
   */
  readonly silentAfterMs?: number | undefined
  /** The last day of its calibration, as `2027-03-31`; undefined where nobody has said one. */
  readonly calibratedUntil?: string | undefined
  /** Whether its values leave the node sealed, or not at all. Default false. */
  readonly isSealed?: boolean | undefined
  /**
   * Tell the events from now on; the state that is known already comes first. A fault that may pass
   * is an event, `unavailable`; a fault that needs a fresh start is thrown, its message the reason.
   * Resolves, with everything it opened closed, soon after `signal` aborts; events told after that
   * are dropped. The feed watches a sensor once at a time.
   */
  watch(tell: TellEvent, signal: AbortSignal): Promise<void>
}

/** The log that sensors write to. */
export type SensorLog = Log

const NAME = /^[a-z][a-z0-9-]{0,31}$/

export function isSensorName(value: unknown): value is string {
  return typeof value === 'string' && NAME.test(value)
}
