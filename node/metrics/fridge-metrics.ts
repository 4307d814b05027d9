import type { FridgeNumbers } from '../alarms/numbers.ts'
import { parseVitals, type NodeVitals, type SensorVitals } from '../alarms/vitals.ts'
import type { Members } from '../gossip/members.ts'
import type { MetricsRegistry } from './registry.ts'

/** What Prometheus is told of the fridge itself: of the sensors, and of the rules for alarms. */
export function describeFridge(registry: MetricsRegistry, numbers: () => FridgeNumbers): void {
  registry.fills(
    'fridge_sensor_available',
    'Whether anything is known of a sensor: 1 or 0.',
    ['sensor', 'kind'],
    set => {
      for (const { sensor, kind, isAvailable } of numbers().sensors) {
        set({ sensor, kind }, Number(isAvailable))
      }
    },
  )
  registry.fills(
    'fridge_sensor_value',
    'The newest reading of a sensor, °C or %; of a door 1 while it is open, or 0. None while nothing is known.',
    ['sensor', 'kind'],
    set => {
      for (const { sensor, kind, value } of numbers().sensors) {
        if (value !== undefined) set({ sensor, kind }, value)
      }
    },
  )
  registry.fills(
    'fridge_alarm',
    'Whether the alarm of a rule stands: 1 or 0.',
    ['sensor', 'rule'],
    set => {
      for (const { sensor, rule, isRaised } of numbers().alarms)
        set({ sensor, rule }, Number(isRaised))
    },
  )
  registry.fills(
    'fridge_alarm_acknowledged',
    'Whether somebody has taken note of the alarm that stands: 1 or 0.',
    ['sensor', 'rule'],
    set => {
      for (const { sensor, rule, isAcknowledged } of numbers().alarms) {
        set({ sensor, rule }, Number(isAcknowledged))
      }
    },
  )
  registry.fills(
    'fridge_alarm_receiver_up',
    'Whether the webhook, the program or the broker can be told of alarms, as far as is known: 1 or 0.',
    ['receiver'],
    set => {
      for (const { receiver, whyNot } of numbers().receivers) {
        set({ receiver }, Number(whyNot === undefined))
      }
    },
  )
  registry.fills(
    'fridge_alarm_changes_waiting',
    'Changes of alarms that a receiver has not been told yet.',
    ['receiver'],
    set => {
      for (const { receiver, waiting } of numbers().receivers) set({ receiver }, waiting)
    },
  )
}

/** What Prometheus is told of all fridges, as the nodes that are alive say it of themselves. */
export function describeFleet(registry: MetricsRegistry, members: Pick<Members, 'live'>): void {
  const vitals = (): NodeVitals[] =>
    Array.from(members.live().values(), member => parseVitals(member.vitals)).filter(
      one => one !== undefined,
    )
  registry.fills(
    'fridge_fleet_sensors',
    'Sensors of all nodes that this one can reach, itself included, by whether anything is known of them.',
    ['state'],
    set => {
      const sensors = vitals().flatMap(one => one.sensors)
      const unavailable = sensors.filter(isUnknown).length
      set({ state: 'available' }, sensors.length - unavailable)
      set({ state: 'unavailable' }, unavailable)
    },
  )
  registry.fills(
    'fridge_fleet_alarms',
    'Alarms that stand at all nodes that this one can reach, itself included, by whether somebody has taken note of them.',
    ['state'],
    set => {
      const alarms = vitals().flatMap(one => one.alarms)
      const acknowledged = alarms.filter(({ isAcknowledged }) => isAcknowledged).length
      set({ state: 'acknowledged' }, acknowledged)
      set({ state: 'not acknowledged' }, alarms.length - acknowledged)
    },
  )
}

function isUnknown({ event, isSealed }: SensorVitals): boolean {
  return isSealed !== true && (event === undefined || event.type === 'unavailable')
}
