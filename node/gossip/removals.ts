import type { Identity } from '../identity/identity.ts'
import { subjectOf, type Name } from '../identity/names.ts'
import type { Bye } from '../wire/control.ts'

/** What is known of nodes that were removed from the list. */
export interface Removals {
  readonly has: (node: Name) => boolean
  /** Whether this node itself was removed: then it links to nobody. */
  readonly isOwn: () => boolean
  /** What a node is shown that was removed; undefined where there is nothing to show. */
  readonly proofOf: (node: Name) => unknown
}

export const NO_REMOVALS: Removals = {
  has: () => false,
  isOwn: () => false,
  proofOf: () => undefined,
}

/** What a peer is told that is not admitted: a node that was removed itself calls no other one removed. */
export function refusalOf({ name, subject }: Identity, self: Name, removals: Removals): Bye {
  if (removals.isOwn()) {
    return { reason: 'node removed', text: `${subjectOf('node', self)} has been removed` }
  }
  return {
    reason: 'revoked',
    text: `${subject} has been removed`,
    proof: removals.proofOf(name),
  }
}
