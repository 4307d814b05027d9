import type { Feeds } from '../sensors/feed.ts'
import { SENSOR_KINDS, type SensorKind } from '../sensors/kinds.ts'
import type { Alarms, WatchedSensor } from './alarms.ts'
import type { Rule, RuleType } from './rule.ts'

/** How the fridge is, in numbers. */
export interface FridgeNumbers {
  readonly sensors: readonly SensorNumbers[]
  readonly alarms: readonly AlarmNumbers[]
}

export interface SensorNumbers {
  readonly sensor: string
  readonly kind: SensorKind
  readonly isAvailable: boolean
  /** The newest reading, or 1 for an open door and 0 for a closed one; undefined where none holds. */
  readonly value: number | undefined
}

/** One rule of one sensor. */
export interface AlarmNumbers {
  readonly sensor: string
  readonly rule: RuleType
  readonly isRaised: boolean
  readonly isAcknowledged: boolean
}

export function numbersOf(
  feeds: Pick<Feeds, 'sensors' | 'last'>,
  alarms: Pick<Alarms, 'standing'>,
  rulesOf: (sensor: WatchedSensor) => readonly Rule[],
): FridgeNumbers {
  const standing = alarms.standing()
  return {
    sensors: feeds.sensors.map(({ name, kind }) => {
      const last = feeds.last(name)
      const isAvailable = last !== undefined && last.type !== 'unavailable'
      const isMeasured = SENSOR_KINDS[kind].quantity !== undefined
      const value =
        last?.type === 'reading'
          ? last.value
          : isAvailable && !isMeasured
            ? Number(last.type === 'open')
            : undefined
      return { sensor: name, kind, isAvailable, value }
    }),
    alarms: feeds.sensors.flatMap(sensor =>
      rulesOf(sensor).map(({ type: rule }) => {
        const alarm = standing.find(one => one.sensor === sensor.name && one.rule === rule)
        return {
          sensor: sensor.name,
          rule,
          isRaised: alarm !== undefined,
          isAcknowledged: alarm?.acknowledged !== undefined,
        }
      }),
    ),
  }
}
