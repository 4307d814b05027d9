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

/** One answer: so many nodes, or fewer that are this long in JSON. */
const PAGE = { maxNodes: 200, maxSize: 262_144 } as const

/** Pages of what each node has said last of its fridge, in order of their names (PROTOCOL.md, "Operators"). */
export function vitalsPages({
  members,
}: {
  readonly members: Pick<Members, 'live' | 'left' | 'unreachable'>
}): RpcMethod {
  return async ([after]): Promise<VitalsReport[]> => {
    if (after !== null && !isName(after)) {
      throw malformed('vitals')
    }
    const page: VitalsReport[] = []
    let size = 0
    for (const [name, vitals] of inOrder(members)) {
      if (after !== null && name <= after) continue
      size += JSON.stringify(vitals).length
      if (page.length === PAGE.maxNodes || (size > PAGE.maxSize && page.length > 0)) break
      page.push({ name, vitals })
    }
    return page
  }
}

function inOrder(members: Pick<Members, 'live' | 'left' | 'unreachable'>): [Name, Vitals][] {
  const found = new Map<Name, Vitals>()
  const note = (member: Member | undefined): void => {
    if (member?.vitals !== undefined) found.set(member.name, member.vitals)
  }
  // Those that live last: of two runs of a name theirs is the newer word.
  for (const member of members.unreachable().values()) note(member)
  for (const member of members.left().values()) note(member)
  for (const member of members.live().values()) note(member)
  return [...found].sort(([one], [other]) => (one < other ? -1 : 1))
}
