import type { Identity } from '../identity/identity.ts'
import { subjectOf, type Name } from '../identity/names.ts'
import type { Bye } from '../wire/control.ts'

/** What is known of nodes that were removed from the list, or have forked. */
export interface Removals {
  readonly has: (node: Name) => boolean
  readonly hasForked: (node: Name) => boolean
  /** Whether this node itself was removed: then it links to nobody. */
  readonly isOwn: () => boolean
  /** What a node is shown that is out; undefined where there is nothing to show. */
  readonly proofOf: (node: Name) => unknown
}

export const NO_REMOVALS: Removals = {
  has: () => false,
  hasForked: () => false,
  isOwn: () => false,
  proofOf: () => undefined,
}

/**
 * What a node is told that may not gossip, with what proves it. One that was removed itself calls
 * no other one removed.
 */
export function farewellTo({ name, subject }: Identity, self: Name, removals: Removals): Bye {
  if (removals.isOwn()) {
    return { reason: 'node removed', text: `${subjectOf('node', self)} has been removed` }
  }
  const isForked = !removals.has(name) && removals.hasForked(name)
  const why = isForked ? 'has signed two changes at one place' : 'has been removed'
  return { reason: 'revoked', text: `${subject} ${why}`, proof: removals.proofOf(name) }
}
