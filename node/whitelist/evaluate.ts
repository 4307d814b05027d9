import { nodeOf, roleOf, subjectOf, type Source, type Subject } from '../identity/names.ts'
import type { Change, Grant, Place } from './change.ts'
import { isStray, strayPlace, type Stray } from './entry.ts'
import type { LoggedChange } from './store.ts'
import type { Whitelist } from './whitelist.ts'

/** What decides about one subject: its marks, and the places of the grants that stand. */
export interface Evaluated {
  readonly marks: ReadonlyMap<Source, number>
  /** `source sequence`. */
  readonly grants: ReadonlySet<string>
}

/**
 * The whitelist by its definition (PROTOCOL.md, "Merging"), from a whole log at once and in no
 * order, to check by it the list that nodes merge change by change. The two have nothing in common
 * but where a stray stands.
 */
export function evaluateLog(log: readonly (LoggedChange | Stray)[]): Map<Subject, Evaluated> {
  const forks = new Map<Source, number>()
  for (const one of log) {
    if (!isStray(one)) continue
    const { source, sequence } = one.entry.change
    forks.set(source, Math.min(forks.get(source) ?? Infinity, sequence))
  }
  const withdrawals = log.flatMap(one => {
    const change = isStray(one) ? one.entry.change : one.change
    return change.kind === 'revocation' && change.upTo !== undefined ? [change] : []
  })
  const isVoid = ({ subject, operator, source }: Change, places: readonly Place[]): boolean => {
    if (roleOf(subject) !== 'client') return false
    const authors = [subjectOf('operator', operator), subjectOf('node', nodeOf(source))]
    return withdrawals.some(
      withdrawal =>
        authors.includes(withdrawal.subject) &&
        places.every(place => (withdrawal.upTo?.get(place.source) ?? 0) < place.sequence),
    )
  }
  const bySubject = new Map<Subject, Change[]>()
  for (const one of log) {
    const change = isStray(one) ? movedOf(one) : one.change
    const isForked = !isStray(one) && (forks.get(change.source) ?? Infinity) <= change.sequence
    const places = isStray(one) ? [change, one.entry.change] : [change]
    if (isForked || isVoid(change, places)) continue
    const changes = bySubject.get(change.subject)
    if (changes === undefined) bySubject.set(change.subject, [change])
    else changes.push(change)
  }
  return new Map(Array.from(bySubject, ([subject, changes]) => [subject, evaluate(changes)]))
}

function evaluate(changes: readonly Change[]): Evaluated {
  const grants = changes.filter(change => change.kind === 'grant')
  const marks = greatest(changes.filter(change => change.kind === 'revocation'))
  // No grant has seen itself: what any of them has seen has been replaced.
  const replaced = greatest(
    grants.flatMap(({ seen }) => Array.from(seen, ([source, sequence]) => ({ source, sequence }))),
  )
  const stands = ({ seen, source, sequence }: Grant): boolean =>
    [...marks].every(([other, mark]) => (seen.get(other) ?? 0) >= mark) &&
    sequence > (replaced.get(source) ?? 0)
  return { marks, grants: new Set(grants.filter(stands).map(placeText)) }
}

function greatest(places: readonly Place[]): Map<Source, number> {
  const found = new Map<Source, number>()
  for (const { source, sequence } of places) {
    found.set(source, Math.max(found.get(source) ?? 0, sequence))
  }
  return found
}

/** A stray counts at a place of its own. */
function movedOf({ entry }: Stray): Change {
  return { ...entry.change, ...strayPlace(entry) }
}

function placeText({ source, sequence }: Place): string {
  return `${source} ${sequence}`
}

/** The subjects about which a list that was merged and one that was evaluated differ. */
export function differences(
  merged: Pick<Whitelist, 'subjects' | 'state'>,
  evaluated: ReadonlyMap<Subject, Evaluated>,
): Subject[] {
  const subjects = new Set([
    ...evaluated.keys(),
    ...Array.from(merged.subjects(), ([subject]) => subject),
  ])
  return [...subjects].filter(subject => {
    const { marks, grants } = merged.state(subject)
    const expected = evaluated.get(subject)
    return (
      !isEqual(marks, expected?.marks ?? new Map()) ||
      new Set(grants.map(placeText)).symmetricDifference(expected?.grants ?? new Set()).size > 0
    )
  })
}

function isEqual(a: ReadonlyMap<Source, number>, b: ReadonlyMap<Source, number>): boolean {
  return a.size === b.size && [...a].every(([source, sequence]) => b.get(source) === sequence)
}
