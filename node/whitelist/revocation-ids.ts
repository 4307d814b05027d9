import type { ChangeId } from './change.ts'
import { VersionedMap } from './versioned-map.ts'

/** Ids of revocations. It never changes: what it becomes is another one. */
export type RevocationIds = ReadonlySetLike<ChangeId> & Iterable<ChangeId>

/** Up to here a copy is small, and cheaper than what it would share. */
const MAX_COPIED = 32

/**
 * What ids become with another one, in the place of some.
 * Revocations that were made at once stay in, and a stolen key makes thousands of them: it costs what
 * changes, and no copy of all.
 */
export function replaceIds(
  ids: RevocationIds,
  added: ChangeId,
  gone: readonly ChangeId[],
): RevocationIds {
  if (ids.size <= MAX_COPIED) {
    const left = new Set(ids)
    for (const id of gone) left.delete(id)
    return left.add(added)
  }
  return (ids instanceof SharedIds ? ids : SharedIds.of(ids)).replace(added, gone)
}

class SharedIds implements Iterable<ChangeId> {
  readonly #ids: VersionedMap<ChangeId, undefined>

  constructor(ids: VersionedMap<ChangeId, undefined>) {
    this.#ids = ids
  }

  static of(ids: Iterable<ChangeId>): SharedIds {
    return new SharedIds(VersionedMap.of(Array.from(ids, id => [id, undefined] as const)))
  }

  get size(): number {
    return this.#ids.size
  }

  has(id: ChangeId): boolean {
    return this.#ids.has(id)
  }

  keys(): IterableIterator<ChangeId> {
    return this.#ids.entries().map(([id]) => id)
  }

  [Symbol.iterator](): Iterator<ChangeId> {
    return this.keys()
  }

  replace(added: ChangeId, gone: readonly ChangeId[]): SharedIds {
    return new SharedIds(this.#ids.replace(added, undefined, gone))
  }
}
