import {
  describeAcknowledgement,
  describeAlarm,
  describeEnd,
  type AlarmChange,
} from '../../node/alarms/alarm.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import { formatMoment, formatTimeOfDay } from '../moment.ts'
import { styled } from './style.ts'

/** Whose limits an alarm is about: those of the node, or of whoever watches it. */
export type LimitsOf = 'node' | 'own'

/** What happened to an alarm while somebody watches, and when, as a line for people. */
export function formatWatchedAlarm(
  change: AlarmChange,
  limits: LimitsOf,
  hasColours: boolean,
): string {
  const { raisedAt, until = raisedAt, acknowledged } = change.alarm
  const at = { raised: raisedAt, over: until, acknowledged: acknowledged?.at ?? raisedAt }
  const whose = limits === 'own' ? 'own limit: ' : ''
  return `${formatTimeOfDay(at[change.state])}  ${formatAlarm(change, hasColours, whose)}`
}

/** What happened to an alarm, as a line for people. @param whose said before what is wrong */
export function formatAlarm(
  { state, alarm }: AlarmChange,
  hasColours: boolean,
  whose = '',
): string {
  const where = `${foreignText(alarm.node)}  ${alarm.sensor}`
  const since = `since ${formatMoment(alarm.since)}`
  switch (state) {
    case 'raised':
      return styled(
        `ALARM  ${where}  ${whose}${foreignText(describeAlarm(alarm))}, ${since}`,
        'red',
        hasColours,
      )
    case 'over':
      return styled(`alarm over  ${where}  ${whose}${describeEnd(alarm)}`, 'green', hasColours)
    case 'acknowledged': {
      const who = foreignText(describeAcknowledgement(alarm))
      return `alarm acknowledged  ${where}  ${alarm.rule}, ${since}, by ${who}`
    }
  }
}
