import type { FridgeNumbers } from '../alarms/numbers.ts'

/** Makes a gauge with these labels that is filled at each scrape. */
export type AddGauge = (
  name: string,
  help: string,
  labels: readonly string[],
  fill: (set: (labels: Record<string, string>, value: number) => void) => void,
) => void

/** What Prometheus is told of the fridge itself: of the sensors, and of the rules for alarms. */
export function describeFridge(add: AddGauge, numbers: () => FridgeNumbers): void {
  add(
    'fridge_sensor_available',
    'Whether anything is known of a sensor: 1 or 0.',
    ['sensor', 'kind'],
    set => {
      for (const { sensor, kind, isAvailable } of numbers().sensors) {
        set({ sensor, kind }, Number(isAvailable))
      }
    },
  )
  add(
    'fridge_sensor_value',
    'The newest reading of a sensor, °C or %; of a door 1 while it is open, or 0. None while nothing is known.',
    ['sensor', 'kind'],
    set => {
      for (const { sensor, kind, value } of numbers().sensors) {
        if (value !== undefined) set({ sensor, kind }, value)
      }
    },
  )
  add('fridge_alarm', 'Whether the alarm of a rule stands: 1 or 0.', ['sensor', 'rule'], set => {
    for (const { sensor, rule, isRaised } of numbers().alarms)
      set({ sensor, rule }, Number(isRaised))
  })
  add(
    'fridge_alarm_acknowledged',
    'Whether somebody has taken note of the alarm that stands: 1 or 0.',
    ['sensor', 'rule'],
    set => {
      for (const { sensor, rule, isAcknowledged } of numbers().alarms) {
        set({ sensor, rule }, Number(isAcknowledged))
      }
    },
  )
}
