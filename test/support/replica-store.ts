import type { Source } from '../../node/identity/names.ts'
import type { ChangeStore } from '../../node/whitelist/store.ts'
import { openSqliteStore } from '../../node/storage/sqlite-store.ts'

/** Everything that a store says: its list, its certificates, and what it would send to peers. */
export function storeText(
  store: ChangeStore,
  clocks: readonly ReadonlyMap<Source, number>[] = [],
): string {
  return JSON.stringify([
    loggedHashes(store),
    [...store.certificates()],
    ...clocks.map(clock => Array.from(store.after(clock), one => JSON.stringify(one))),
  ])
}

/** The log by the hashes of its entries, oldest first. */
export function loggedHashes(store: ChangeStore): string[] {
  return Array.from(store.logged(), one => ('entry' in one ? one.entry.hash : one.hash))
}

/** Open a store, read its log and close it. */
export function readStore(file: string): string[] {
  using store = openSqliteStore(file)
  return loggedHashes(store)
}
