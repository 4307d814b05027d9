import {
  countTo,
  nextForgotten,
  NO_TOTAL,
  shiftTotal,
  totalMs,
  type DayTotal,
} from './day-total.ts'
import { isHigh, judge, type Rule, type RuleEvent } from './rule.ts'

/** A time for which a rule was broken, whether or not for long enough to be an alarm. */
export interface Excursion {
  /** When it began. */
  readonly since: number
  /** The highest reading of it, or the lowest, where the rule is about readings. */
  readonly extreme?: number | undefined
  /** The newest reading. */
  readonly value?: number | undefined
  /** Why nothing is known, where the rule is about that. */
  readonly reason?: string | undefined
  /** Since when the rule has been kept again, by so little that this may not be the end of it. */
  readonly wellSince?: number | undefined
  /** For how long, within it, a rule about silence was kept: that is no part of how long it was broken. */
  readonly keptMs?: number | undefined
  /** When it became an alarm; undefined while it is none. */
  readonly raisedAt?: number | undefined
}

/** What is known to one rule of one sensor. */
export interface RuleState {
  readonly excursion?: Excursion | undefined
  /** Of a rule about a whole day. */
  readonly total?: DayTotal | undefined
}

/** What has become of a rule. */
export interface Step {
  readonly state: RuleState
  /** An excursion that has just become an alarm, or an alarm that has just ended, at `until`. */
  readonly outcome?:
    | { readonly state: 'raised'; readonly excursion: Excursion }
    | { readonly state: 'over'; readonly excursion: Excursion; readonly until: number }
    | undefined
  /** When time alone changes something next; undefined where it never does. */
  readonly dueAt?: number | undefined
}

/**
 * How long a rule must be kept by a little until its excursion is over: a sensor that comes and goes
 * has not recovered, and noise at a limit is one excursion.
 */
const SETTLED_MS = 60_000

/** A total of a day ends its alarm when it has fallen to this part of what is allowed. */
const FALLEN_TO = 0.9

/**
 * Take one event, or none, at a moment. Time must not go back; `shift` moves a state when a clock
 * was set. The event counts before the time that has passed: what comes late is not an alarm.
 * @param now in milliseconds since 1970, as the times of events
 */
export function advance(
  rule: Rule,
  state: RuleState,
  event: RuleEvent | undefined,
  now: number,
): Step {
  if (rule.type === 'high-per-day' || rule.type === 'low-per-day') {
    return pass(rule, state, event === undefined ? state.total : count(rule, state, event, now), {
      value: event?.type === 'reading' ? event.value : undefined,
      now,
    })
  }
  const heard = event === undefined ? { state } : hear(rule, state, event, now)
  return heard.outcome === undefined ? wait(rule, heard.state, now) : heard
}

/** The same state when the clock was set by `byMs` meanwhile: what has passed has passed. */
export function shift({ excursion, total }: RuleState, byMs: number): RuleState {
  const move = (at: number | undefined): number | undefined => (at === undefined ? at : at + byMs)
  return {
    total: total && shiftTotal(total, byMs),
    excursion: excursion && {
      ...excursion,
      since: excursion.since + byMs,
      wellSince: move(excursion.wellSince),
      raisedAt: move(excursion.raisedAt),
    },
  }
}

function hear(rule: Rule, { excursion }: RuleState, event: RuleEvent, now: number): Step {
  // No event is of later than now, whatever its sender's clock says.
  const at = Math.min(event.at, now)
  const value = event.type === 'reading' ? event.value : undefined
  const verdict = judge(rule, event)
  if (verdict === 'bad') {
    const reason = event.type === 'unavailable' ? event.reason : undefined
    const known = goneOn(rule, excursion, at) ?? { since: at }
    return {
      state: {
        excursion: { ...known, ...worst(rule, known, value), reason, wellSince: undefined },
      },
    }
  }
  if (excursion === undefined || verdict === 'unknown') return { state: { excursion } }
  const seen = { ...excursion, value: value ?? excursion.value }
  const from = Math.max(at, excursion.since)
  if (verdict === 'well') return end(seen, excursion.wellSince ?? from)
  return { state: { excursion: { ...seen, wellSince: excursion.wellSince ?? from } } }
}

/** Whether a rule is about that nothing is known, of a sensor or of a node. */
function isOfSilence({ type }: Rule): boolean {
  return type === 'unavailable' || type === 'unreachable'
}

/** An excursion that goes on: what was known meanwhile was not silent, while noise at a limit is past it. */
function goneOn(rule: Rule, excursion: Excursion | undefined, at: number): Excursion | undefined {
  if (excursion?.wellSince === undefined || !isOfSilence(rule)) return excursion
  const { keptMs = 0, wellSince } = excursion
  return { ...excursion, keptMs: keptMs + Math.max(0, at - wellSince) }
}

function wait(rule: Rule, state: RuleState, now: number): Step {
  const { excursion } = state
  if (excursion === undefined) return { state }
  const { since, wellSince, keptMs = 0, raisedAt } = excursion
  // A raised alarm about a limit ends when readings are well within it, and by nothing else.
  const settles = isOfSilence(rule) || raisedAt === undefined
  const settledAt = settles && wellSince !== undefined ? wellSince + SETTLED_MS : Infinity
  // While all is well again nothing is raised, though it may be too soon to call it over.
  const isBad = raisedAt === undefined && wellSince === undefined
  const raiseAt = isBad ? since + keptMs + rule.forMs : Infinity
  if (settledAt <= now) return end(excursion, wellSince ?? now)
  if (raiseAt <= now) {
    const raised = { ...excursion, raisedAt: now }
    const next = wait(rule, { excursion: raised }, now)
    return { ...next, outcome: { state: 'raised', excursion: raised } }
  }
  const dueAt = Math.min(settledAt, raiseAt)
  return { state, dueAt: dueAt < Infinity ? dueAt : undefined }
}

function end(excursion: Excursion, until: number): Step {
  const isAlarm = excursion.raisedAt !== undefined
  return { state: {}, outcome: isAlarm ? { state: 'over', excursion, until } : undefined }
}

/** What of an excursion a reading changes. */
function worst(
  { type }: Rule,
  { extreme, value: before }: Excursion,
  value: number | undefined,
): Pick<Excursion, 'extreme' | 'value'> {
  if (value === undefined) return { extreme, value: before }
  const further = isHigh(type) ? Math.max : Math.min
  return { value, extreme: extreme === undefined ? value : further(extreme, value) }
}

/** Count up to an event of a rule about a whole day, and on from there or not. */
function count(
  rule: Rule,
  { total = NO_TOTAL }: RuleState,
  event: RuleEvent,
  now: number,
): DayTotal {
  const verdict = judge(rule, event)
  if (verdict === 'unknown') return total
  const at = Math.min(event.at, now)
  const { spans, countedTo } = countTo(total, total.countedTo === undefined ? now : at)
  return { spans, countedTo: verdict === 'bad' ? (countedTo ?? at) : undefined }
}

/** Let time pass for a rule about a whole day. */
function pass(
  rule: Rule,
  { excursion: before }: RuleState,
  uncounted: DayTotal = NO_TOTAL,
  { value, now }: { value: number | undefined; now: number },
): Step {
  const total = countTo(uncounted, now)
  const sum = totalMs(total)
  const isPast = total.countedTo !== undefined
  const [first] = total.spans
  if (first === undefined && before === undefined) return { state: { total } }
  // What is forgotten is no part of an alarm to come.
  const since = before?.raisedAt === undefined ? first?.start : before.since
  const known = { ...before, since: since ?? now }
  const excursion = isPast
    ? { ...known, ...worst(rule, known, value) }
    : { ...known, value: value ?? known.value }
  if (excursion.raisedAt === undefined) {
    if (sum >= rule.forMs) {
      const raised = { ...excursion, raisedAt: now }
      const dueAt = isPast ? undefined : nextForgotten(total)
      return {
        state: { excursion: raised, total },
        outcome: { state: 'raised', excursion: raised },
        dueAt,
      }
    }
    const dueAt = isPast ? now + rule.forMs - sum : undefined
    return { state: { total, excursion: first && excursion }, dueAt }
  }
  if (isPast || sum > rule.forMs * FALLEN_TO) {
    return { state: { excursion, total }, dueAt: isPast ? undefined : nextForgotten(total) }
  }
  return { ...end(excursion, now), state: { total } }
}
