import type { Member, Vitals } from '../gossip/member.ts'
import type { Members } from '../gossip/members.ts'
import { isName, type Name } from '../identity/names.ts'
import type { Replica } from '../gossip/replica.ts'
import type { ViewMethod } from '../sessions/views.ts'
import type { RpcMethod } from '../wire/rpc.ts'
import { changeMethods, type ChangeMethodsOptions } from './changes.ts'
import { malformed } from './malformed.ts'
import { pagesOf, type ListedOptions } from './subjects.ts'

/** One fridge as pages are shown it. */
export interface FridgeReport {
  readonly name: Name
  readonly state: 'up' | 'left' | 'out of reach'
  /** What its node said last of it, unread; null where it has said nothing. */
  readonly vitals: Vitals | null
}

/** One answer of `fleet`: so many nodes, or fewer that are this long in JSON. */
const PAGE = { maxNodes: 200, maxSize: 262_144 } as const

export interface ViewMethodsOptions extends ChangeMethodsOptions, ListedOptions {
  readonly members: Pick<Members, 'live' | 'left' | 'unreachable'>
  readonly replica: Replica
}

/** What a page may look at beside sensors, if its grant names the view (PROTOCOL.md, "Pages"). */
export function viewMethods(options: ViewMethodsOptions): Map<string, ViewMethod> {
  const methods = new Map<string, ViewMethod>([
    ['fleet', { view: 'fleet', method: fleetPages(options.members) }],
    ['list', { view: 'whitelist', method: pagesOf(options) }],
  ])
  for (const [name, method] of changeMethods(options)) {
    // A page asks anew: a call that goes on for ever would hold one of the few that it may have.
    if (name === 'log') methods.set(name, { view: 'log', method })
  }
  return methods
}

/** Pages of all nodes, in order of their names, without asking any of them. */
export function fleetPages(members: Pick<Members, 'live' | 'left' | 'unreachable'>): RpcMethod {
  return async ([after]): Promise<FridgeReport[]> => {
    if (after !== null && !isName(after)) throw malformed('fleet')
    const page: FridgeReport[] = []
    let size = 0
    for (const report of inOrder(members)) {
      if (after !== null && report.name <= after) continue
      size += JSON.stringify(report).length
      if (page.length === PAGE.maxNodes || (size > PAGE.maxSize && page.length > 0)) break
      page.push(report)
    }
    return page
  }
}

function inOrder(members: Pick<Members, 'live' | 'left' | 'unreachable'>): FridgeReport[] {
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
