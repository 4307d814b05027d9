import { signal } from '@preact/signals'

/** An alarm, as far as the page shows it. */
export interface Alarm {
  readonly id: string
  readonly node: string
  readonly sensor: string
  readonly rule: string
  readonly limit?: number
  readonly value?: number
  readonly since: number
  readonly until?: number
  readonly reason?: string
  readonly acknowledged?: { readonly by: string; readonly at: number; readonly comment: string }
}

/** The alarms that stand, as the node has told them. */
export const alarms = signal<readonly Alarm[]>([])

/** Take in what the node says of its alarms (PROTOCOL.md, "Alarms"). */
export function hearAlarm(event: string, value: unknown): void {
  alarms.value = afterNews(alarms.value, event, value)
}

/** The alarms that stand behind what a node has said of one, or of all. */
export function afterNews(
  before: readonly Alarm[],
  event: string,
  value: unknown,
): readonly Alarm[] {
  if (event === 'standing') {
    const ids = new Set(value as readonly string[])
    return before.filter(({ id }) => ids.has(id))
  }
  const alarm = value as Alarm
  const others = before.filter(({ id }) => id !== alarm.id)
  const stands = event === 'raised' || alarm.until === undefined
  return stands ? [...others, alarm].sort((a, b) => a.since - b.since) : others
}
