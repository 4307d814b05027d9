import type { AppliedChange } from '../gossip/confirmation.ts'
import type { Overlay } from '../gossip/overlay.ts'
import type { Applied } from '../gossip/durable-list.ts'
import type { Replica } from '../gossip/replica.ts'
import { isAuthor, nodeOf, type Source, type Subject } from '../identity/names.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Entry, Stray } from '../whitelist/entry.ts'
import type { Counts } from './counts.ts'
import type { Sessions } from './sessions.ts'

export interface EnforcementOptions {
  readonly replica: Pick<
    Replica,
    | 'whitelist'
    | 'confirmations'
    | 'subscribe'
    | 'subscribeAhead'
    | 'subscribeEquivocation'
    | 'subscribeSettled'
  >
  /** The connections of clients and operators. */
  readonly sessions: Pick<Sessions, 'review' | 'reviewAll'>
  /** The links to nodes. */
  readonly overlay: Pick<Overlay, 'review'>
  readonly counts: Pick<Counts, 'applied'>
  readonly clock: Pick<Clock, 'monotonic'>
  readonly log: Log
  /**
   * Whether the node is still catching up with its peers before it serves. Then each change is a
   * line for debugging: a first exchange may bring a hundred thousand.
   */
  readonly isStarting: () => boolean
}

/**
 * Hold everyone who is connected to the list from now on: each change cuts whom it shuts out, a
 * removal before it is durable, and only then, and when it is durable, is it confirmed to the cluster
 * (PROTOCOL.md, "Confirmations"). Dispose it to stop.
 */
export function startEnforcement(options: EnforcementOptions): Disposable {
  const { replica, sessions, overlay } = options
  const subscriptions = new DisposableStack()
  /** How many sessions were cut by removals that are not durable yet. */
  const cutAhead = new WeakMap<Entry, number>()
  subscriptions.use(
    replica.subscribeAhead(removals => {
      for (const [removal, cut] of cutAheadOf(removals, sessions)) cutAhead.set(removal, cut)
    }),
  )
  subscriptions.use(
    replica.subscribe(applied => {
      const cuts = cutWhomChangesShutOut(applied, options)
      const cutBy = (entry: Entry): number =>
        (cuts.get(entry.change.subject) ?? 0) + (cutAhead.get(entry) ?? 0)
      confirmApplied(applied, cutBy, options)
    }),
  )
  subscriptions.use(replica.subscribeEquivocation(strays => cutEquivocators(strays, options)))
  subscriptions.use(
    replica.subscribeSettled(subjects => {
      const granted = subjects.filter(subject => !isAuthor(subject))
      for (const subject of granted) sessions.review(subject)
      if (granted.length === subjects.length) return
      sessions.reviewAll()
      overlay.review()
    }),
  )
  return subscriptions
}

/**
 * Cut whom removals shut out that are not durable yet. The link to a node that is removed waits: with
 * the entry in the log it ends with what proves the removal.
 * @returns how many sessions were cut, by removal
 */
function cutAheadOf(
  removals: readonly Entry[],
  sessions: EnforcementOptions['sessions'],
): Map<Entry, number> {
  const cuts = new Map<Subject, number>()
  for (const { change } of removals) {
    const { subject } = change
    if (cuts.has(subject)) continue
    cuts.set(subject, isAuthor(subject) ? sessions.reviewAll() : sessions.review(subject))
  }
  return new Map(removals.map(removal => [removal, cuts.get(removal.change.subject) ?? 0]))
}

/** Decide again on everyone that changes are about. @returns how many were cut, by subject */
function cutWhomChangesShutOut(
  applied: readonly Applied[],
  { sessions, overlay, counts }: EnforcementOptions,
): Map<Subject, number> {
  const cuts = new Map<Subject, number>()
  for (const { entry } of applied) {
    const { subject, kind } = entry.change
    counts.applied[kind] += 1
    if (cuts.has(subject)) continue
    if (!isAuthor(subject)) cuts.set(subject, sessions.review(subject))
    // What a revoked operator or node had granted may be void with it: everyone is looked at.
    else cuts.set(subject, sessions.reviewAll() + overlay.review())
  }
  return cuts
}

/** Tell the log, and the nodes that accepted the changes, that they took effect here. */
function confirmApplied(
  applied: readonly Applied[],
  cutBy: (entry: Entry) => number,
  { replica, clock, log, isStarting }: EnforcementOptions,
): void {
  const level = isStarting() ? 'debug' : 'info'
  const bySource = new Map<Source, AppliedChange[]>()
  for (const { entry, receivedAt } of applied) {
    const { source, sequence, subject, kind, operator } = entry.change
    const tookMs = Math.round((clock.monotonic() - receivedAt) * 1_000) / 1_000
    const cut = kind === 'revocation' ? cutBy(entry) : 0
    log[level]({ subject, kind, operator, source, sequence, tookMs, cut }, 'change applied')
    const changes = bySource.get(source) ?? []
    changes.push({ sequence, tookMs, cut })
    bySource.set(source, changes)
  }
  for (const [source, changes] of bySource) replica.confirmations.reportApplied(source, changes)
}

/** What an equivocator accepted may be void with it: everyone is looked at. */
function cutEquivocators(
  strays: readonly Stray[],
  { sessions, overlay, log }: EnforcementOptions,
): void {
  for (const liar of new Set(strays.map(({ entry }) => nodeOf(entry.change.source)))) {
    log.error(
      { liar, fix: `fridge whitelist remove node/${liar}` },
      'a node has signed two different changes at one place: it is cut',
    )
  }
  sessions.reviewAll()
  overlay.review()
}
