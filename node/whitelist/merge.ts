import type { Source } from '../identity/names.ts'
import type { Change, Grant, Place, Seen } from './change.ts'

/**
 * All that decides about one subject. A remove-wins set (PROTOCOL.md, "Merging"): a grant
 * stands only while it has seen every revocation of its subject. No clock decides anything.
 */
export interface SubjectState {
  /** For each source the greatest sequence of a revocation: the marks, compressed. */
  readonly marks: Seen
  /** What the grants have seen, joined: a grant at or below it has been replaced by a later one. */
  readonly replaced: Seen
  /** The grants that stand: they have seen all marks, and no later grant has seen them. */
  readonly grants: readonly Grant[]
}

const NOTHING: Seen = new Map()

export const UNKNOWN_SUBJECT: SubjectState = { marks: NOTHING, replaced: NOTHING, grants: [] }

/**
 * Merge one change of a subject into its state. Commutative, associative and idempotent over
 * any set of changes with distinct places; `state` is left as it is.
 */
export function mergeChange(state: SubjectState, change: Change): SubjectState {
  if (change.kind === 'revocation') {
    if (hasSeen(state.marks, change)) return state
    const marks = new Map(state.marks).set(change.source, change.sequence)
    return { ...state, marks, grants: state.grants.filter(grant => covers(grant.seen, marks)) }
  }
  const replaced = join(state.replaced, change.seen)
  const known = state.grants.some(grant => isSamePlace(grant, change))
  const candidates = known ? state.grants : [...state.grants, change]
  return {
    marks: state.marks,
    replaced,
    grants: candidates.filter(
      grant => covers(grant.seen, state.marks) && !hasSeen(replaced, grant),
    ),
  }
}

/** What a grant made now, in sight of this state, has seen. */
export function seenOf(state: SubjectState): Seen {
  let seen = join(state.marks, state.replaced)
  for (const { source, sequence } of state.grants) seen = join(seen, new Map([[source, sequence]]))
  return seen
}

function isSamePlace(a: Place, b: Place): boolean {
  return a.source === b.source && a.sequence === b.sequence
}

function hasSeen(seen: Seen, place: Place): boolean {
  return (seen.get(place.source) ?? 0) >= place.sequence
}

/** Whether `seen` holds at least all of `other`. */
function covers(seen: Seen, other: Seen): boolean {
  for (const [source, sequence] of other) if ((seen.get(source) ?? 0) < sequence) return false
  return true
}

/** The greater sequence of each source. Returns `a` itself where `b` adds nothing. */
function join(a: Seen, b: Seen): Seen {
  if (covers(a, b)) return a
  const joined = new Map<Source, number>(a)
  for (const [source, sequence] of b) {
    joined.set(source, Math.max(joined.get(source) ?? 0, sequence))
  }
  return joined
}
