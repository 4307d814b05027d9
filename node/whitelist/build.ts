import type { Change } from './change.ts'
import { isStray, strayPlace, type Stray } from './entry.ts'
import type { ChangeStore } from './store.ts'
import { Whitelist } from './whitelist.ts'

/**
 * The list that a log of changes makes. A log in which the revocation of an author came late is
 * read twice.
 */
export function buildWhitelist(store: Pick<ChangeStore, 'logged'>): Whitelist {
  const whitelist = new Whitelist()
  const late: Change[] = []
  const strays: Stray[] = []
  for (const one of store.logged()) {
    if (isStray(one)) {
      strays.push(one)
      whitelist.mergeStray(one)
    } else {
      whitelist.merge(one)
      if (whitelist.voidsEarlier(one.change)) late.push(one.change)
    }
  }
  if (late.length === 0 && strays.length === 0) return whitelist
  const rebuilt = new Whitelist()
  for (const change of late) rebuilt.withdraw(change)
  for (const stray of strays) {
    rebuilt.noteFork(stray.entry.change)
    // A stray that revokes an author voids what stands before it, as its entry does in its place.
    rebuilt.withdraw({ ...stray.entry.change, ...strayPlace(stray.entry) })
  }
  for (const one of store.logged()) {
    if (isStray(one)) rebuilt.mergeStray(one)
    else rebuilt.merge(one)
  }
  return rebuilt
}

/** Whether one stray proves a fork at or before the place of another. */
export function proves(proof: Stray, { entry }: Stray): boolean {
  const { source, sequence } = proof.entry.change
  return source === entry.change.source && sequence <= entry.change.sequence
}
