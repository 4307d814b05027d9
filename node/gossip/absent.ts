import type { Name, Source } from '../identity/names.ts'
import type { Member } from './member.ts'

/** What the absent nodes are told apart by. */
export interface Absence {
  /** Every entry, of the living and of the dead. */
  readonly members: Iterable<Member>
  /** The names of the nodes that can be reached. */
  readonly live: ReadonlySet<Name>
  /** Nodes that are known, though perhaps none of their words is. */
  readonly alsoKnown: Iterable<Name>
  readonly isRemoved: (name: Name) => boolean
  /** Whether an operator has said that a node of these runs will not come back. */
  readonly isForgotten: (name: Name, runs: readonly Source[]) => boolean
}

/** The nodes that cannot be reached, each with its latest entry, where one is known. */
export interface AbsentNodes {
  /** Those that were lost. */
  readonly unreachable: Map<Name, Member | undefined>
  /** Those whose last word was that they stop. */
  readonly left: Map<Name, Member>
}

/** Which nodes are absent, and which of them in order. Removed and forgotten ones are neither. */
export function absentNodes(absence: Absence): AbsentNodes {
  const { members, live, alsoKnown, isRemoved, isForgotten } = absence
  const latest = new Map<Name, Member | undefined>()
  const runs = new Map<Name, Source[]>()
  for (const member of members) {
    const { name, source } = member
    if (live.has(name)) continue
    const known = latest.get(name)
    if (known === undefined || known.startedAt < member.startedAt) latest.set(name, member)
    runs.set(name, [...(runs.get(name) ?? []), source])
  }
  for (const name of alsoKnown)
    if (!live.has(name) && !latest.has(name)) latest.set(name, undefined)
  const absent: AbsentNodes = { unreachable: new Map(), left: new Map() }
  for (const [name, member] of latest) {
    if (isRemoved(name) || isForgotten(name, runs.get(name) ?? [])) continue
    if (member?.left === true) absent.left.set(name, member)
    else absent.unreachable.set(name, member)
  }
  return absent
}
