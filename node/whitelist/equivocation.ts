import { conflicts, isStray, strayPlace, type Entry, type Stray } from './entry.ts'
import type { ChangeStore } from './store.ts'
import type { Whitelist } from './whitelist.ts'

/** A list with the log behind it, nothing of which is still to be written. */
export interface Held {
  readonly list: Whitelist
  readonly store: Pick<ChangeStore, 'ofSource'>
}

const UNSEEN = 'a change has seen others that were not sent'

/**
 * What a stray, or an entry that is not the next of its source, shows (PROTOCOL.md,
 * "Equivocation").
 * @returns the strays to take, none where it is known; or why its link must end
 */
export function straysShownBy(
  one: Entry | Stray,
  { list, store }: Held,
): readonly Stray[] | string {
  if (isStray(one)) {
    const { entry, against } = one
    if (!list.isProven(one)) return 'an entry is called a stray without proof'
    if (!list.holdsSeen(entry.change)) return UNSEEN
    return against === undefined || !conflicts(entry, against) ? [one] : both(entry, against, list)
  }
  const { source, sequence } = one.change
  const fit = list.fit(one)
  switch (fit) {
    case 'next':
    case 'stale':
      return []
    case 'forked':
      // The peer that sent it in its place has not heard of the fork yet.
      return list.holdsSeen(one.change) ? [{ entry: one }] : []
    case 'gap':
      return `a change before ${sequence} of ${source} was left out`
    case 'unseen':
      return UNSEEN
    case 'earlier':
    case 'fork':
    case 'unlinked': {
      const [own] = store.ofSource(source, fit === 'unlinked' ? sequence - 1 : sequence)
      if (own?.hash === one.hash) return []
      // Not the fault of the peer that relays it: the node of the source has signed both.
      if (own !== undefined && conflicts(one, own)) return both(own, one, list)
      return `change ${sequence} of ${source} does not link to the one before`
    }
  }
}

/**
 * Two entries that cannot stand in one chain, each the proof against the other. An
 * entry that has seen what is not here is only a proof: it comes again, as a stray, behind what it
 * has seen.
 */
function both(one: Entry, other: Entry, list: Whitelist): Stray[] {
  const strays: Stray[] = [{ entry: one, against: other }]
  if (list.holdsSeen(other.change)) strays.push({ entry: other, against: one })
  return strays
}

/** Strays that were merged, in an order in which each is proven by itself or by those before it. */
export interface Merged {
  readonly taken: readonly Stray[]
  /** Whether what was merged before them does not count any more. */
  readonly mustBuild: boolean
}

/**
 * Merge strays, and as strays all that is held of their sources from the fork on, so that every
 * node ends with all of them.
 */
export function mergeStrays(found: readonly Stray[], { list, store }: Held): Merged {
  const taken: Stray[] = []
  let mustBuild = false
  const open = [...found]
  for (let stray = open.shift(); stray !== undefined; stray = open.shift()) {
    const { change, previous } = stray.entry
    const { source, sequence } = change
    if (list.holds(strayPlace(stray.entry))) continue
    const forkBefore = list.forkOf(source)
    list.mergeStray(stray)
    taken.push(stray)
    // It may revoke an author whose changes were merged before.
    mustBuild ||= change.kind === 'revocation' && change.upTo !== undefined
    // The branches may have parted earlier than where they were seen to differ.
    const [before] = store.ofSource(source, sequence - 1)
    if (before?.change.sequence === sequence - 1 && before.hash !== previous) {
      open.push({ entry: before, against: stray.entry })
    }
    if (sequence >= forkBefore) continue
    for (const entry of store.ofSource(source, sequence)) {
      mustBuild = true
      open.push({ entry })
    }
  }
  return { taken, mustBuild }
}
