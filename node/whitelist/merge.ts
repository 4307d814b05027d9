import { CHANGE_LIMITS, type Change, type ChangeId } from './change.ts'
import { replaceIds, type RevocationIds } from './revocation-ids.ts'
import {
  standingWith,
  standsIn,
  type StandingGrant,
  type StandingGrants,
} from './standing-grants.ts'

/** A change under the name by which others have seen it. */
export interface IdentifiedChange<Kind extends Change = Change> {
  readonly id: ChangeId
  readonly change: Kind
}

/**
 * All that decides about one subject. A remove-wins set (PROTOCOL.md, "Merging"): a grant
 * stands only while it has seen every revocation of its subject. No clock decides anything.
 */
export interface SubjectState {
  /** The grants that stand: they have seen all revocations, and no other grant has seen them. */
  readonly grants: StandingGrants
  /** The revocations that no other has seen; perhaps some besides that another one has seen. */
  readonly revocations: RevocationIds
}

const NOTHING: RevocationIds = new Set<ChangeId>()

export const UNKNOWN_SUBJECT: SubjectState = { grants: [], revocations: NOTHING }

/**
 * Merge one change of a subject into its state, by the state alone: what it has seen is what
 * stands there, as with every change that follows on the ones before it. `state` is left as it is.
 * @param added a change that is not void, of a subject that has no other with its id
 * @returns `undefined` when the state cannot tell, and all changes of the subject must be looked at
 */
export function mergeChange(
  state: SubjectState,
  { id, change }: IdentifiedChange,
): SubjectState | undefined {
  const { grants, revocations } = state
  const seen = new Set(change.seen)
  if (change.kind === 'grant' && change.seen.every(one => revocations.has(one))) {
    // It has seen no grant. Of grants that were made at once none is looked at for the next one: a
    // stolen key makes thousands of them.
    if (!seen.isSupersetOf(revocations)) return undefined
    return { grants: standingWith(grants, { id, change }), revocations }
  }
  const hasSeenGrant = change.seen.some(one => standsIn(grants, one))
  if (change.kind === 'revocation') {
    // A grant that stands has seen all revocations, so whoever has seen it has seen them as well.
    const left = hasSeenGrant ? NOTHING : revocations
    return { grants: [], revocations: replaceIds(left, id, change.seen) }
  }
  if (change.kind === 'checkpoint') return state
  const isFrontier = change.seen.every(one => revocations.has(one) || standsIn(grants, one))
  if (!isFrontier || !(hasSeenGrant || seen.isSupersetOf(revocations))) return undefined
  return { grants: standingWith(grants, { id, change }), revocations }
}

/** What a change made now, in sight of this state, has seen. */
export function frontierOf({ grants, revocations }: SubjectState): readonly ChangeId[] {
  const ids = grants.length > 0 ? grants.map(({ id }) => id) : [...revocations]
  return ids.sort().slice(0, CHANGE_LIMITS.maxSeen)
}

/** A change of a subject, with what else decides about it. */
export interface WeighedChange extends IdentifiedChange {
  /** Whether it is a grant of an author who had been revoked. */
  readonly isVoid: boolean
  /** What it has seen: what it names, or more. */
  readonly seen: readonly ChangeId[]
}

/** The state of a subject out of all its changes that count, in any order, some of them perhaps twice. */
export function stateOf(changes: Iterable<WeighedChange>): SubjectState {
  const all = new Map<ChangeId, WeighedChange>()
  for (const change of changes) all.set(change.id, change)
  const grants: (StandingGrant & Pick<WeighedChange, 'seen'>)[] = []
  const revocations: ChangeId[] = []
  for (const { id, change, isVoid, seen } of all.values()) {
    if (change.kind === 'revocation') revocations.push(id)
    else if (change.kind === 'grant' && !isVoid) grants.push({ id, change, seen })
  }
  const replaced = ancestorsOf(
    grants.flatMap(({ seen }) => seen),
    all,
  )
  const covered = ancestorsOf(
    revocations.flatMap(id => all.get(id)?.seen ?? []),
    all,
  )
  const newest = new Set(revocations.filter(id => !covered.has(id)))
  const standing = new Map<string, boolean>()
  const hasSeenAll = (seen: readonly ChangeId[]): boolean => {
    // Many grants that were made at once have seen the same.
    const key = seen.join()
    const known = standing.get(key) ?? newest.isSubsetOf(ancestorsOf(seen, all))
    standing.set(key, known)
    return known
  }
  return {
    revocations: newest,
    grants: grants
      .filter(({ id, seen }) => !replaced.has(id) && hasSeenAll(seen))
      .map(({ id, change }) => ({ id, change })),
  }
}

/** The changes that are named, and all that those have seen. Void grants have seen what they name. */
export function ancestorsOf(
  named: readonly ChangeId[],
  all: ReadonlyMap<ChangeId, Pick<Change, 'seen'>>,
): Set<ChangeId> {
  const found = new Set<ChangeId>()
  const open = [...named]
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (found.has(id)) continue
    found.add(id)
    open.push(...(all.get(id)?.seen ?? []))
  }
  return found
}
