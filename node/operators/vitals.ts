import type { Member, Vitals } from '../gossip/member.ts'
import type { Members } from '../gossip/members.ts'
import { isName, type Name } from '../identity/names.ts'
import type { RpcMethod } from '../wire/rpc.ts'
import { malformed } from './malformed.ts'

/** What a node has said of its fridge, unread: only who shows it looks into it. */
export interface VitalsReport {
  readonly name: Name
  readonly vitals: Vitals
}

/** One fridge as pages are shown it. */
export interface FridgeReport {
  readonly name: Name
  readonly state: 'up' | 'left' | 'out of reach'
  /** What its node said last of it, unread; null where it has said nothing. */
  readonly vitals: Vitals | null
}

type NamedReport = VitalsReport | FridgeReport

/** All nodes that are known. */
type KnownMembers = Pick<Members, 'live' | 'left' | 'unreachable'>

/** One answer: so many nodes, or fewer that are this long in JSON. */
const PAGE = { maxNodes: 200, maxSize: 262_144 } as const

/** Pages of what each node has said last of its fridge, in order of their names (PROTOCOL.md, "Operators"). */
export function vitalsPages({ members }: { readonly members: KnownMembers }): RpcMethod {
  return pagesOf('vitals', () =>
    inOrder(members).flatMap(({ name, vitals }): VitalsReport[] =>
      vitals === null ? [] : [{ name, vitals }],
    ),
  )
}

/** Pages of all nodes, in order of their names, without asking any of them (PROTOCOL.md, "Pages"). */
export function fleetPages({ members }: { readonly members: KnownMembers }): RpcMethod {
  return pagesOf('fleet', () => inOrder(members))
}

function pagesOf(method: string, all: () => readonly NamedReport[]): RpcMethod {
  return async ([after]): Promise<NamedReport[]> => {
    if (after !== null && !isName(after)) throw malformed(method)
    const page: NamedReport[] = []
    let size = 0
    for (const report of all()) {
      if (after !== null && report.name <= after) continue
      size += JSON.stringify(report).length
      if (page.length === PAGE.maxNodes || (size > PAGE.maxSize && page.length > 0)) break
      page.push(report)
    }
    return page
  }
}

function inOrder(members: KnownMembers): FridgeReport[] {
  const found = new Map<Name, FridgeReport>()
  const note = (name: Name, state: FridgeReport['state'], member: Member | undefined): void => {
    found.set(name, { name, state, vitals: member?.vitals ?? null })
  }
  // Those that live last: of two runs of a name theirs is the newer word.
  for (const [name, member] of members.unreachable()) note(name, 'out of reach', member)
  for (const member of members.left().values()) note(member.name, 'left', member)
  for (const member of members.live().values()) note(member.name, 'up', member)
  return [...found.values()].sort((one, other) => (one.name < other.name ? -1 : 1))
}
