import type { AlarmChange } from '../../node/alarms/alarm.ts'
import { describeAlarm, describeEnd } from '../../node/alarms/alarm.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import { formatMoment } from '../moment.ts'

const RED = 31
const GREEN = 32

/** What happened to an alarm, as a line for people. @param isTerminal whether it is coloured */
export function formatAlarm({ state, alarm }: AlarmChange, isTerminal: boolean): string {
  const where = `${alarm.node}  ${alarm.sensor}`
  const since = `since ${formatMoment(alarm.since)}`
  switch (state) {
    case 'raised':
      return paint(
        `ALARM  ${where}  ${foreignText(describeAlarm(alarm))}, ${since}`,
        RED,
        isTerminal,
      )
    case 'over':
      return paint(`alarm over  ${where}  ${describeEnd(alarm)}`, GREEN, isTerminal)
    case 'acknowledged': {
      const { by = '', comment = '' } = alarm.acknowledged ?? {}
      const words = comment === '' ? by : `${by}: ${comment}`
      return `alarm acknowledged  ${where}  ${alarm.rule}, ${since}, by ${foreignText(words)}`
    }
  }
}

function paint(line: string, color: number, isTerminal: boolean): string {
  return isTerminal ? `\u001B[${color}m${line}\u001B[0m` : line
}
