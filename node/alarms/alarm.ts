import { hash } from 'node:crypto'
import { formatDuration } from '../lib/duration.ts'
import { formatReading, type SensorKind } from '../sensors/kinds.ts'
import { isHigh, type RuleType } from './rule.ts'

/** That somebody has taken note of an alarm. */
export interface Acknowledgement {
  readonly by: string
  readonly at: number
  readonly comment: string
}

/** What an alarm is about: a sensor of a kind, or a node as others see it. */
export type AlarmKind = SensorKind | 'node'

/** An excursion that has lasted for longer than a rule allows. Times in milliseconds since 1970. */
export interface Alarm {
  /** Twelve hexadecimal digits; the same however often the alarm is told. */
  readonly id: string
  readonly node: string
  /** Its sensor; `node` where the node itself is out of reach. */
  readonly sensor: string
  readonly kind: AlarmKind
  readonly rule: RuleType
  /** The limit that was passed, where the rule has one. */
  readonly limit?: number | undefined
  /** How long it may be. */
  readonly forMs: number
  /** When the excursion began. */
  readonly since: number
  /** When it became an alarm. */
  readonly raisedAt: number
  /** When it was over; undefined where it goes on. */
  readonly until?: number | undefined
  /** The newest reading, where the sensor measures. */
  readonly value?: number | undefined
  /** The highest or lowest of it. */
  readonly extreme?: number | undefined
  /** Why nothing is known of the sensor, where that is the alarm. */
  readonly reason?: string | undefined
  readonly acknowledged?: Acknowledgement | undefined
  /** Why it is over where nothing became better: its rule was changed or removed, or its sensor was. */
  readonly ended?: AlarmEnd | undefined
}

/** What has ended an alarm that nothing has made better. */
export type AlarmEnd = 'rule' | 'sensor'

/** What has just happened to an alarm. */
export type AlarmState = 'raised' | 'over' | 'acknowledged'

export interface AlarmChange {
  readonly state: AlarmState
  readonly alarm: Alarm
}

/** The longest comment, in UTF-16 units. */
export const MAX_COMMENT = 500

/** What makes an excursion another one than all others. */
export interface AlarmOrigin extends Pick<Alarm, 'node' | 'sensor' | 'rule' | 'since'> {
  /** Whose rule it breaks, where that is not the node's. */
  readonly watcher?: string | undefined
  /** How many with the same of all that were before it: several may begin within one millisecond. */
  readonly repeats?: number | undefined
}

/** An excursion has one id, on each of its days and in each run of its node. */
export function alarmId({ node, sensor, rule, since, watcher, repeats = 0 }: AlarmOrigin): string {
  const also = [...(watcher === undefined ? [] : [watcher]), ...(repeats === 0 ? [] : [repeats])]
  return hash('sha256', JSON.stringify([node, sensor, rule, since, ...also])).slice(0, 12)
}

/** What is wrong, for people: `9.50 °C, above 8 °C for more than 1h`. */
export function describeAlarm(alarm: Alarm): string {
  const { kind, rule, value, reason = 'nothing is known' } = alarm
  const text = describeRule(alarm)
  if (rule === 'open') return `${text}: close it`
  if (rule === 'unavailable' || kind === 'node') return `${text}: ${reason}`
  return value === undefined ? text : `${formatReading(kind, value)}, ${text}`
}

/** What `describeRule` looks at. */
type DescribedRule = Pick<Alarm, 'kind' | 'rule' | 'limit' | 'forMs'>

/** What may not be, for people: `above 8 °C for more than 1h`. */
export function describeRule({ kind, rule, limit, forMs }: DescribedRule): string {
  const duration = formatDuration(forMs)
  const forLong = forMs === 0 ? '' : ` for more than ${duration}`
  if (kind === 'node') return `out of reach${forLong}`
  if (rule === 'open' || rule === 'unavailable') return `${rule}${forLong}`
  const text = `${isHigh(rule) ? 'above' : 'below'} ${formatLimit(kind, limit)}`
  if (rule === 'high' || rule === 'low') return `${text}${forLong}`
  return `${text} for more than ${duration} within 24h`
}

/** Why an alarm is over that nothing else has ended, for people. */
const ENDS: Readonly<Record<AlarmEnd, string>> = {
  rule: 'its rule was changed or removed',
  sensor: 'its sensor was removed',
}

/** The same of an alarm; undefined where it is over because something became better. */
export function describeCause({ ended }: Pick<Alarm, 'ended'>): string | undefined {
  return ended && ENDS[ended]
}

/** What the end of an alarm means, for people. */
export function describeEnd(alarm: Alarm): string {
  const { kind, rule, value, limit, extreme } = alarm
  const cause = describeCause(alarm)
  if (cause !== undefined) return cause
  if (kind === 'node') return 'no longer out of reach'
  switch (rule) {
    case 'open':
      return 'closed'
    case 'unavailable':
      return 'available again'
    default: {
      const now = value === undefined ? '' : `${formatReading(kind, value)}, `
      const most = extreme === undefined ? '' : `; it was ${formatReading(kind, extreme)}`
      return `${now}${isHigh(rule) ? 'back below' : 'back above'} ${formatLimit(kind, limit)}${most}`
    }
  }
}

/** Who has taken note of an alarm, and what of it, for people: `client/c1: moved to fridge 2`. */
export function describeAcknowledgement({ acknowledged }: Pick<Alarm, 'acknowledged'>): string {
  const { by = '', comment = '' } = acknowledged ?? {}
  return comment === '' ? by : `${by}: ${comment}`
}

/** What has happened to an alarm, for people. */
export function describeChange({ state, alarm }: AlarmChange): string {
  if (state === 'over') return describeEnd(alarm)
  if (state === 'raised') return describeAlarm(alarm)
  return `acknowledged by ${describeAcknowledgement(alarm)}`
}

/** A change of an alarm as other programs are told it: with a text that they can show to a person. */
export function toJson(change: AlarmChange): string {
  const { state, alarm } = change
  return JSON.stringify({ type: 'alarm', state, text: describeChange(change), ...alarm })
}

function formatLimit(kind: SensorKind, limit = NaN): string {
  return formatReading(kind, limit).replace(/\.?0+(?= |$)/, '')
}
