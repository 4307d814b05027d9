import { isRecord } from '../lib/record.ts'
import { isSensorKind } from '../sensors/kinds.ts'
import { isSensorName } from '../sensors/sensor.ts'
import {
  MAX_COMMENT,
  type Acknowledgement,
  type Alarm,
  type AlarmEnd,
  type AlarmKind,
} from './alarm.ts'
import { RULE_TYPES, type RuleType } from './rule.ts'

/** The longest text of an alarm but for comments, in UTF-16 units. */
const MAX_TEXT = 1_024

/** The longest name of a node, in UTF-16 units (PROTOCOL.md, "Identity"). */
export const MAX_NODE_NAME = 64

export function isRuleType(value: unknown): value is RuleType {
  return RULE_TYPES.some(type => type === value)
}

function isAlarmEnd(value: unknown): value is AlarmEnd {
  return value === 'rule' || value === 'sensor'
}

export function isAlarmKind(value: unknown): value is AlarmKind {
  return value === 'node' || isSensorKind(value)
}

export function isFinite(value: unknown): value is number {
  return Number.isFinite(value)
}

function isOptional(value: unknown): value is number | undefined {
  return value === undefined || isFinite(value)
}

export function isText(value: unknown, max = MAX_TEXT): value is string {
  return typeof value === 'string' && value.length <= max
}

export function isAlarmId(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{12}$/.test(value)
}

/** @returns undefined for what says nothing or is malformed */
export function parseAcknowledgement(value: unknown): Acknowledgement | undefined {
  if (!isRecord(value)) return undefined
  const { by, at, comment } = value
  if (!isText(by) || !isFinite(at) || !isText(comment, MAX_COMMENT)) return undefined
  return { by, at, comment }
}

/** Check an alarm of another program, or of a file. @returns undefined where it is malformed */
export function parseAlarm(value: unknown): Alarm | undefined {
  if (!isRecord(value)) return undefined
  const { id, node, sensor, kind, rule, forMs, since, raisedAt, reason } = value
  const { limit, until, value: reading, extreme } = value
  if (!isAlarmId(id) || !isText(node) || !isSensorName(sensor)) return undefined
  if (!isAlarmKind(kind) || !isRuleType(rule)) return undefined
  if (!isFinite(forMs) || !isFinite(since) || !isFinite(raisedAt)) return undefined
  if (![limit, until, reading, extreme].every(isOptional)) return undefined
  if (reason !== undefined && !isText(reason)) return undefined
  const acknowledged = parseAcknowledgement(value['acknowledged'])
  if (acknowledged === undefined && value['acknowledged'] !== undefined) return undefined
  return {
    id,
    node,
    sensor,
    kind,
    rule,
    forMs,
    since,
    raisedAt,
    ...(isFinite(limit) && { limit }),
    ...(isFinite(until) && { until }),
    ...(isFinite(reading) && { value: reading }),
    ...(isFinite(extreme) && { extreme }),
    ...(reason !== undefined && { reason }),
    ...(acknowledged !== undefined && { acknowledged }),
    // What a later version says there, this one does not know.
    ...(isAlarmEnd(value['ended']) && { ended: value['ended'] }),
  }
}
