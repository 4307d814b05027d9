import type { Source } from '../names.ts'
import type { Entry } from './change.ts'
import type { ChangeStore } from './store.ts'

/** A store that forgets: for simulations, property tests and throw-away nodes. */
export class MemoryStore implements ChangeStore {
  readonly #entries: Entry[] = []
  readonly #certificates = new Map<string, readonly string[]>()

  append(entries: readonly Entry[]): void {
    this.#entries.push(...entries)
  }

  entries(): Iterable<Entry> {
    return this.#entries.values()
  }

  after(clock: ReadonlyMap<Source, number>): Iterable<Entry> {
    return this.#entries
      .values()
      .filter(({ change }) => change.sequence > (clock.get(change.source) ?? 0))
  }

  certificates(): Iterable<readonly string[]> {
    return this.#certificates.values()
  }

  keepCertificate(fingerprint: string, chain: readonly string[]): void {
    this.#certificates.set(fingerprint, chain)
  }

  [Symbol.dispose](): void {}
}
