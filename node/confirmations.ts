import type { Clock } from './clock.ts'
import type { Members } from './gossip/members.ts'
import type { Name } from './names.ts'
import type { Place } from './whitelist/change.ts'

/** That one node has applied a change, as the node that accepted the change saw it. */
export interface NodeConfirmation {
  readonly node: Name
  /** Milliseconds from the commit until the confirmation was here: an upper bound. */
  readonly afterMs: number
  /** Milliseconds that the node itself took, from the change's arrival to the last cut. Absent,
   *  like `cut`, when it applied more changes at once than it could report one by one. */
  readonly tookMs?: number
  /** How many live connections it ended. */
  readonly cut?: number
}

/** What is known when the wait for confirmations is over. */
export interface Proof {
  readonly confirmed: readonly NodeConfirmation[]
  /** Nodes that can be reached and have not confirmed. */
  readonly silent: readonly Name[]
  /** Nodes that are known and cannot be reached: they apply the change when they come back. */
  readonly unreachable: readonly Name[]
}

export interface AwaitOptions {
  readonly members: Members
  readonly clock: Clock
  /** How long to wait for nodes that can be reached, in milliseconds. */
  readonly timeoutMs: number
  /** When the change was committed, on the monotonic clock. */
  readonly committedAt: number
  readonly onConfirmed: (confirmation: NodeConfirmation) => void
}

/**
 * Wait until every node that can be reached has said that it applied a change. Call it in the
 * same turn as the commit, so that no confirmation is missed.
 */
export async function awaitConfirmations(place: Place, options: AwaitOptions): Promise<Proof> {
  const { members, clock, timeoutMs, committedAt, onConfirmed } = options
  const confirmed = new Map<Name, NodeConfirmation>()
  const { promise: over, resolve: finish } = Promise.withResolvers<void>()
  const silent = (): Name[] =>
    [...members.live().values()].map(({ name }) => name).filter(name => !confirmed.has(name))
  const look = (): void => {
    for (const { name, confirmations, applied } of members.live().values()) {
      if (confirmed.has(name) || (applied[place.source] ?? 0) < place.sequence) continue
      const found = confirmations.find(
        one => one.source === place.source && one.sequence === place.sequence,
      )
      const confirmation = {
        node: name,
        afterMs: clock.monotonic() - committedAt,
        ...(found === undefined ? {} : { tookMs: found.tookMs, cut: found.cut }),
      }
      confirmed.set(name, confirmation)
      onConfirmed(confirmation)
    }
    if (silent().length === 0) finish()
  }
  using _subscription = members.subscribe(look)
  using _deadline = clock.after(timeoutMs, finish)
  look()
  await over
  return {
    confirmed: [...confirmed.values()],
    silent: silent(),
    unreachable: [...members.unreachable().keys()],
  }
}
