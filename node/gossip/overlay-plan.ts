import type { Random } from '../lib/clock.ts'
import type { Name, Source } from '../identity/names.ts'
import type { LinkMap } from './first-tree.ts'

/** An address that may be dialed, and what is known of it. */
export interface Candidate {
  readonly address: string
  /** The node that answered there last, or that says to be there. */
  readonly owner: Name | undefined
  /** Whether that node can be reached over the links of others. */
  readonly live: boolean
}

/** Up to this many nodes each links to each other one. */
export const FULL_MESH = 8

/**
 * How many links a node holds among `nodes` (itself included): all in a small cluster, else
 * log2(n) + 2. A random graph of that degree is connected with high probability, and a change
 * crosses it in O(log n) hops (Kermarrec, Massoulié, Ganesh, 2003).
 */
export function linksWanted(nodes: number): number {
  return nodes <= FULL_MESH ? Math.max(nodes - 1, 1) : Math.ceil(Math.log2(nodes)) + 2
}

/** How many links a node accepts before it sends dialers elsewhere. */
export function linksAccepted(nodes: number): number {
  return 2 * linksWanted(nodes) + FULL_MESH
}

/**
 * How many links a node keeps for good where both ends have more: one beside those that it wants, so
 * that an end that another lets go of in the same moment need not dial.
 */
export function linksKept(nodes: number): number {
  return linksWanted(nodes) + 1
}

/** How long until any one node lets go of a link that is beside those it keeps, in milliseconds. */
const SURPLUS_MS = 2_000

/**
 * How long a node waits between two links that it lets go of although they are not too many. Each one
 * is news of both ends to all nodes: in all of the cluster it is one in two seconds, whatever its size.
 * @param nodes how many are known, itself included
 */
export function surplusAfterMs(nodes: number, random: Random): number {
  return (0.5 + random()) * nodes * SURPLUS_MS
}

/**
 * Whether two linked runs are joined without their own link by a way of at most three others. A link
 * that joins the sides of a partition that has healed is not, and nor is any other that all depends on.
 */
export function isJoinedBeside(map: LinkMap, self: Source, peer: Source): boolean {
  const near = new Set(map.neighboursOf(peer))
  near.delete(self)
  for (const one of map.neighboursOf(self)) {
    if (one === peer) continue
    if (near.has(one)) return true
    for (const two of map.neighboursOf(one)) if (two !== peer && near.has(two)) return true
  }
  return false
}

/** How long a node of a large cluster may wait before it dials first, in milliseconds. */
const START_MS = 1_000

/**
 * How long a node waits before it dials first. Where a whole site comes back from a power cut all
 * begin in the same moment; in a small cluster none needs to wait for that.
 * @param remembered the peers that it knew in its last run
 */
export function firstPlanMs({
  remembered = [],
  random,
}: {
  readonly remembered?: readonly unknown[]
  readonly random: Random
}): number {
  return remembered.length > FULL_MESH ? random() * START_MS : 0
}

/** How long a node that has links enough gathers what others say of theirs, in milliseconds for each node. */
const NEWS_MS_PER_NODE = 1

/**
 * How long a node may wait to plan anew when another says which links it has. To plan it goes through
 * all nodes, and each of them says so: one that wants no more links waits for several.
 * @param nodes how many live, itself included
 */
export function newsPlanMs({
  links,
  nodes,
}: {
  readonly links: number
  readonly nodes: number
}): number {
  return links < linksWanted(nodes) ? 0 : nodes * NEWS_MS_PER_NODE
}

/** A node with no more links than these is not turned away for having many itself. */
export const SPARED_LINKS = 3

/** Of links that are too many, this share is let go of at a time: those who lose theirs look elsewhere. */
const SHED_SHARE = 1 / 8

/**
 * Which links to let go of now, at random.
 * @param dispensable links whose other end has enough without
 * @param excess how many there are too many, of all
 */
export function chooseToShed<L>(dispensable: readonly L[], excess: number, random: Random): L[] {
  return excess > 0 ? shuffle(dispensable, random).slice(0, Math.ceil(excess * SHED_SHARE)) : []
}

/**
 * Which addresses to dial now. Missing links are filled at random. One more dial at a time goes
 * to a node out of reach even when no link is missing: that is what joins the two sides of a
 * healed partition, of which each has all the links it wants.
 *
 * @param candidates addresses that may be dialed now: not linked, not being dialed, not backing off
 * @param missing how many links are missing, dials under way counted as links
 * @param probing whether a dial to a node out of reach is under way
 */
export function chooseDials(
  candidates: readonly Candidate[],
  missing: number,
  probing: boolean,
  random: Random,
): Candidate[] {
  const shuffled = shuffle(candidates, random)
  // Whoever others reach is reached first: of the rest one at a time is enough.
  const order = [...shuffled.filter(({ live }) => live), ...shuffled.filter(({ live }) => !live)]
  const chosen: Candidate[] = []
  const owners = new Set<Name>()
  const choose = (candidate: Candidate): void => {
    if (candidate.owner !== undefined) {
      if (owners.has(candidate.owner)) return
      owners.add(candidate.owner)
    }
    chosen.push(candidate)
  }
  for (const candidate of order) if (chosen.length < missing) choose(candidate)
  const probe = order.find(({ live }) => !live)
  if (probe !== undefined && !probing && !chosen.some(({ live }) => !live)) choose(probe)
  return chosen
}

function shuffle<T>(items: readonly T[], random: Random): T[] {
  const shuffled = [...items]
  for (let last = shuffled.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1))
    const [a, b] = [shuffled[last], shuffled[other]]
    if (a !== undefined && b !== undefined) {
      shuffled[last] = b
      shuffled[other] = a
    }
  }
  return shuffled
}
