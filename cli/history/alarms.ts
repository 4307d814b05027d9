import { describeCause, describeRule, type Alarm } from '../../node/alarms/alarm.ts'
import { parseAlarm } from '../../node/alarms/parse.ts'
import { isHigh } from '../../node/alarms/rule.ts'
import type { Excursion } from '../../node/history/limits.ts'
import { eventIn, historyRows, type AskHistory } from '../../node/history/page.ts'
import type { Span } from '../../node/history/reader.ts'
import type { RecordedEvent } from '../../node/history/seal.ts'
import { isRecord } from '../../node/lib/record.ts'
import { formatReading, type SensorKind } from '../../node/sensors/kinds.ts'

/** An excursion, and the alarms that the node has raised about it. */
export interface NotedExcursion extends Excursion {
  readonly alarms: readonly Alarm[]
}

/** Whose alarms are read. */
export interface AlarmSubject {
  readonly node: string | undefined
  readonly sensor: string
  readonly kind: SensorKind
}

/** The alarm that an event of a history tells of; undefined where it tells of none that is known. */
export function alarmIn({ detail }: RecordedEvent, subject: AlarmSubject): Alarm | undefined {
  try {
    const alarm: unknown = JSON.parse(detail)
    const { node = '', sensor, kind } = subject
    return isRecord(alarm) ? parseAlarm({ ...alarm, node, sensor, kind }) : undefined
  } catch {
    return undefined
  }
}

/**
 * The alarms of a sensor that stood at any time of a span, as they are now: whoever takes note of
 * one may do so later, and one may have been raised long before.
 */
export async function readAlarms(
  ask: AskHistory,
  subject: AlarmSubject,
  { span, now }: { readonly span: Span; readonly now: number },
): Promise<Alarm[]> {
  const { sensor } = subject
  const to = Math.max(now, span.to)
  const alarms = new Map<string, Alarm>()
  for await (const row of historyRows(ask, { sensor, table: 'alarms', from: 0, to })) {
    const alarm = alarmIn(eventIn(row), subject)
    if (alarm !== undefined) alarms.set(alarm.id, alarm)
  }
  return [...alarms.values()]
    .filter(({ since, until = Infinity }) => since < span.to && until > span.from)
    .sort((a, b) => a.since - b.since)
}

/** Put beside each excursion the alarms that were about it. */
export function noteExcursions(
  excursions: readonly Excursion[],
  alarms: readonly Alarm[],
): NotedExcursion[] {
  return excursions.map(excursion => ({
    ...excursion,
    alarms: alarms.filter(alarm => isAbout(alarm, excursion)),
  }))
}

function isAbout(alarm: Alarm, { limit, since, until = Infinity }: Excursion): boolean {
  const { rule } = alarm
  if (rule === 'open' || rule === 'unavailable') return false
  if (isHigh(rule) !== (limit.side === 'high')) return false
  return alarm.since < until && (alarm.until ?? Infinity) > since
}

/** What an alarm was about, for people: `above 8 °C for more than 1h, at worst 9.50 °C`. */
export function describePast(alarm: Alarm): string {
  const { kind, extreme, reason } = alarm
  const worst =
    extreme === undefined || kind === 'node' ? '' : `, at worst ${formatReading(kind, extreme)}`
  const why = alarm.rule === 'unavailable' && reason !== undefined ? `: ${reason}` : ''
  const cause = describeCause(alarm)
  const end = cause === undefined ? '' : `; over: ${cause}`
  return `${describeRule(alarm)}${worst}${why}${end}`
}
