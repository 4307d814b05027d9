import type { Clock } from '../lib/clock.ts'
import type { ConfirmationRelay } from './confirmation-relay.ts'
import type { Members } from './members.ts'
import { nodeOf, type Name, type Source } from '../identity/names.ts'
import type { Member } from './member.ts'
import { twinsAmong } from './twins.ts'
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
  /** Nodes that were stopped in order and have not confirmed: they apply it when they are started. */
  readonly left: readonly Name[]
}

export interface AwaitOptions {
  readonly confirmations: Pick<ConfirmationRelay, 'subscribe'>
  readonly members: Pick<Members, 'live' | 'unreachable' | 'left' | 'subscribe'>
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
  /** By run: of two that run under one name each must confirm. */
  const confirmed = new Map<Source, NodeConfirmation>()
  const names = new Set<Name>()
  const { promise: over, resolve: finish } = Promise.withResolvers<void>()
  /** Whether what a run holds is known: by its own word, or by that of a run that it has followed. */
  const isKnown = (run: Source, live: ReadonlyMap<Source, unknown>): boolean => {
    if (confirmed.has(run)) return true
    const name = nodeOf(run)
    return names.has(name) && confirmed.keys().some(one => nodeOf(one) === name && !live.has(one))
  }
  const record = (run: Source, detail: { tookMs?: number; cut?: number } = {}): void => {
    if (isKnown(run, members.live())) return
    const node = nodeOf(run)
    const confirmation = { node, afterMs: clock.monotonic() - committedAt, ...detail }
    confirmed.set(run, confirmation)
    names.add(node)
    onConfirmed(confirmation)
  }
  const silent = (): Name[] => {
    const live = members.live()
    return [...live.values()].filter(({ source }) => !isKnown(source, live)).map(({ name }) => name)
  }
  const unreachable = (): Name[] =>
    [...members.unreachable().keys()].filter(name => !names.has(name))
  /** Every node that could be reached at some time. */
  const awaited = new Set<Name>()
  const graces = new Map<Source, Disposable>()
  const look = (): void => {
    looking = undefined
    for (const { name, source: run, applied } of members.live().values()) {
      awaited.add(name)
      if (confirmed.has(run) || graces.has(run)) continue
      if ((applied[place.source] ?? 0) < place.sequence) continue
      const believe = (): void => {
        record(run)
        lookSoon()
      }
      graces.set(run, clock.after(GRACE_MS, believe))
    }
    if (silent().length === 0 && !unreachable().some(name => awaited.has(name))) finish()
  }
  let looking: Disposable | undefined
  const lookSoon = (): void => {
    looking ??= clock.after(LOOK_MS, look)
  }
  using _told = confirmations.subscribe(({ node, to, applied, changes }) => {
    if (to !== place.source || applied < place.sequence) return
    const detail = changes.find(({ sequence }) => sequence === place.sequence)
    record(node, detail && { tookMs: detail.tookMs, cut: detail.cut })
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
  for (const [run, grace] of graces) {
    grace[Symbol.dispose]()
    record(run)
  }
  return {
    confirmed: [...confirmed.values()],
    silent: silent(),
    left: [...members.left().keys()].filter(name => !names.has(name)),
    unreachable: [...new Set([...unreachable(), ...turnedAway(members.live().values())])],
  }
}

/** The names of which a second run lives that nobody is linked to: it hears of no change. */
function turnedAway(live: Iterable<Member>): Name[] {
  const members = [...live]
  const runs = (name: Name): number => members.filter(member => member.name === name).length
  return [...twinsAmong(members).keys()].filter(name => runs(name) < 2)
}
