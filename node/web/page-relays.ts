import type { Carrier } from '../events/subscriber.ts'
import { isName, type Name } from '../identity/names.ts'
import { FridgeError } from '../lib/errors.ts'
import type { Audience, Relays, Watch } from '../relays/relays.ts'
import type { RpcMethod } from '../wire/rpc.ts'

/** Other nodes that one page may watch at once. */
const MAX_WATCHES = 4

export interface PageRelaysOptions {
  readonly relays: Relays
  /** Where the page is told. */
  readonly carrier: Carrier
  /** Who looks at the page now; undefined where that is nobody who may read anything. */
  readonly audience: () => Audience | undefined
  /** Whether the page may read a sensor by now. */
  readonly mayRead: (sensor: string) => boolean
}

/** The other nodes that one page watches. */
export class PageRelays implements Disposable {
  readonly #options: PageRelaysOptions
  readonly #watches = new Map<Name, Watch>()
  /** What the page calls. */
  readonly methods: ReadonlyMap<string, RpcMethod> = new Map<string, RpcMethod>([
    ['watch', async ([node]) => this.#watch(node)],
    ['unwatch', async ([node]) => this.#unwatch(node)],
    ['historyOf', async ([node, request]) => this.#historyOf(node, request)],
  ])

  constructor(options: PageRelaysOptions) {
    this.#options = options
  }

  /** What the page may read has changed. */
  review(): void {
    if (this.#options.audience() === undefined) return this[Symbol.dispose]()
    for (const watch of this.#watches.values()) watch.review()
  }

  /** Watch no node any more; the page may ask for them anew. */
  [Symbol.dispose](): void {
    for (const watch of this.#watches.values()) watch[Symbol.dispose]()
    this.#watches.clear()
  }

  #watch(node: unknown): void {
    if (!isName(node)) throw new FridgeError('ERR_PROTOCOL', 'watch takes the name of a node')
    if (this.#watches.has(node)) return
    if (this.#watches.size >= MAX_WATCHES) {
      throw new FridgeError('ERR_LIMIT', `a page watches ${MAX_WATCHES} nodes at once`)
    }
    this.#open(node)
  }

  #open(node: Name): void {
    const { relays, carrier, audience, mayRead } = this.#options
    const looking = audience()
    if (looking === undefined) {
      throw new FridgeError('ERR_REFUSED', 'nobody has signed in who may read anything')
    }
    this.#watches.set(node, relays.watch(node, looking, { carrier, mayRead }))
  }

  #unwatch(node: unknown): void {
    if (!isName(node)) throw new FridgeError('ERR_PROTOCOL', 'unwatch takes the name of a node')
    this.#watches.get(node)?.[Symbol.dispose]()
    this.#watches.delete(node)
  }

  async #historyOf(node: unknown, request: unknown): Promise<unknown> {
    const watch = isName(node) ? this.#watches.get(node) : undefined
    if (watch === undefined) throw new FridgeError('ERR_COMMAND', 'watch that node first')
    return watch.history(request)
  }
}
