import type { Feeds } from '../sensors/feed.ts'
import { SENSOR_KINDS, type SensorKind } from '../sensors/kinds.ts'
import type { Alarms, WatchedSensor } from './alarms.ts'
import type { Outbox, Receiver } from './outbox.ts'
import type { Rule, RuleType } from './rule.ts'
import type { Silence, Silences } from './silences.ts'

/** How the fridge is, in numbers. */
export interface FridgeNumbers {
  readonly sensors: readonly SensorNumbers[]
  readonly alarms: readonly AlarmNumbers[]
  /** Who is configured to be told of alarms. */
  readonly receivers: readonly ReceiverNumbers[]
}

export interface SensorNumbers {
  readonly sensor: string
  readonly kind: SensorKind
  readonly isAvailable: boolean
  /** The newest reading, or 1 for an open door and 0 for a closed one; undefined where none holds, or it is sealed. */
  readonly value: number | undefined
  /** For how long nothing has been known, and why; undefined while something is. */
  readonly silence: Silence | undefined
}

/** One rule of one sensor. */
export interface AlarmNumbers {
  readonly sensor: string
  readonly rule: RuleType
  readonly isRaised: boolean
  readonly isAcknowledged: boolean
}

/** One receiver of alarms. */
export interface ReceiverNumbers {
  readonly receiver: Receiver
  /** How many changes of alarms it has not been told yet. */
  readonly waiting: number
  /** Why it is told nothing now, with its name, for people; undefined while it is. */
  readonly whyNot: string | undefined
}

/** What the numbers are of. */
export interface NumbersSource {
  readonly feeds: Pick<Feeds, 'sensors' | 'last'>
  readonly alarms: Pick<Alarms, 'standing'>
  readonly rulesOf: (sensor: WatchedSensor) => readonly Rule[]
  readonly silences: Silences
  readonly outboxes: ReadonlyMap<Receiver, Pick<Outbox, 'unsent' | 'whyNot'>>
}

export function numbersOf({
  feeds,
  alarms,
  rulesOf,
  silences,
  outboxes,
}: NumbersSource): FridgeNumbers {
  const standing = alarms.standing()
  return {
    sensors: feeds.sensors.map(sensor => {
      const { name, kind, isSealed } = sensor
      const last = feeds.last(name)
      const isAvailable = last !== undefined && last.type !== 'unavailable'
      const isMeasured = SENSOR_KINDS[kind].quantity !== undefined
      const known =
        last?.type === 'reading'
          ? last.value
          : isAvailable && !isMeasured
            ? Number(last.type === 'open')
            : undefined
      const value = isSealed === true ? undefined : known
      const silence = silences.of(sensor)
      const told =
        silence !== undefined && isSealed === true ? { ...silence, reason: 'sealed' } : silence
      return { sensor: name, kind, isAvailable, value, silence: told }
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
    receivers: Array.from(outboxes, ([receiver, { unsent, whyNot }]) => ({
      receiver,
      waiting: unsent.length,
      whyNot,
    })),
  }
}
