import type { SensorEvent } from '../sensors/kinds.ts'
import { encodeEvent } from '../wire/emitter.ts'
import { encodeData } from '../wire/mux.ts'
import { sensorFrame } from './page-frames.ts'
import type { EventSeal } from './event-seal.ts'

/** The two kinds of connection that sensors are served on (PROTOCOL.md). */
export type Dialect = 'plain' | 'fridge/1'

/**
 * How events are encoded: in a dialect on streams of mux-demux, for pages, or for pages of 2016, which
 * are sent some sealed sensors as g-crypt encrypts them.
 */
export type Encoding = Dialect | 'page' | 'old page'

export const ENCODINGS: readonly Encoding[] = ['plain', 'fridge/1', 'page', 'old page']

/** An event of a sensor, and its number among the events of that sensor in this run: 1, 2, 3… */
export interface NumberedEvent {
  readonly event: SensorEvent
  readonly sequence: number
  /** What it is to those who are told no value; undefined where its sensor is not sealed. */
  readonly seal?: EventSeal | undefined
}

/** Why the plain protocol knows nothing of a sealed sensor. */
const SEALED = 'sealed: it is told to the holders of its passphrase, and not in this protocol'

/** A sensor event as the values that are emitted. */
function eventValues(
  { event, sequence, seal }: NumberedEvent,
  encoding: Encoding,
): [string, ...unknown[]] {
  const isPlain = encoding === 'plain'
  if (seal !== undefined) {
    if (isPlain) return ['unavailable', SEALED]
    const { epoch, box } = seal.sealed
    return ['sealed', epoch, box, sequence]
  }
  switch (event.type) {
    case 'reading':
      return [event.type, event.value, event.unit, ...(isPlain ? [] : [event.at, sequence])]
    case 'unavailable':
      return [event.type, event.reason, ...(isPlain ? [] : [event.at, sequence])]
    default:
      return [event.type, event.at, ...(isPlain ? [] : [sequence])]
  }
}

/** Whether an encoding tells nothing by an event: that a sensor is sealed is told once. */
export function isSilent({ seal, sequence }: NumberedEvent, encoding: Encoding): boolean {
  return encoding === 'plain' && seal !== undefined && sequence > 1
}

/** An event as JSON: of a text on its stream, for pages of its values, for old pages perhaps of one text. */
export function encode(event: NumberedEvent, encoding: Encoding): string {
  const gcrypt = encoding === 'old page' ? event.seal?.gcrypt : undefined
  if (gcrypt !== undefined) return JSON.stringify(gcrypt)
  const values = eventValues(event, encoding)
  return JSON.stringify(isOfPages(encoding) ? values : encodeEvent(...values))
}

function isOfPages(encoding: Encoding): boolean {
  return encoding === 'page' || encoding === 'old page'
}

/** What goes on the wire. @param encoded for each event the id of its stream, and its JSON */
export function framesOf(
  encoding: Encoding,
  encoded: readonly (readonly [id: string, json: string])[],
): Buffer {
  if (isOfPages(encoding)) return Buffer.concat(encoded.map(one => sensorFrame(...one)))
  return Buffer.from(encoded.map(one => encodeData(...one)).join(''))
}
