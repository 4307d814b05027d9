import type { Change } from './change.ts'
import type { LoggedEntry } from './entry.ts'
import type { Whitelist } from './whitelist.ts'

/**
 * What became of a change:
 * - `in effect`: a grant that stands, or a revocation that keeps its subject out;
 * - `replaced`: a later grant, made in sight of it, took its place;
 * - `dead`: a grant that has missed a revocation of its subject, for ever;
 * - `void`: its operator or its node was revoked, and it was made out of sight of that;
 * - `forked`: its node signed two entries at one place; it counts as a stray, an entry of its own.
 */
export type Effect = 'in effect' | 'replaced' | 'dead' | 'void' | 'forked'

export const EFFECTS: ReadonlySet<unknown> = new Set<Effect>([
  'in effect',
  'replaced',
  'dead',
  'void',
  'forked',
])

/** What a change that is in the log does now. */
export function effectOf(
  { entry, place, isStray }: Pick<LoggedEntry, 'entry' | 'place' | 'isStray'>,
  whitelist: Pick<Whitelist, 'state' | 'forkOf' | 'isWithdrawn'>,
): Effect {
  const { change } = entry
  const { source, sequence } = place
  if (!isStray && whitelist.forkOf(source) <= sequence) return 'forked'
  const moved: Change = { ...change, ...place }
  if (whitelist.isWithdrawn(change, moved)) return 'void'
  const { grants, marks } = whitelist.state(change.subject)
  if (change.kind === 'revocation') return grants.length === 0 ? 'in effect' : 'replaced'
  if (grants.some(grant => grant.source === source && grant.sequence === sequence)) {
    return 'in effect'
  }
  const hasSeenAll = marks.entries().every(([other, mark]) => (change.seen.get(other) ?? 0) >= mark)
  return hasSeenAll ? 'replaced' : 'dead'
}
