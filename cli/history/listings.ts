import { describeAcknowledgement, type Alarm } from '../../node/alarms/alarm.ts'
import { commandIn, eventIn, historyRows } from '../../node/history/page.ts'
import type { Span } from '../../node/history/reader.ts'
import { isAlarmType, type RecordedEvent } from '../../node/history/seal.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import { formatDuration } from '../duration.ts'
import type { CommandIo } from '../io.ts'
import type { Zone } from '../zone.ts'
import { alarmIn, describePast, readAlarms, type AlarmSubject } from './alarms.ts'
import { readKind, type HistorySource } from './source.ts'

/** What is listed, and how. */
export interface Listing {
  readonly sensor: string
  readonly span: Span
  readonly zone: Zone
  readonly json: boolean
}

/** Print every move, failure, alarm, start and stop. @returns how many */
export async function listEvents(
  source: HistorySource,
  { sensor, span, zone, json }: Listing,
  io: CommandIo,
): Promise<number> {
  const { ask, node } = source
  const kind = await readKind(source, sensor, span)
  let shown = 0
  for await (const row of historyRows(ask, { sensor, table: 'events', ...span })) {
    const event = eventIn(row)
    shown += 1
    const whose = foreignText(event.sensor ?? 'the node')
    const what = describeEvent(event, { node, sensor, kind })
    io.out(
      json
        ? JSON.stringify({ ...event, sensor: event.sensor ?? null })
        : `${zone.second(event.at)}  ${whose}  ${foreignText(what)}`,
    )
  }
  return shown
}

/** Print the alarms of the node that stood at any time of the span. @returns how many */
export async function listAlarms(
  source: HistorySource,
  { sensor, span, zone, json }: Listing,
  io: CommandIo,
): Promise<number> {
  const { ask, node } = source
  const kind = await readKind(source, sensor, span)
  const alarms = await readAlarms(ask, { node, sensor, kind }, { span, now: io.clock.now() })
  for (const alarm of alarms) io.out(json ? JSON.stringify(alarm) : alarmLine(alarm, span, zone))
  return alarms.length
}

/** Print who called which command; for operators. @returns how many calls */
export async function listCommands(
  source: HistorySource,
  { sensor, span, zone, json }: Listing,
  io: CommandIo,
): Promise<number> {
  const { ask, node } = source
  await readKind(source, sensor, span)
  let shown = 0
  for await (const row of historyRows(ask, { sensor, table: 'commands', ...span })) {
    const call = commandIn(row)
    shown += 1
    const words = [call.subject, call.command, call.outcome].map(foreignText).join('  ')
    io.out(
      json
        ? JSON.stringify({ node: node ?? null, ...call })
        : `${zone.second(call.at)}  ${node === undefined ? '' : `${node}  `}${words}`,
    )
  }
  return shown
}

/** An alarm, how long it lasted, and who has taken note of it, in a line. */
export function alarmLine(alarm: Alarm, span: Span, zone: Zone): string {
  const { since, until, acknowledged } = alarm
  const lasted = formatDuration(Math.max(0, (until ?? span.to) - since))
  const ended = until === undefined ? ', not over' : ''
  const what = foreignText(describePast(alarm))
  return `alarm from ${zone.minute(since)} for ${lasted}${ended}: ${what}; ${describeNote(acknowledged, zone)}`
}

/** Who has taken note of an alarm, in words. */
export function describeNote(acknowledged: Alarm['acknowledged'], zone: Zone): string {
  if (acknowledged === undefined) return 'not acknowledged'
  const { by, at, comment } = acknowledged
  const words = comment === '' ? '' : `: ${comment}`
  return foreignText(`acknowledged by ${by}, ${zone.minute(at)}${words}`)
}

function describeEvent(event: RecordedEvent, subject: AlarmSubject): string {
  const { type, detail } = event
  const alarm = isAlarmType(type) ? alarmIn(event, subject) : undefined
  if (alarm === undefined) return `${type}${detail === '' ? '' : `: ${detail}`}`
  const what = describePast(alarm)
  if (type !== 'acknowledged') return `alarm ${type}: ${what}`
  return `alarm acknowledged by ${describeAcknowledgement(alarm)} (${what})`
}
