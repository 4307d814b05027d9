import { parseSensorInfo, type SensorInfo } from '../events/told-sensor.ts'
import { isName, isSource, type Name, type Source } from '../identity/names.ts'
import type { Hello } from '../wire/control.ts'

export type { SensorInfo } from '../events/told-sensor.ts'

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
