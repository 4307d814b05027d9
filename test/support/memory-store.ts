import type { Source } from '../../node/identity/names.ts'
import type { Place } from '../../node/whitelist/change.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { isStray, placeOf, type Entry, type Stray } from '../../node/whitelist/entry.ts'
import { OpenedLog } from '../../node/whitelist/opened-log.ts'
import type { Base, ChangeStore, LeftEntry } from '../../node/whitelist/store.ts'

/** A store that forgets: for simulations, property tests and throw-away nodes. */
export class MemoryStore extends OpenedLog implements ChangeStore {
  readonly #entries: (Entry | Stray)[] = []
  readonly #places = new Set<string>()
  readonly #archived = new Set<string>()
  #base: Base | undefined
  readonly #certificates = new Map<string, readonly string[]>()

  /** All that was appended, oldest first. */
  get entries(): readonly (Entry | Stray)[] {
    return this.#entries
  }

  append(entries: readonly (Entry | Stray)[]): void {
    const places = new Set(entries.map(placeText))
    if (places.size < entries.length || !places.isDisjointFrom(this.#places)) {
      throw new FridgeError('ERR_DATABASE', 'a place is taken')
    }
    this.#keep(entries)
  }

  #keep(entries: readonly (Entry | Stray)[]): void {
    for (const place of entries.map(placeText)) this.#places.add(place)
    this.#entries.push(...entries)
    for (const one of entries) this.add(one, this.#archived.has(placeText(one)))
  }

  /** Let entries leave the log, which begins at a checkpoint then. */
  archive(moved: Iterable<Place>, base: Omit<Base, 'archived'>): void {
    for (const { source, sequence } of moved) this.#archived.add(`${source} ${sequence}`)
    this.#base = { ...base, archived: this.#archived.size }
    const all = this.#entries.splice(0)
    this.#places.clear()
    this.clear()
    this.#keep(all)
  }

  *beginWith(entries: readonly Entry[], base: Base): Generator<undefined, void> {
    yield
    this.#base = base
    this.append(entries)
  }

  leftBehind(position: number, limit: number): readonly LeftEntry[] {
    return this.#entries
      .map((entry, index) => ({ position: index + 1, entry }))
      .filter(one => one.position > position && !this.#archived.has(placeText(one.entry)))
      .slice(0, limit)
  }

  override base(): Base | undefined {
    return this.#base
  }

  takeBack(source: Source, from: number): void {
    const kept = this.#entries.filter(
      one => isStray(one) || one.change.source !== source || one.change.sequence < from,
    )
    this.#entries.splice(0)
    this.#places.clear()
    this.clear()
    this.#keep(kept)
  }

  probe(): void {}

  *after(clock: ReadonlyMap<Source, number>): Iterable<Entry | Stray> {
    const strays = this.#entries.filter(isStray)
    const told = new Set<Stray>()
    for (const one of this.#entries) {
      // What stood in its place before the fork has been seen behind that place.
      const stray = isStray(one) ? one : strays.find(({ entry }) => entry.hash === one.hash)
      if (stray === undefined) {
        const { source, sequence } = placeOf(one)
        if (sequence > (clock.get(source) ?? 0)) yield one
      } else if (!told.has(stray)) {
        told.add(stray)
        if ((clock.get(placeOf(stray).source) ?? 0) === 0) yield stray
      }
    }
  }

  *ofSource(source: Source, from: number): Iterable<Entry> {
    for (const one of this.#entries) {
      if (isStray(one)) continue
      if (one.change.source === source && one.change.sequence >= from) yield one
    }
  }

  certificates(): Iterable<readonly string[]> {
    return this.#certificates.values()
  }

  keepCertificate(fingerprint: string, chain: readonly string[]): void {
    this.#certificates.set(fingerprint, chain)
  }

  [Symbol.dispose](): void {}
}

function placeText(one: Entry | Stray): string {
  const { source, sequence } = placeOf(one)
  return `${source} ${sequence}`
}
