import type { Clock } from '../lib/clock.ts'
import type { ConfirmationRelay } from './confirmation-relay.ts'
import type { Members } from './members.ts'
import { nodeOf, type Name } from '../identity/names.ts'
import type { Place } from '../whitelist/change.ts'

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
  /** Nodes that are known, cannot be reached and have not confirmed: they apply the change when they come back. */
  readonly unreachable: readonly Name[]
}

export interface AwaitOptions {
  readonly confirmations: Pick<ConfirmationRelay, 'subscribe'>
  readonly members: Pick<Members, 'live' | 'unreachable' | 'subscribe'>
  readonly clock: Clock
  /** How long to wait for nodes that can be reached, in milliseconds. */
  readonly timeoutMs: number
  /** When the change was committed, on the monotonic clock. */
  readonly committedAt: number
  readonly onConfirmed: (confirmation: NodeConfirmation) => void
  /** Aborts when the operator does not wait any more. */
  readonly signal: AbortSignal
}

/** How long confirmations are gathered before the silent nodes are counted, in milliseconds. */
const LOOK_MS = 2

/** How long a node's own confirmation, which says more, is waited for behind *members*, in milliseconds. */
const GRACE_MS = 500

/**
 * Wait until every node that can be reached has said that it applied a change: to this node, or
 * to all. One that is lost meanwhile is waited for too: a node that starts again says to all what
 * it holds. Call it in the same turn as the commit, so that no confirmation is missed.
 */
export async function awaitConfirmations(place: Place, options: AwaitOptions): Promise<Proof> {
  const { confirmations, members, clock, timeoutMs, committedAt, onConfirmed, signal } = options
  const confirmed = new Map<Name, NodeConfirmation>()
  const { promise: over, resolve: finish } = Promise.withResolvers<void>()
  const record = (node: Name, detail: { tookMs?: number; cut?: number } = {}): void => {
    if (confirmed.has(node)) return
    const confirmation = { node, afterMs: clock.monotonic() - committedAt, ...detail }
    confirmed.set(node, confirmation)
    onConfirmed(confirmation)
  }
  const silent = (): Name[] =>
    [...members.live().values()].map(({ name }) => name).filter(name => !confirmed.has(name))
  const unreachable = (): Name[] =>
    [...members.unreachable().keys()].filter(name => !confirmed.has(name))
  /** Every node that could be reached at some time. */
  const awaited = new Set<Name>()
  const graces = new Map<Name, Disposable>()
  const look = (): void => {
    looking = undefined
    for (const { name, applied } of members.live().values()) {
      awaited.add(name)
      if (confirmed.has(name) || graces.has(name)) continue
      if ((applied[place.source] ?? 0) < place.sequence) continue
      const believe = (): void => {
        record(name)
        lookSoon()
      }
      graces.set(name, clock.after(GRACE_MS, believe))
    }
    if (silent().length === 0 && !unreachable().some(name => awaited.has(name))) finish()
  }
  let looking: Disposable | undefined
  const lookSoon = (): void => {
    looking ??= clock.after(LOOK_MS, look)
  }
  using _told = confirmations.subscribe(({ node, applied, changes }) => {
    if (applied < place.sequence) return
    const detail = changes.find(({ sequence }) => sequence === place.sequence)
    record(nodeOf(node), detail && { tookMs: detail.tookMs, cut: detail.cut })
    lookSoon()
  })
  using _seen = members.subscribe(lookSoon)
  using _deadline = clock.after(timeoutMs, finish)
  if (signal.aborted) finish()
  const onAbort = (): void => finish()
  signal.addEventListener('abort', onAbort, { once: true })
  look()
  await over
  signal.removeEventListener('abort', onAbort)
  looking?.[Symbol.dispose]()
  for (const [name, grace] of graces) {
    grace[Symbol.dispose]()
    record(name)
  }
  return {
    confirmed: [...confirmed.values()],
    silent: silent(),
    unreachable: unreachable(),
  }
}
