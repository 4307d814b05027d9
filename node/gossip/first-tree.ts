import type { Name, Source } from '../identity/names.ts'

/** Which runs are linked, as nodes say in *members*. */
export interface LinkMap {
  /** The run of a node that can be reached, if there is one. */
  runOf(name: Name): Source | undefined
  /** The runs that a run is linked to, as both say, in the order in which it names them: the fastest first. */
  neighboursOf(run: Source): Iterable<Source>
}

/** Which peers of a node have no part in a tree: over their links updates are announced. */
export interface FirstTree {
  readonly announcedTo: ReadonlySet<Source>
  readonly announcedBy: ReadonlySet<Source>
}

export interface FirstTreeOptions {
  /** The node whose updates go along the tree. */
  readonly origin: Name
  /** The run that asks. */
  readonly self: Source
  /** Over how many links each node is to be sent an update. */
  readonly copies: number
  readonly map: LinkMap
}

/**
 * The tree along which the first update of a node goes, before any arrival has told which links are
 * fast: each node is sent it by those of its neighbours that are the fewest links away from where it
 * comes from, and of these by the fastest. All work that out by the same words of *members*, and so
 * agree unless these are under way; what is sent whole by nobody is announced by all, and asked for.
 * @returns undefined where no way from the node is known: then every link is part of the tree
 */
export function firstTree({ origin, self, copies, map }: FirstTreeOptions): FirstTree | undefined {
  const root = map.runOf(origin)
  if (root === undefined) return undefined
  const distanceOf = distancesNear(self, root, map)
  if (distanceOf === undefined) return undefined
  const bringersOf = (run: Source): readonly Source[] => {
    if (run === root) return []
    const neighbours = Array.from(map.neighboursOf(run), one => ({
      one,
      distance: distanceOf(one),
    }))
    // Those that are as near stay in the order in which the run names them.
    neighbours.sort((a, b) => a.distance - b.distance)
    return neighbours.slice(0, copies).map(({ one }) => one)
  }
  const peers = Array.from(map.neighboursOf(self))
  const bringers = bringersOf(self)
  return {
    announcedTo: new Set(peers.filter(peer => !bringersOf(peer).includes(self))),
    announcedBy: new Set(peers.filter(peer => !bringers.includes(peer))),
  }
}

/**
 * How many links a run is away from the root, as far as that matters to one run: exact for whom is no
 * farther than that run itself. Who is farther has no say in what it sends.
 *
 * The search from the root ends at the first neighbour of that run, one link before the run: most of
 * a cluster is as far away as it or farther. Whether another is as far as the run follows from its own
 * neighbours.
 * @returns undefined when there is no way to the run
 */
function distancesNear(
  self: Source,
  root: Source,
  map: LinkMap,
): ((run: Source) => number) | undefined {
  const around = new Set(map.neighboursOf(self))
  const distances = new Map([[root, 0]])
  let nearest = root === self || around.has(root) ? 0 : Number.MAX_VALUE
  // A map is gone through in the order in which runs are added to it.
  for (const [run, distance] of distances) {
    if (distance >= nearest) break
    for (const next of map.neighboursOf(run)) {
      if (distances.has(next)) continue
      distances.set(next, distance + 1)
      if (around.has(next)) nearest = distance + 1
    }
  }
  if (nearest === Number.MAX_VALUE) return undefined
  return run => {
    const known = distances.get(run)
    if (known !== undefined) return known
    const isNext = Iterator.from(map.neighboursOf(run)).some(one => distances.get(one) === nearest)
    return isNext ? nearest + 1 : Number.MAX_VALUE
  }
}
