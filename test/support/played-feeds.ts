import type { FeedListener, Feeds } from '../../node/sensors/feed.ts'
import type { SensorEvent } from '../../node/sensors/kinds.ts'
import type { Sensor } from '../../node/sensors/sensor.ts'

/** Feeds of sensors that a test speaks for. */
export interface PlayedFeeds extends Feeds {
  /** What one of the sensors says; listeners are told before this returns. */
  readonly say: (sensor: string, event: SensorEvent) => void
}

export function playFeeds(named: readonly Pick<Sensor, 'name' | 'kind'>[]): PlayedFeeds {
  const sensors = named.map(sensor => ({ ...sensor, watch: async () => undefined }))
  const listeners = new Set<FeedListener>()
  const last = new Map<string, SensorEvent>()
  return {
    sensors,
    last: name => last.get(name),
    subscribe: listener => {
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
    say: (name, event) => {
      last.set(name, event)
      const sensor = sensors.find(one => one.name === name)
      if (sensor !== undefined) for (const listener of listeners) listener(sensor, event)
    },
    [Symbol.asyncDispose]: async () => {},
  }
}
