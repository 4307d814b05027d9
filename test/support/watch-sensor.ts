import type { SensorEvent } from '../../node/sensors/kinds.ts'
import type { Sensor } from '../../node/sensors/sensor.ts'

/** What a sensor tells, one event at a time. */
export interface Told {
  /** The next event; undefined when the sensor has ended. @throws what it failed with */
  readonly next: () => Promise<SensorEvent | undefined>
  /** Resolves when it has ended, however it did; at once when nothing was asked of it. */
  readonly ended: () => Promise<void>
}

/** Watch a sensor from the first call of `next` on. */
export function watchSensor(sensor: Sensor, signal: AbortSignal): Told {
  const events: SensorEvent[] = []
  let wake = Promise.withResolvers<void>()
  let watching: Promise<void> | undefined
  const tell = (event: SensorEvent): void => {
    events.push(event)
    wake.resolve()
  }
  return {
    next: async () => {
      watching ??= sensor.watch(tell, signal)
      if (events.length === 0) {
        wake = Promise.withResolvers<void>()
        await Promise.race([wake.promise, watching])
      }
      return events.shift()
    },
    ended: async () => watching?.catch(() => undefined),
  }
}
