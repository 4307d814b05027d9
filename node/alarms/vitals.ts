import { isRecord } from '../lib/record.ts'
import type { Feeds } from '../sensors/feed.ts'
import {
  isMove,
  isSensorKind,
  mayGive,
  SENSOR_KINDS,
  type SensorEvent,
  type SensorKind,
} from '../sensors/kinds.ts'
import { isSensorName, type Sensor } from '../sensors/sensor.ts'
import type { Alarm, AlarmKind } from './alarm.ts'
import type { Alarms } from './alarms.ts'
import { isAlarmId, isAlarmKind, isFinite, isRuleType, isText, MAX_NODE_NAME } from './parse.ts'
import type { RuleType } from './rule.ts'

/** What a node says of one of its sensors to all others. */
export interface SensorVitals {
  readonly sensor: string
  readonly kind: SensorKind
  /** Its newest event; undefined where it has said nothing yet, and where it is sealed. */
  readonly event: SensorEvent | undefined
  /** That something is known of it that its node tells the holders of a passphrase alone. */
  readonly isSealed?: true
}

/** What stands for all that a sealed sensor says. */
const SEALED = 'sealed'

/** What a node says of an alarm that stands. */
export interface AlarmVitals extends Pick<Alarm, 'id' | 'sensor' | 'since' | 'forMs' | 'limit'> {
  readonly kind: AlarmKind
  readonly rule: RuleType
  readonly isAcknowledged: boolean
  /** The node that it is about, where that is another one. */
  readonly about?: string
}

/** How the fridge of a node is, as the node says it in *members* (PROTOCOL.md, "Members"). */
export interface NodeVitals {
  readonly sensors: readonly SensorVitals[]
  readonly alarms: readonly AlarmVitals[]
  /** How many sensors and alarms had no room. */
  readonly more: number
  /** Why its history is not recorded; undefined while it is. */
  readonly unrecorded?: string
  /** Who is not told of alarms, and why; undefined where all are told. */
  readonly untold?: string
}

/** What the vitals of a node are made of. */
export interface VitalsSource {
  readonly node: string
  readonly feeds: Pick<Feeds, 'sensors' | 'last'>
  readonly alarms: Pick<Alarms, 'standing'>
  /** Whether the history is recorded. */
  readonly recording: { readonly whyNot: string | undefined }
  /** Whether alarms are told to whoever is configured. */
  readonly telling: { readonly whyNot: string | undefined }
}

type Row = readonly (string | number | null)[]

/** The longest reason why a sensor is unavailable, in UTF-16 units: the log of its node has all of it. */
const MAX_REASON = 60

/** The longest reason why a history is not recorded, or alarms are not told, in bytes. */
const MAX_WHY_NOT = 200

/** What stands around the rows. */
const FRAME_BYTES = Buffer.byteLength('{"alarms":[],"sensors":[],"more":9999}')

/**
 * The vitals of a node as they are sent, in so many bytes of JSON. Where there is no room for all,
 * what is wrong comes first: alarms that nobody has taken note of, others, sensors that fail, doors.
 */
export function encodeVitals(
  { node, feeds, alarms, recording, telling }: VitalsSource,
  maxBytes: number,
): Record<string, unknown> {
  const [unrecorded, untold] = [recording, telling].map(({ whyNot }) => whyNot && shorten(whyNot))
  const told = {
    ...(unrecorded !== undefined && { unrecorded }),
    ...(untold !== undefined && { untold }),
  }
  const standing = alarms.standing().sort((a, b) => rank(a) - rank(b))
  const sensors = feeds.sensors
    .map(sensor => ({ sensor, last: feeds.last(sensor.name) }))
    .sort((a, b) => urgency(a.last) - urgency(b.last))
  let left = maxBytes - FRAME_BYTES - Buffer.byteLength(JSON.stringify(told))
  let more = 0
  const fitting = (rows: readonly Row[]): Row[] =>
    rows.filter(row => {
      const bytes = Buffer.byteLength(JSON.stringify(row)) + 1
      const fits = bytes <= left
      if (fits) left -= bytes
      else more += 1
      return fits
    })
  const rows = {
    alarms: fitting(standing.map(alarm => alarmRow(node, alarm))),
    sensors: fitting(sensors.map(({ sensor, last }) => sensorRow(sensor, last))),
  }
  return { ...told, ...rows, ...(more > 0 && { more }) }
}

/** As much of a reason as there is room for, and a sign where that is not all. */
function cutTo(length: number, reason: string): string {
  return reason.length <= length
    ? reason.toWellFormed()
    : `${reason.slice(0, length - 1).toWellFormed()}…`
}

/** The same by bytes, whatever characters it has. */
function shorten(reason: string): string {
  const fits = (text: string): boolean =>
    Buffer.byteLength(JSON.stringify(text)) <= MAX_WHY_NOT + '""'.length
  let length = Math.min(reason.length, MAX_WHY_NOT)
  while (!fits(cutTo(length, reason))) length -= 1
  return cutTo(length, reason)
}

function rank({ acknowledged }: Alarm): number {
  return acknowledged === undefined ? 0 : 1
}

function urgency(last: SensorEvent | undefined): number {
  if (last === undefined || last.type === 'unavailable') return 0
  return last.type === 'reading' ? 2 : 1
}

function sensorRow(
  { name, kind, isSealed }: Pick<Sensor, 'name' | 'kind' | 'isSealed'>,
  last?: SensorEvent,
): Row {
  if (last === undefined) return [name, kind, null, 0]
  // Not even when: the moments of a door say much of those who open it.
  if (isSealed === true) {
    return last.type === 'unavailable'
      ? [name, kind, null, last.at, SEALED]
      : [name, kind, SEALED, 0]
  }
  const { type, at } = last
  if (type === 'unavailable') {
    const { reason } = last
    return [name, kind, null, at, cutTo(MAX_REASON, reason)]
  }
  return [name, kind, type === 'reading' ? last.value : type, at]
}

function alarmRow(self: string, alarm: Alarm): Row {
  const { id, node, sensor, kind, rule, since, forMs, limit = null, acknowledged } = alarm
  const row = [id, sensor, kind, rule, since, forMs, limit, acknowledged === undefined ? 0 : 1]
  return node === self ? row : [...row, node]
}

/** Check what a node says of itself: another node has carried it. @returns undefined for what is none */
export function parseVitals(value: unknown): NodeVitals | undefined {
  if (!isRecord(value)) return undefined
  const { sensors = [], alarms = [], more = 0, unrecorded, untold } = value
  if (!Array.isArray(sensors) || !Array.isArray(alarms) || !isFinite(more)) return undefined
  return {
    // What a later version says of kinds and rules that this one does not know is passed over.
    sensors: sensors.flatMap(row => parseSensor(row) ?? []),
    alarms: alarms.flatMap(row => parseAlarmRow(row) ?? []),
    more: Math.max(0, Math.round(more)),
    ...(isText(unrecorded, MAX_WHY_NOT) && { unrecorded }),
    ...(isText(untold, MAX_WHY_NOT) && { untold }),
  }
}

function parseSensor(row: unknown): SensorVitals | undefined {
  if (!Array.isArray(row)) return undefined
  const [sensor, kind, value, at, reason] = row as unknown[]
  if (!isSensorName(sensor) || !isSensorKind(kind) || !isFinite(at)) return undefined
  if (value === SEALED) return { sensor, kind, event: undefined, isSealed: true }
  if (value === null && at === 0) return { sensor, kind, event: undefined }
  const event = eventOf(kind, value, at, reason)
  return event !== undefined && mayGive(kind, event) ? { sensor, kind, event } : undefined
}

function eventOf(
  kind: SensorKind,
  value: unknown,
  at: number,
  reason: unknown,
): SensorEvent | undefined {
  if (value === null && isText(reason, MAX_REASON)) {
    return { type: 'unavailable', reason, at }
  }
  if (isMove(value)) return { type: value, at }
  const { quantity } = SENSOR_KINDS[kind]
  if (quantity === undefined || !isFinite(value)) return undefined
  return { type: 'reading', value, unit: quantity.unit, at }
}

function parseAlarmRow(row: unknown): AlarmVitals | undefined {
  if (!Array.isArray(row)) return undefined
  const [id, sensor, kind, rule, since, forMs, limit, noted, about] = row as unknown[]
  if (!isAlarmId(id) || !isSensorName(sensor) || !isAlarmKind(kind) || !isRuleType(rule)) {
    return undefined
  }
  if (!isFinite(since) || !isFinite(forMs) || (limit !== null && !isFinite(limit))) return undefined
  if (about !== undefined && !isText(about, MAX_NODE_NAME)) return undefined
  return {
    id,
    sensor,
    kind,
    rule,
    since,
    forMs,
    ...(limit !== null && { limit }),
    isAcknowledged: noted === 1,
    ...(about !== undefined && { about }),
  }
}
