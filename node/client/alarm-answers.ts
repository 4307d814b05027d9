import type { Alarm } from '../alarms/alarm.ts'
import { parseAlarm } from '../alarms/parse.ts'
import { isRecord } from '../lib/record.ts'

/** The alarms of one node. */
export interface AlarmLists {
  readonly standing: Alarm[]
  /** The newest that are over, oldest first. */
  readonly past: Alarm[]
}

/** Check what a node answers to `alarms`; alarms that are malformed are passed over. */
export function parseAlarmLists(answer: unknown): AlarmLists | undefined {
  if (!isRecord(answer)) return undefined
  const { standing, past } = answer
  if (!Array.isArray(standing) || !Array.isArray(past)) return undefined
  return { standing: standing.flatMap(known), past: past.flatMap(known) }
}

function known(value: unknown): Alarm[] {
  const alarm = parseAlarm(value)
  return alarm === undefined ? [] : [alarm]
}
