import { parseVitals, type NodeVitals } from '../../alarms/vitals.ts'
import { isName, type Name } from '../../identity/names.ts'
import { MAX_CLUSTER_NODES, unreadable } from './answers.ts'

/** Nodes on one page: a node sends 200. */
const MAX_NODES = 1_000

/** How the fridge of each node is; undefined where what it says of it cannot be read. */
export type Fleet = ReadonlyMap<Name, NodeVitals | undefined>

/**
 * Ask a node for all pages of `vitals`.
 * @param ask asks for the page behind a name
 * @param node the node that answers
 * @throws FridgeError `ERR_PROTOCOL`, and what `ask` throws
 */
export async function readFleet(
  ask: (after: Name | null) => Promise<unknown>,
  node: string,
): Promise<Fleet> {
  const fleet = new Map<Name, NodeVitals | undefined>()
  for (let after: Name | null = null; ;) {
    const page = parsePage(await ask(after), after)
    if (typeof page === 'string') throw unreadable(node, 'vitals', page)
    const last = page.at(-1)
    if (last === undefined) return fleet
    for (const [name, vitals] of page) fleet.set(name, vitals)
    if (fleet.size > MAX_CLUSTER_NODES) throw unreadable(node, 'vitals', 'it has no end')
    after = last[0]
  }
}

/** The nodes behind `after`, in order, so that there is an end; or why it is no page. */
function parsePage(
  value: unknown,
  after: Name | null,
): readonly (readonly [Name, NodeVitals | undefined])[] | string {
  if (!Array.isArray(value) || value.length > MAX_NODES) return 'it is no page of nodes'
  let last: string = after ?? ''
  const page: [Name, NodeVitals | undefined][] = []
  for (const item of value as unknown[]) {
    if (typeof item !== 'object' || item === null) return 'a node is no object'
    const { name, vitals } = item as Record<string, unknown>
    if (!isName(name)) return 'a node has no name'
    if (name <= last) return 'its nodes are not in order'
    last = name
    page.push([name, parseVitals(vitals)])
  }
  return page
}
