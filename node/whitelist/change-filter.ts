import { isName, isSubject, type Name, type Subject } from '../identity/names.ts'
import type { Change } from './change.ts'

/** Which changes an operator wants to see; what is absent excludes nothing. */
export interface ChangeFilter {
  readonly subject?: Subject
  readonly operator?: Name
  /** Wall-clock milliseconds: changes made then or later. */
  readonly since?: number
  /** Wall-clock milliseconds: changes made before. */
  readonly until?: number
}

/** Whether a change is wanted. */
export function fits(change: Change, { subject, operator, since, until }: ChangeFilter): boolean {
  return (
    (subject === undefined || change.subject === subject) &&
    (operator === undefined || change.operator === operator) &&
    (since === undefined || change.at >= since) &&
    (until === undefined || change.at < until)
  )
}

/** A filter from outside. @returns undefined when it is none */
export function readFilter(value: unknown): ChangeFilter | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { subject, operator, since, until, ...rest } = value as Record<string, unknown>
  if (Object.keys(rest).length > 0) return undefined
  if (subject !== undefined && !isSubject(subject)) return undefined
  if (operator !== undefined && !isName(operator)) return undefined
  if (since !== undefined && !Number.isSafeInteger(since)) return undefined
  if (until !== undefined && !Number.isSafeInteger(until)) return undefined
  return {
    ...(subject === undefined ? {} : { subject }),
    ...(operator === undefined ? {} : { operator }),
    ...(since === undefined ? {} : { since: since as number }),
    ...(until === undefined ? {} : { until: until as number }),
  }
}
