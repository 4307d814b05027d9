import { isBox, isEpoch, MAX_EVENT_BOX, parseChannelInfo } from '../seal/format.ts'
import type { ChannelInfo, Sealed } from '../seal/format.ts'
import {
  isMove,
  isSensorKind,
  isUnit,
  mayGive,
  type SensorEvent,
  type SensorKind,
} from '../sensors/kinds.ts'
import { isSensorName } from '../sensors/sensor.ts'
import type { NumberedEvent } from './dialect.ts'

/** A sensor of a node. */
export interface SensorInfo {
  readonly name: string
  readonly kind: SensorKind
  /** The channel in which it is sealed; absent where it is not. */
  readonly sealed?: ChannelInfo
}

/** The longest reason of a sensor that is kept, in UTF-16 units: it is one short line. */
const MAX_REASON = 1_024

/** Whether a value can be the number of an event: 1, 2, 3… */
export function isSequence(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}

/** An event of a sealed sensor. */
export interface SealedEvent extends Sealed {
  readonly sequence: number
}

/** Check what a node says of a sensor. @returns undefined for what is none */
export function parseSensorInfo(value: unknown): SensorInfo | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { name, kind, sealed } = value as Record<string, unknown>
  if (!isSensorName(name) || !isSensorKind(kind)) return undefined
  const channel = sealed === undefined ? undefined : parseChannelInfo(sealed)
  return channel === undefined ? { name, kind } : { name, kind, sealed: channel }
}

/**
 * Check an event of a sensor (PROTOCOL.md, "Clients").
 * @returns undefined for an event that a sensor of this kind does not give
 */
export function parseSensorEvent(
  kind: SensorKind,
  type: string,
  values: readonly unknown[],
): NumberedEvent | undefined {
  const [at, sequence] = values.slice(-2)
  if (typeof at !== 'number' || !isSequence(sequence)) return undefined
  const event = eventOf(type, values.slice(0, -2), at)
  return event !== undefined && mayGive(kind, event) ? { event, sequence } : undefined
}

function eventOf(
  type: string,
  [value, unit]: readonly unknown[],
  at: number,
): SensorEvent | undefined {
  switch (type) {
    case 'reading':
      return typeof value === 'number' && isUnit(unit) ? { type, value, unit, at } : undefined
    case 'unavailable':
      return typeof value === 'string'
        ? { type, reason: value.slice(0, MAX_REASON), at }
        : undefined
    default:
      return isMove(type) ? { type, at } : undefined
  }
}

/** Check the values of an event `sealed`. @returns undefined when they are malformed */
export function parseSealedEvent([epoch, box, sequence]: readonly unknown[]):
  | SealedEvent
  | undefined {
  if (!isEpoch(epoch) || !isBox(box, MAX_EVENT_BOX) || !isSequence(sequence)) return undefined
  return { epoch, box, sequence }
}
