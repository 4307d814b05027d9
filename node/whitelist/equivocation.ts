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
 * @returns the strays to take, none where it is known; or why its link must end. A stray that comes
 *   before what it has seen is not among them: it comes again behind that
 */
export function straysShownBy(
  one: Entry | Stray,
  { list, store }: Held,
): readonly Stray[] | string {
  if (isStray(one)) {
    const { entry, against } = one
    if (!list.isProven(one)) return 'an entry is called a stray without proof'
    if (!list.holdsSeen(entry.change)) return shownEarly(entry, { list, store })
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
 * What a stray shows that has seen what is not here. That may lie in its own branch, below where the
 * two were seen to differ: there each end takes the other's branch for its own, so that the peer did
 * not send it. Where the own branch cannot stand beside it, they part earlier.
 */
function shownEarly(entry: Entry, { list, store }: Held): readonly Stray[] | string {
  const { source, sequence } = entry.change
  const fork = list.forkOf(source)
  for (const own of store.ofSource(source, Math.max(sequence - 1, 1))) {
    if (own.change.sequence > sequence || own.change.sequence >= fork) break
    if (conflicts(own, entry)) return [{ entry: own, against: entry }]
  }
  return fork <= sequence ? [] : UNSEEN
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

/** A stray that was merged, and what takes it back. */
export interface MergedStray {
  readonly stray: Stray
  readonly takeBack: () => void
}

/**
 * Merge strays, and as strays all that is held of their sources from the fork on, so that every
 * node ends with all of them: each behind those that it follows on, and proven by itself or by
 * those before it.
 */
export function mergeStrays(found: readonly Stray[], { list, store }: Held): MergedStray[] {
  const merged: MergedStray[] = []
  const merge = (stray: Stray): void => {
    if (list.holds(strayPlace(stray.entry))) return
    merged.push({ stray, takeBack: list.mergeStray(stray) })
  }
  for (const stray of found) {
    const { source } = stray.entry.change
    const fork = firstOwn(stray, store)
    // Of the own branch too what was not filed as a stray yet: from the fork on, in its order.
    if (fork !== undefined && fork.entry.change.sequence < list.forkOf(source)) {
      const forkedBefore = list.forkOf(source)
      merge(fork)
      for (const entry of store.ofSource(source, fork.entry.change.sequence + 1)) {
        if (entry.change.sequence < forkedBefore) merge({ entry })
      }
    }
    merge(stray)
  }
  return merged
}

/**
 * The first entry of the own branch that cannot stand in one chain with a stray, or with what
 * proves it.
 */
function firstOwn({ entry, against }: Stray, store: Held['store']): Stray | undefined {
  const { source, sequence } = entry.change
  const rivals = against === undefined ? [entry] : [entry, against]
  // The branches may have parted earlier than where they were seen to differ.
  for (const own of store.ofSource(source, Math.max(sequence - 2, 1))) {
    if (own.change.sequence > sequence + 1) return undefined
    const rival = rivals.find(other => conflicts(own, other))
    if (rival !== undefined) return { entry: own, against: rival }
  }
  return undefined
}
