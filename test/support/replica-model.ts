import type { Place } from '../../node/whitelist/change.ts'
import type { SubjectState } from '../../node/whitelist/merge.ts'
import type { Whitelist } from '../../node/whitelist/whitelist.ts'

export function placeText({ source, sequence }: Place): string {
  return `${source}:${sequence}`
}

/** Which grants stand, in an order of their own. */
export function placesOf(grants: Iterable<{ readonly change: Place }>): string[] {
  return Array.from(grants, ({ change }) => placeText(change)).sort()
}

/** What a state decides, in a form in which equal ones are equal texts. */
export function stateText({ grants, revocations }: SubjectState): string {
  return JSON.stringify([grants.map(({ id }) => id).sort(), revocations.size > 0])
}

/** All that a list decides: equal lists have equal texts. */
export function statesOf(list: Pick<Whitelist, 'subjects'>): string[] {
  return Array.from(list.subjects(), ([subject, state]) => `${subject} ${stateText(state)}`).sort()
}
