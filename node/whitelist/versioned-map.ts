/** A value, and the versions of a map in which it is: from the first on, and not from the second on. */
interface Span<Value> {
  readonly value: Value
  readonly from: number
  until: number
}

/** What all versions of a map share: only the newest is built on, others are copied first. */
interface Versions<Key, Value> {
  readonly spans: Map<Key, Span<Value>>
  newest: number
}

/** One version of a map that grows: the versions before it stay what they were, and share what is in both. */
export class VersionedMap<Key, Value> {
  readonly size: number
  readonly #versions: Versions<Key, Value>
  readonly #version: number

  constructor(versions: Versions<Key, Value>, size: number) {
    this.#versions = versions
    this.#version = versions.newest
    this.size = size
  }

  static of<Key, Value>(entries: Iterable<readonly [Key, Value]>): VersionedMap<Key, Value> {
    const spans = new Map<Key, Span<Value>>()
    for (const [key, value] of entries) spans.set(key, { value, from: 0, until: Infinity })
    return new VersionedMap({ spans, newest: 0 }, spans.size)
  }

  has(key: Key): boolean {
    const span = this.#versions.spans.get(key)
    return span !== undefined && this.#isIn(span)
  }

  /** All of it, in the order in which it came. */
  *entries(): Generator<[Key, Value], undefined> {
    for (const [key, span] of this.#versions.spans) if (this.#isIn(span)) yield [key, span.value]
    return undefined
  }

  /** The map with one more, unless it has that already, in the place of some. */
  replace(added: Key, value: Value, gone: Iterable<Key>): VersionedMap<Key, Value> {
    const { spans, newest } = this.#versions
    const isOld = this.#version < newest || (spans.has(added) && !this.has(added))
    // What is only in versions before takes room, and is passed over each time.
    if (isOld || spans.size > 2 * this.size) {
      return VersionedMap.of(this.entries()).replace(added, value, gone)
    }
    const version = newest + 1
    let size = this.size
    for (const key of gone) {
      const span = spans.get(key)
      if (key === added || span?.until !== Infinity) continue
      span.until = version
      size -= 1
    }
    if (!spans.has(added)) {
      spans.set(added, { value, from: version, until: Infinity })
      size += 1
    }
    this.#versions.newest = version
    return new VersionedMap(this.#versions, size)
  }

  #isIn({ from, until }: Span<Value>): boolean {
    return from <= this.#version && this.#version < until
  }
}
