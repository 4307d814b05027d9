import { idOf } from './change.ts'
import type { LoggedEntry } from './entry.ts'
import { ancestorsOf } from './merge.ts'
import type { Whitelist } from './whitelist.ts'

/**
 * What became of a change:
 * - `in effect`: a grant that stands, a revocation that keeps its subject out, or a checkpoint
 *   behind which former authors add nothing;
 * - `replaced`: a later grant, made in sight of it, took its place;
 * - `dead`: a grant that has missed a revocation of its subject, for ever;
 * - `void`: its operator or its node was revoked, and it was made out of sight of that; or it is
 *   behind a checkpoint by which its author no longer counts;
 * - `untrue`: a checkpoint that states a list which was not: it does nothing;
 * - `unchecked`: a checkpoint of which this node is still finding out whether it is true;
 * - `forked`: its node signed two entries at one place; it is shown again as a stray, with what it does.
 */
export type Effect = 'in effect' | 'replaced' | 'dead' | 'void' | 'untrue' | 'unchecked' | 'forked'

export const EFFECTS: ReadonlySet<unknown> = new Set<Effect>([
  'in effect',
  'replaced',
  'dead',
  'void',
  'untrue',
  'unchecked',
  'forked',
])

/** What a change that is in the log does now. */
export function effectOf(
  { entry, isStray }: Pick<LoggedEntry, 'entry' | 'isStray'>,
  whitelist: Pick<Whitelist, 'state' | 'forkOf' | 'isVoid' | 'changesOf' | 'checkpointEffect'>,
): Effect {
  const { change } = entry
  if (!isStray && whitelist.forkOf(change.source) <= change.sequence) return 'forked'
  if (change.kind === 'checkpoint') return whitelist.checkpointEffect(entry)
  if (whitelist.isVoid(entry)) return 'void'
  const { grants, revocations } = whitelist.state(change.subject)
  if (change.kind === 'revocation') return grants.length === 0 ? 'in effect' : 'replaced'
  const id = idOf(entry)
  if (grants.some(grant => grant.id === id)) return 'in effect'
  if (revocations.size === 0) return 'replaced'
  const named = Array.from(
    whitelist.changesOf(change.subject),
    ([other, held]) => [other, held.change] as const,
  )
  const seen = ancestorsOf(change.seen, new Map(named))
  return seen.isSupersetOf(revocations) ? 'replaced' : 'dead'
}
