import { nodeOf, subjectOf, type Source, type Subject } from '../identity/names.ts'
import { idOf, type ChangeId, type Grant, type Revocation } from './change.ts'
import { isStray, type Stray } from './entry.ts'
import type { LoggedChange } from './store.ts'
import type { Whitelist } from './whitelist.ts'

/** What decides about one subject. */
export interface Evaluated {
  readonly grants: ReadonlySet<ChangeId>
  readonly revocations: ReadonlySet<ChangeId>
  /** The revocations that no other has seen. */
  readonly newest: ReadonlySet<ChangeId>
}

/**
 * The whitelist by its definition (PROTOCOL.md, "Merging"), from a whole log at once and in no
 * order, to check by it the list that nodes merge change by change. The two have nothing in common
 * but what a change is called.
 */
export function evaluateLog(log: Iterable<LoggedChange | Stray>): Map<Subject, Evaluated> {
  const all = [...log]
  const entries = all.map(one => (isStray(one) ? one.entry : one))
  const chainTo = chainsOf(new Map(entries.map(entry => [entry.hash, entry])))
  const forks = new Map<Source, number>()
  for (const one of all) {
    if (!isStray(one)) continue
    const { source, sequence } = one.entry.change
    forks.set(source, Math.min(forks.get(source) ?? Infinity, sequence))
  }
  const withdrawals = entries
    .map(({ change }) => change)
    .filter(change => change.kind === 'revocation')
  const bySubject = Map.groupBy(entries, ({ change }) => change.subject)
  return new Map(
    Array.from(bySubject, ([subject, about]) => [
      subject,
      evaluate(about, entry => isVoid(entry, withdrawals, { chainTo, forks })),
    ]),
  )
}

type Entries = ReadonlyMap<string, LoggedChange>

interface Chains {
  /** The hashes of an entry and of all that it links to, as far as that is in the log. */
  readonly chainTo: (last: string) => ReadonlySet<string>
  /** The first sequence of each source of which there is a stray. */
  readonly forks: ReadonlyMap<Source, number>
}

/** Whether the operator of a grant, or its node, was revoked by somebody who had not seen it. */
function isVoid(
  { change, hash }: LoggedChange,
  withdrawals: readonly Revocation[],
  { chainTo, forks }: Chains,
): boolean {
  const authors = [subjectOf('operator', change.operator), subjectOf('node', nodeOf(change.source))]
  return withdrawals.some(({ subject, upTo }) => {
    if (!authors.includes(subject)) return false
    const last = upTo?.get(change.source)
    if (last === undefined || change.sequence > last.sequence) return true
    // Before its first stray a source has one branch, to which all others link in the end.
    if (change.sequence < (forks.get(change.source) ?? Infinity)) return false
    return !chainTo(last.hash).has(hash)
  })
}

/** Each chain is walked once. */
function chainsOf(byHash: Entries): Chains['chainTo'] {
  const chains = new Map<string, Set<string>>()
  return last => {
    const known = chains.get(last)
    if (known !== undefined) return known
    const chain = new Set<string>()
    for (let hash: string | undefined = last; hash !== undefined && hash !== '';) {
      chain.add(hash)
      hash = byHash.get(hash)?.change.previous
    }
    chains.set(last, chain)
    return chain
  }
}

function evaluate(
  about: readonly LoggedChange[],
  isVoidEntry: (entry: LoggedChange) => boolean,
): Evaluated {
  const byId = new Map(about.map(entry => [idOf(entry), entry]))
  const revocations = new Set<ChangeId>()
  const complete = new Set<ChangeId>()
  const seenByRevocations = new Set<ChangeId>()
  const seenByGrants = new Set<ChangeId>()
  for (const [id, { change }] of byId) if (change.kind === 'revocation') revocations.add(id)
  for (const [id, entry] of byId) {
    const seen = ancestorsOf(id, byId)
    const isGrant = entry.change.kind === 'grant'
    if (isGrant && isVoidEntry(entry)) continue
    for (const one of seen) (isGrant ? seenByGrants : seenByRevocations).add(one)
    if (isGrant && revocations.isSubsetOf(seen)) complete.add(id)
  }
  return {
    revocations,
    newest: revocations.difference(seenByRevocations),
    grants: complete.difference(seenByGrants),
  }
}

/** What a change has seen, and what that has seen; a change has not seen itself. */
function ancestorsOf(
  id: ChangeId,
  byId: ReadonlyMap<ChangeId, { readonly change: Grant | Revocation }>,
): Set<ChangeId> {
  const found = new Set<ChangeId>()
  let last = byId.get(id)?.change.seen ?? []
  while (last.length > 0) {
    const fresh = last.filter(one => !found.has(one))
    for (const one of fresh) found.add(one)
    last = fresh.flatMap(one => byId.get(one)?.change.seen ?? [])
  }
  return found
}

/** The subjects about which a list that was merged and one that was evaluated differ. */
export function differences(
  merged: Pick<Whitelist, 'subjects' | 'state'>,
  evaluated: ReadonlyMap<Subject, Evaluated>,
): Subject[] {
  const subjects = new Set([
    ...evaluated.keys(),
    ...Array.from(merged.subjects(), ([subject]) => subject),
  ])
  return [...subjects].filter(subject => {
    const { grants, revocations } = merged.state(subject)
    const expected = evaluated.get(subject)
    const none: ReadonlySet<ChangeId> = new Set()
    const standing = new Set(grants.map(({ id }) => id))
    return (
      standing.symmetricDifference(expected?.grants ?? none).size > 0 ||
      !revocations.isSubsetOf(expected?.revocations ?? none) ||
      !revocations.isSupersetOf(expected?.newest ?? none)
    )
  })
}
