import type { Alarm, AlarmChange, AlarmState } from '../alarms/alarm.ts'

/** The alarms of one node as a client was told them: says each change once, however often it comes. */
export class AlarmMemory {
  #standing = new Map<string, Alarm>()

  /** The alarms that stand, as far as is known. */
  get standing(): readonly Alarm[] {
    return [...this.#standing.values()]
  }

  /** Only these stand. @returns what was over meanwhile */
  begin(ids: readonly string[]): AlarmChange[] {
    const over = this.standing.filter(({ id }) => !ids.includes(id))
    for (const { id } of over) this.#standing.delete(id)
    // What was read when it was over is not known: the newest reading was one of the alarm.
    return over.map(({ value: _value, ...alarm }) => ({ state: 'over', alarm }))
  }

  /** @returns what is new of it */
  take(state: AlarmState, alarm: Alarm): AlarmChange[] {
    const { id } = alarm
    const before = this.#standing.get(id)
    if (state === 'over') this.#standing.delete(id)
    // An alarm may be acknowledged after it is over.
    else if (state === 'raised' || before !== undefined) this.#standing.set(id, alarm)
    if (state !== 'raised' || before === undefined) return [{ state, alarm }]
    const isNoted = before.acknowledged === undefined && alarm.acknowledged !== undefined
    return isNoted ? [{ state: 'acknowledged', alarm }] : []
  }

  /** A sensor may be read no more: nothing is known of its alarms. */
  forget(sensor: string): void {
    for (const alarm of this.standing) {
      if (alarm.sensor === sensor) this.#standing.delete(alarm.id)
    }
  }
}
