import type { Source, Subject } from '../../node/identity/names.ts'
import type { Change, Grant, Place } from '../../node/whitelist/change.ts'
import type { SubjectState } from '../../node/whitelist/merge.ts'

/**
 * The whitelist as it is defined, and nothing clever: the set of all changes. A grant stands if
 * it has seen every revocation of its subject and no other grant has seen it.
 */
export function standingGrants(changes: Iterable<Change>, subject: Subject): Grant[] {
  const about = [...unique(changes)].filter(change => change.subject === subject)
  const grants = about.filter(change => change.kind === 'grant')
  const revocations = about.filter(change => change.kind === 'revocation')
  return grants.filter(
    grant =>
      revocations.every(revocation => hasSeen(grant, revocation)) &&
      !grants.some(other => placeText(other) !== placeText(grant) && hasSeen(other, grant)),
  )
}

function* unique(changes: Iterable<Change>): Iterable<Change> {
  const places = new Set<string>()
  for (const change of changes) {
    if (places.has(placeText(change))) continue
    places.add(placeText(change))
    yield change
  }
}

function hasSeen(grant: Grant, { source, sequence }: Place): boolean {
  return (grant.seen.get(source) ?? 0) >= sequence
}

export function placeText({ source, sequence }: Place): string {
  return `${source}:${sequence}`
}

/** Which grants stand, in an order of their own. */
export function placesOf(grants: Iterable<Place>): string[] {
  return Array.from(grants, placeText).sort()
}

/** A state in a form in which equal ones are equal texts. */
export function stateText({ marks, replaced, grants }: SubjectState): string {
  const sorted = (seen: ReadonlyMap<Source, number>): [Source, number][] =>
    [...seen].sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([sorted(marks), sorted(replaced), placesOf(grants)])
}
