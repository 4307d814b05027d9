import type { Identity } from '../identity/identity.ts'
import type { Name } from '../identity/names.ts'
import type { Bye } from '../wire/control.ts'

/** What is known of nodes that were removed from the list, or have forked. */
export interface Removals {
  readonly has: (node: Name) => boolean
  readonly hasForked: (node: Name) => boolean
  /** What a node is shown that is out; undefined where there is nothing to show. */
  readonly proofOf: (node: Name) => unknown
}

export const NO_REMOVALS: Removals = {
  has: () => false,
  hasForked: () => false,
  proofOf: () => undefined,
}

/** What a node is told that may not gossip, with what proves it. */
export function farewellTo({ name, subject }: Identity, removals: Removals): Bye {
  const isForked = !removals.has(name) && removals.hasForked(name)
  const why = isForked ? 'has signed two changes at one place' : 'has been removed'
  return { reason: 'revoked', text: `${subject} ${why}`, proof: removals.proofOf(name) }
}
