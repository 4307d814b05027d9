import type { SensorEvent } from '../sensors/kinds.ts'
import { encodeEvent } from '../wire/emitter.ts'
import { encodeData } from '../wire/mux.ts'
import { sensorFrame } from './page-frames.ts'

/** The two kinds of connection that sensors are served on (PROTOCOL.md). */
export type Dialect = 'plain' | 'fridge/1'

/** How events are encoded: in a dialect on streams of mux-demux, or for pages. */
export type Encoding = Dialect | 'page'

export const ENCODINGS: readonly Encoding[] = ['plain', 'fridge/1', 'page']

/** An event of a sensor, and its number among the events of that sensor in this run: 1, 2, 3… */
export interface NumberedEvent {
  readonly event: SensorEvent
  readonly sequence: number
}

/** A sensor event as the values that are emitted. */
function eventValues(
  { event, sequence }: NumberedEvent,
  encoding: Encoding,
): [string, ...unknown[]] {
  const isPlain = encoding === 'plain'
  switch (event.type) {
    case 'reading':
      return [event.type, event.value, event.unit, ...(isPlain ? [] : [event.at, sequence])]
    case 'unavailable':
      return [event.type, event.reason, ...(isPlain ? [] : [event.at, sequence])]
    default:
      return [event.type, event.at, ...(isPlain ? [] : [sequence])]
  }
}

/** An event as JSON: of a text on its stream, for pages of its values. */
export function encode(event: NumberedEvent, encoding: Encoding): string {
  const values = eventValues(event, encoding)
  return JSON.stringify(encoding === 'page' ? values : encodeEvent(...values))
}

/** What goes on the wire. @param encoded for each event the id of its stream, and its JSON */
export function framesOf(
  encoding: Encoding,
  encoded: readonly (readonly [id: string, json: string])[],
): Buffer {
  if (encoding === 'page') return Buffer.concat(encoded.map(one => sensorFrame(...one)))
  return Buffer.from(encoded.map(one => encodeData(...one)).join(''))
}
