/** One way of a link. */
export interface Way {
  /** How long a byte is under way, ms. */
  readonly delayMs: number
  /** How much later than others its next packet comes, because it is lost at first, ms. */
  lateMs: number
}

/**
 * When a flood of a change would be at each node: by the fastest ways there are, ms.
 * @param waysOf over which links that are open a node sends it on, by the node at the other end
 */
export function floodFrom<N>(
  first: N,
  waysOf: (node: N) => Iterable<readonly [N, Way]>,
): ReadonlyMap<N, number> {
  const atMs = new Map([[first, 0]])
  // A map is gone through in the order in which nodes are added: one that is reached sooner is again.
  for (const [node, sentMs] of atMs) {
    for (const [peer, { delayMs, lateMs }] of waysOf(node)) {
      const comesMs = sentMs + Math.ceil(delayMs + lateMs)
      if (comesMs >= (atMs.get(peer) ?? Infinity)) continue
      atMs.delete(peer)
      atMs.set(peer, comesMs)
    }
  }
  return atMs
}
