import type { Log } from '../lib/log.ts'
import type { SensorEvent, SensorKind } from './kinds.ts'

/** Takes what a sensor says. Never throws. */
export type TellEvent = (event: SensorEvent) => void

/** One source of events. Its driver is a file beside this one. */
export interface Sensor {
  /** Unique on its node: `^[a-z][a-z0-9-]{0,31}$`. */
  readonly name: string
  readonly kind: SensorKind
  /**
   * Silence after which the sensor counts as unavailable, ms. Default that of its kind
   * (`SENSOR_KINDS`).
   */
  readonly silentAfterMs?: number | undefined
  /**
   * Tell the events from now on; what is known already comes first. A fault that may pass is an
   * event, `unavailable`; one that needs a fresh start is thrown, its message the reason. Resolves,
   * with everything it opened closed, soon after `signal` aborts; what is told after that is
   * dropped. The feed has it watched once at a time.
   */
  watch(tell: TellEvent, signal: AbortSignal): Promise<void>
}

/** What sensors write to. */
export type SensorLog = Log

const NAME = /^[a-z][a-z0-9-]{0,31}$/

export function isSensorName(value: unknown): value is string {
  return typeof value === 'string' && NAME.test(value)
}
