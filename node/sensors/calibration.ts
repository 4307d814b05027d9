import type { Clock } from '../lib/clock.ts'
import type { Sensor, SensorLog } from './sensor.ts'

export interface CalibrationOptions {
  readonly clock: Clock
  readonly log?: SensorLog | undefined
  /** Added to each reading, in its unit. Default 0. */
  readonly offset?: number | undefined
  /** The last day of its calibration, as `2027-03-31`; undefined where it has none. */
  readonly calibratedUntil?: string | undefined
}

/** How long before the end of a calibration is first warned of it. */
const NOTICE_MS = 30 * 86_400_000

/** How often is looked whether it has ended. */
const LOOK_MS = 86_400_000

/**
 * A sensor whose readings are corrected by what a laboratory has found. Warns once a day from 30 days
 * before its calibration ends; readings are told all the same, since no better ones are known.
 */
export function calibrated(sensor: Sensor, options: CalibrationOptions): Sensor {
  const { clock, log, offset = 0, calibratedUntil } = options
  const lastMoment =
    calibratedUntil === undefined ? undefined : Date.parse(calibratedUntil) + LOOK_MS
  return {
    ...sensor,
    calibratedUntil,
    watch: async (tell, signal) => {
      let lookedAt = -Infinity
      await sensor.watch(event => {
        if (event.type !== 'reading') return tell(event)
        if (lastMoment !== undefined && clock.monotonic() - lookedAt >= LOOK_MS) {
          lookedAt = clock.monotonic()
          warnOfEnd(lastMoment)
        }
        const value = Math.round((event.value + offset) * 1_000) / 1_000
        tell(offset === 0 ? event : { ...event, value })
      }, signal)
    },
  }

  function warnOfEnd(lastMoment: number): void {
    const leftMs = lastMoment - clock.now()
    if (leftMs > NOTICE_MS) return
    const text = leftMs > 0 ? 'the calibration ends soon' : 'the calibration has ended'
    const fix = `have it calibrated, and set sensors.${sensor.name}.calibratedUntil`
    log?.warn({ sensor: sensor.name, calibratedUntil, fix }, text)
  }
}
