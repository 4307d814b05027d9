import type { ChangeId } from './change.ts'

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
  const shared = ids instanceof SharedIds ? ids : SharedIds.of(ids)
  return shared.replace(added, gone)
}

/** The versions of a set in which an id is: from the first on, and not from the second on. */
interface Span {
  readonly from: number
  until: number
}

/** What all versions of a set share: only the newest is built on, others are copied first. */
interface Versions {
  readonly spans: Map<ChangeId, Span>
  newest: number
}

/** One version of a set that grows: the versions before it stay what they were. */
class SharedIds implements Iterable<ChangeId> {
  readonly size: number
  readonly #versions: Versions
  readonly #version: number

  constructor(versions: Versions, size: number) {
    this.#versions = versions
    this.#version = versions.newest
    this.size = size
  }

  static of(ids: RevocationIds): SharedIds {
    const spans = new Map<ChangeId, Span>()
    for (const id of ids) spans.set(id, { from: 0, until: Infinity })
    return new SharedIds({ spans, newest: 0 }, spans.size)
  }

  has(id: ChangeId): boolean {
    const span = this.#versions.spans.get(id)
    return span !== undefined && this.#isIn(span)
  }

  *keys(): IterableIterator<ChangeId> {
    for (const [id, span] of this.#versions.spans) if (this.#isIn(span)) yield id
  }

  [Symbol.iterator](): Iterator<ChangeId> {
    return this.keys()
  }

  replace(added: ChangeId, gone: readonly ChangeId[]): SharedIds {
    const { spans, newest } = this.#versions
    const isOld = this.#version < newest || (spans.has(added) && !this.has(added))
    // What is only in versions before takes room, and is passed over each time.
    if (isOld || spans.size > 2 * this.size) return SharedIds.of(this).replace(added, gone)
    const version = newest + 1
    let size = this.size
    for (const id of gone) {
      const span = spans.get(id)
      if (id === added || span?.until !== Infinity) continue
      span.until = version
      size -= 1
    }
    if (!spans.has(added)) {
      spans.set(added, { from: version, until: Infinity })
      size += 1
    }
    this.#versions.newest = version
    return new SharedIds(this.#versions, size)
  }

  #isIn({ from, until }: Span): boolean {
    return from <= this.#version && this.#version < until
  }
}
