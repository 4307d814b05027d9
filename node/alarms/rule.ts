import type { SensorEvent } from '../sensors/kinds.ts'

/** The types of rules. A sensor has at most one of each. */
export const RULE_TYPES = [
  'high',
  'low',
  'high-per-day',
  'low-per-day',
  'open',
  'unavailable',
  'unreachable',
] as const

export type RuleType = (typeof RULE_TYPES)[number]

/** What may not be for long. Limits are in the unit of the sensor's kind. */
export type Rule = LimitRule | DayRule | OpenRule | UnavailableRule | UnreachableRule

/** A limit that readings may not pass for `forMs` in one go. */
export interface LimitRule {
  readonly type: 'high' | 'low'
  /** The highest, or lowest, that is well. */
  readonly limit: number
  readonly forMs: number
  /** How far within the limit a reading must be to end an alarm, 0 or more. */
  readonly hysteresis: number
}

/** A limit that readings may not pass for longer than `forMs` in all within 24 hours. */
export interface DayRule {
  readonly type: 'high-per-day' | 'low-per-day'
  readonly limit: number
  readonly forMs: number
}

/** How long a door may be open. */
export interface OpenRule {
  readonly type: 'open'
  readonly forMs: number
}

/** How long nothing may be known of a sensor of any kind. */
export interface UnavailableRule {
  readonly type: 'unavailable'
  readonly forMs: number
}

/** How long a node may be out of reach of others. */
export interface UnreachableRule {
  readonly type: 'unreachable'
  readonly forMs: number
}

/** What a rule hears: of a sensor its events, of a node that it is out of reach, or is not. */
export type RuleEvent = SensorEvent | { readonly type: 'reached'; readonly at: number }

/**
 * What an event says to a rule: `bad`, that it is broken; `well`, that it is not; `within`, that it
 * is not but has hardly been kept; `unknown`, nothing.
 */
export type Verdict = 'bad' | 'well' | 'within' | 'unknown'

export function judge(rule: Rule, event: RuleEvent): Verdict {
  if (rule.type === 'unavailable' || rule.type === 'unreachable')
    return event.type === 'unavailable' ? 'bad' : 'within'
  // Unknown is not well: what was broken is broken still.
  if (event.type === 'unavailable') return 'unknown'
  if (rule.type === 'open') return event.type === 'open' ? 'bad' : 'well'
  if (event.type !== 'reading') return 'unknown'
  const past = pastBy(rule, event.value)
  if (past > 0) return 'bad'
  const hysteresis = 'hysteresis' in rule ? rule.hysteresis : 0
  return past <= -hysteresis ? 'well' : 'within'
}

/** How far a reading is past the limit of a rule; negative within it. */
export function pastBy({ type, limit }: LimitRule | DayRule, value: number): number {
  return isHigh(type) ? value - limit : limit - value
}

export function isHigh(type: RuleType): boolean {
  return type === 'high' || type === 'high-per-day'
}
