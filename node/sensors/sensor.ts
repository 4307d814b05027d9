import type { Log } from '../lib/log.ts'

/** What a sensor watches. */
export type SensorKind = 'door' | 'temperature'

/** What a sensor says. `at`: wall clock, milliseconds since 1970-01-01T00:00:00Z. */
export type SensorEvent =
  /** A door. `at` is when it was opened or closed, as far as the driver knows. */
  | { type: 'open' | 'close'; at: number }
  /** A thermometer. `value`: degrees Celsius, finite. */
  | { type: 'reading'; value: number; unit: 'C'; at: number }
  /** Of any kind: nothing is known since `at`. `reason` is for people, one short line. */
  | { type: 'unavailable'; reason: string; at: number }

/** Takes what a sensor says. Never throws. */
export type TellEvent = (event: SensorEvent) => void

/** One source of events. Its driver is a file beside this one. */
export interface Sensor {
  /** Unique on its node: `^[a-z][a-z0-9-]{0,31}$`. */
  readonly name: string
  readonly kind: SensorKind
  /**
   * Silence after which the sensor counts as unavailable, ms. Over the default of the feed, which
   * lets doors be silent for ever.
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

/** Which events each kind of sensor may give: the one place that says it. */
export const EVENT_TYPES: Readonly<Record<SensorKind, readonly SensorEvent['type'][]>> = {
  door: ['open', 'close', 'unavailable'],
  temperature: ['reading', 'unavailable'],
}

const NAME = /^[a-z][a-z0-9-]{0,31}$/

export function isSensorName(value: unknown): value is string {
  return typeof value === 'string' && NAME.test(value)
}

/** Whether a sensor of `kind` may say `event`: type, unit and finite numbers. */
export function mayGive(kind: SensorKind, event: SensorEvent): boolean {
  if (!EVENT_TYPES[kind].includes(event.type) || !Number.isFinite(event.at)) return false
  return event.type !== 'reading' || (event.unit === 'C' && Number.isFinite(event.value))
}
