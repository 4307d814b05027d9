import type { SensorEvent } from '../sensors/kinds.ts'
import { encodeEvent } from '../wire/emitter.ts'

/** The two kinds of connection that sensors are served on (PROTOCOL.md). */
export type Dialect = 'plain' | 'fridge/1'

/** An event of a sensor, and its number among the events of that sensor in this run: 1, 2, 3… */
export interface NumberedEvent {
  readonly event: SensorEvent
  readonly sequence: number
}

/** A sensor event as the values that a dialect emits. */
function eventValues({ event, sequence }: NumberedEvent, dialect: Dialect): [string, ...unknown[]] {
  const isPlain = dialect === 'plain'
  switch (event.type) {
    case 'reading':
      return [event.type, event.value, event.unit, ...(isPlain ? [] : [event.at, sequence])]
    case 'unavailable':
      return [event.type, event.reason, ...(isPlain ? [] : [event.at, sequence])]
    default:
      return [event.type, event.at, ...(isPlain ? [] : [sequence])]
  }
}

/** An event as the JSON of a text on its stream. */
export function encode(event: NumberedEvent, dialect: Dialect): string {
  return JSON.stringify(encodeEvent(...eventValues(event, dialect)))
}
