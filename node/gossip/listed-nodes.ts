import { nodeOf, type Name, type Source } from '../identity/names.ts'
import type { Replica } from './replica.ts'

/**
 * The nodes that the list knows, because it holds a change that they accepted: also those of which
 * no other word has been heard since this node started.
 */
export class ListedNodes implements Disposable {
  readonly #names: Set<Name>
  readonly #subscriptions = new DisposableStack()

  constructor(replica: Pick<Replica, 'whitelist' | 'subscribe' | 'subscribeEquivocation'>) {
    this.#names = new Set(Array.from(replica.whitelist.clock().keys(), nodeOf))
    const note = (entries: readonly { readonly entry: Accepted }[]): void => {
      for (const { entry } of entries) this.#names.add(nodeOf(entry.change.source))
    }
    this.#subscriptions.use(replica.subscribe(note))
    this.#subscriptions.use(replica.subscribeEquivocation(note))
  }

  names(): Iterable<Name> {
    return this.#names
  }

  [Symbol.dispose](): void {
    this.#subscriptions.dispose()
  }
}

/** What is looked at of an entry: which source accepted it. */
interface Accepted {
  readonly change: { readonly source: Source }
}
