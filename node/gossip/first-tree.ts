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
  const distances = distancesUpTo(self, root, map)
  if (distances === undefined) return undefined
  const bringersOf = (run: Source): readonly Source[] => {
    if (run === root) return []
    const neighbours = Array.from(map.neighboursOf(run), one => ({
      one,
      distance: distances.get(one) ?? Number.MAX_VALUE,
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
 * How many links runs are away from the root, of those that are no farther than the last one. Who is
 * farther has no say in what that one sends: all of its neighbours that are, are as far.
 * @returns undefined when there is no way to the last one
 */
function distancesUpTo(
  last: Source,
  root: Source,
  map: LinkMap,
): ReadonlyMap<Source, number> | undefined {
  const distances = new Map([[root, 0]])
  // A map is gone through in the order in which runs are added to it.
  for (const [run, distance] of distances) {
    if (distance >= (distances.get(last) ?? Infinity)) break
    for (const next of map.neighboursOf(run)) {
      if (!distances.has(next)) distances.set(next, distance + 1)
    }
  }
  return distances.has(last) ? distances : undefined
}
