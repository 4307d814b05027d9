import type { Clock } from '../lib/clock.ts'
import type { ConfirmationRelay } from './confirmation-relay.ts'
import type { Members } from './members.ts'
import { nodeOf, type Name, type Source } from '../identity/names.ts'
import type { Member } from './member.ts'
import type { Questions } from './questions.ts'
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
  readonly confirmations: Pick<ConfirmationRelay, 'subscribe'> & {
    readonly questions: Pick<Questions, 'ask'>
  }
  readonly members: Pick<Members, 'isLive' | 'live' | 'unreachable' | 'left' | 'subscribe'>
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

/**
 * After how long nodes are asked that have not confirmed, in milliseconds, doubled each time: a
 * confirmation may be lost with the link that it went over.
 */
const ASK_MS = { first: 500, most: 8_000 }

/**
 * Wait until every node that can be reached has said to this one that it applied a change. One that
 * is silent is asked; one that is lost meanwhile is waited for, and asked when it is back. Call it in
 * the same turn as the commit, so that no confirmation is missed.
 */
export async function awaitConfirmations(place: Place, options: AwaitOptions): Promise<Proof> {
  const { confirmations, members, clock, timeoutMs, committedAt, onConfirmed, signal } = options
  /** By run: of two that run under one name each must confirm. */
  const confirmed = new Map<Source, NodeConfirmation>()
  const names = new Set<Name>()
  const { promise: over, resolve: finish } = Promise.withResolvers<void>()
  /** Whether what a run holds is known: by its own word, or by that of a run that it has followed. */
  const isKnown = (run: Source): boolean => {
    if (confirmed.has(run)) return true
    const name = nodeOf(run)
    if (!names.has(name)) return false
    return confirmed.keys().some(one => nodeOf(one) === name && !members.isLive(one))
  }
  const record = (run: Source, detail: { tookMs?: number; cut?: number } = {}): void => {
    if (isKnown(run)) return
    const node = nodeOf(run)
    const confirmation = { node, afterMs: clock.monotonic() - committedAt, ...detail }
    confirmed.set(run, confirmation)
    names.add(node)
    onConfirmed(confirmation)
  }
  const silent = (): Name[] =>
    [...members.live().values()].filter(({ source }) => !isKnown(source)).map(({ name }) => name)
  const unreachable = (): Name[] =>
    [...members.unreachable().keys()].filter(name => !names.has(name))
  /** Every node, and every run, that could be reached at some time. */
  const awaited = new Set<Name>()
  const runs = new Set<Source>()
  let askMs: number = ASK_MS.first
  let asking: Disposable | undefined
  const ask = (): void => {
    asking = undefined
    if (silent().length === 0) return
    confirmations.questions.ask(place.source)
    askMs = Math.min(askMs * 2, ASK_MS.most)
    lookSoon()
  }
  const look = (): void => {
    looking = undefined
    for (const { name, source } of members.live().values()) {
      awaited.add(name)
      if (runs.has(source)) continue
      runs.add(source)
      askMs = ASK_MS.first
    }
    if (silent().length > 0) asking ??= clock.after(askMs, ask)
    else if (!unreachable().some(name => awaited.has(name))) finish()
  }
  let looking: Disposable | undefined
  const lookSoon = (): void => {
    looking ??= clock.after(LOOK_MS, look)
  }
  using _told = confirmations.subscribe(({ node, to, applied, changes, answer }) => {
    const isAnswer = answer?.about === place.source && (answer.applied ?? 0) >= place.sequence
    if (!isAnswer && (to !== place.source || applied < place.sequence)) return
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
  asking?.[Symbol.dispose]()
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
