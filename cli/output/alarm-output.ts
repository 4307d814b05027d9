import {
  describeAcknowledgement,
  describeAlarm,
  describeEnd,
  type AlarmChange,
} from '../../node/alarms/alarm.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import { formatMoment } from '../moment.ts'
import { styled } from './style.ts'

/** What happened to an alarm, as a line for people. */
export function formatAlarm({ state, alarm }: AlarmChange, hasColours: boolean): string {
  const where = `${foreignText(alarm.node)}  ${alarm.sensor}`
  const since = `since ${formatMoment(alarm.since)}`
  switch (state) {
    case 'raised':
      return styled(
        `ALARM  ${where}  ${foreignText(describeAlarm(alarm))}, ${since}`,
        'red',
        hasColours,
      )
    case 'over':
      return styled(`alarm over  ${where}  ${describeEnd(alarm)}`, 'green', hasColours)
    case 'acknowledged': {
      const who = foreignText(describeAcknowledgement(alarm))
      return `alarm acknowledged  ${where}  ${alarm.rule}, ${since}, by ${who}`
    }
  }
}
