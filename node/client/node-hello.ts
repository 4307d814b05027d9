import { isSequence } from '../sessions/client-hello.ts'
import type { NumberedEvent } from '../events/dialect.ts'
import { isName, isSource, type Name, type Source } from '../identity/names.ts'
import {
  isMove,
  isSensorKind,
  isUnit,
  mayGive,
  type SensorEvent,
  type SensorKind,
} from '../sensors/kinds.ts'
import { parseChannelInfo, type ChannelInfo } from '../seal/format.ts'
import { isSensorName } from '../sensors/sensor.ts'
import type { Hello } from '../wire/control.ts'

/** A sensor of a node. */
export interface SensorInfo {
  readonly name: string
  readonly kind: SensorKind
  /** The channel in which it is sealed; absent where it is not. */
  readonly sealed?: ChannelInfo
}

/** The longest reason of a sensor that is kept, in UTF-16 units: it is one short line. */
const MAX_REASON = 1_024

/** What a node says first. */
export interface NodeHello {
  readonly node: Name
  /** The run of the node within which events are numbered. */
  readonly run: Source
  readonly version: string
  /** What its clock says, in milliseconds since 1970; undefined where it does not tell. */
  readonly time: number | undefined
  readonly sensors: readonly SensorInfo[]
}

/** Check the hello of a node; fields that are not known are ignored. @returns why it is refused */
export function parseNodeHello({
  node,
  run,
  version,
  time,
  sensors = [],
}: Hello): NodeHello | string {
  if (!isName(node)) return 'a hello names no node'
  if (!isSource(run)) return 'a hello names no run'
  if (typeof version !== 'string') return 'a hello names no version'
  const infos = Array.isArray(sensors) ? sensors.map(parseSensorInfo) : [undefined]
  if (!infos.every(info => info !== undefined)) return 'a hello has malformed sensors'
  return { node, run, version, time: isMoment(time) ? time : undefined, sensors: infos }
}

/** The last moment that a `Date` can be, in milliseconds since 1970 (ECMA-262, "Time Values"). */
const MAX_TIME = 8.64e15

function isMoment(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= MAX_TIME
}

function parseSensorInfo(value: unknown): SensorInfo | undefined {
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
