import { isAuthor } from '../identity/names.ts'
import { FridgeError } from '../lib/errors.ts'
import { isStray, type Entry, type Stray } from '../whitelist/entry.ts'
import { takeBackAll, type DurableList, type Merged } from './durable-list.ts'

/**
 * The removals with which a batch begins and that are next, each of its source when those before it
 * are taken: before these nothing has to be durable that is not. The list is left as it is.
 * @param opened what has come, in its order, as far as it could be read; else why it could not
 */
export function removalsAhead(
  opened: readonly (Entry | Stray | string)[],
  list: Pick<DurableList, 'whitelist' | 'merge' | 'storage'>,
): Entry[] {
  const removals: Entry[] = []
  const merged: Merged[] = []
  try {
    for (const one of opened) {
      if (one === 'stale') continue
      if (typeof one === 'string' || isStray(one) || one.change.kind !== 'revocation') break
      if (list.whitelist.fit(one) !== 'next') break
      removals.push(one)
      // What the removal of an author makes void is looked up once, and not for a trial.
      if (isAuthor(one.change.subject)) break
      if (removals.length < opened.length) merged.push(list.merge(one, 0))
    }
  } catch (error) {
    if (!(error instanceof FridgeError)) throw error
    list.storage.failed(error)
  } finally {
    takeBackAll(merged)
  }
  return removals
}
