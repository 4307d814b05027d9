import type { DeliveryCounts } from '../events/subscriber.ts'
import type { HistoryPage } from '../history/page.ts'
import type { KeyId, Name, Origin } from '../identity/names.ts'
import { FridgeError } from '../lib/errors.ts'
import { GatheredLog } from '../lib/gathered-log.ts'
import type { SignInProof } from '../sessions/sign-in.ts'
import { MAX_AUDIENCES, type Ask } from './relay-frames.ts'
import { Relay, type RelayOptions } from './relay.ts'
import type { RelayedAudience } from './relayed-audience.ts'
import type { WatchingPage } from './viewer.ts'

/** Other nodes that one node reads for its pages at once: each is a connection. */
const MAX_RELAYS = 32

/** How long an audience is kept that no page looks at, in milliseconds: pages are loaded anew. */
const LINGER_MS = 5_000

/** An audience that is about to end. */
interface Lingering {
  readonly relay: Relay
  readonly timer: Disposable
  readonly end: () => void
}

/** Who looks at another node. */
export interface Audience {
  readonly origin: Origin
  /** Absent where nobody has signed in. */
  readonly browser?: { readonly keyId: KeyId; readonly proof: SignInProof } | undefined
}

/** What a page has of a node that it watches. Dispose it to watch no more. */
export interface Watch extends Disposable {
  /** What the page may read here has changed. */
  review(): void
  /** A page of a history. @throws FridgeError */
  history(request: unknown): Promise<HistoryPage>
}

export interface RelaysOptions extends Omit<RelayOptions, 'node' | 'counts'> {
  /** This node: its own sensors need no relay. */
  readonly self: Name
  /** Whether a node is known. */
  readonly isKnown: (node: Name) => boolean
}

/** The other nodes that this one reads for its pages: one connection each, given back when nobody looks. */
export class Relays implements Disposable {
  readonly #options: RelaysOptions
  readonly #relays = new Map<Name, Relay>()
  /** Audiences that nobody looks at, the oldest first. */
  readonly #lingering = new Map<RelayedAudience, Lingering>()
  readonly #counts: DeliveryCounts = { delivered: 0, bytes: 0, conflated: 0 }

  readonly #log: GatheredLog

  constructor(options: RelaysOptions) {
    this.#options = options
    this.#log = new GatheredLog(options.log, options.clock)
  }

  /** How many other nodes it is connected to. */
  get size(): number {
    return [...this.#relays.values()].filter(({ isOpen }) => isOpen).length
  }

  /** For how many audiences. */
  get audiences(): number {
    let audiences = 0
    for (const relay of this.#relays.values()) audiences += relay.size
    return audiences
  }

  /**
   * Let a page watch another node: it is told at once what is known, and from then on all that its
   * audience may read there.
   * @throws FridgeError `ERR_COMMAND` when there is no such node, `ERR_LIMIT`
   */
  watch(node: Name, audience: Audience, page: WatchingPage): Watch {
    const { self, isKnown } = this.#options
    if (node === self) {
      throw new FridgeError('ERR_COMMAND', `the sensors of ${node} are told without a watch`)
    }
    if (!isKnown(node)) throw new FridgeError('ERR_COMMAND', `no node is called ${node}`)
    const key = keyOf(audience)
    const relay = this.#relayTo(node)
    const found = relay.find(key) ?? this.#addTo(relay, key, askOf(audience))
    this.#keep(found)
    found.join(page)
    return {
      review: () => found.review(page),
      history: async request => relay.history(found, page, request),
      [Symbol.dispose]: () => {
        found.leave(page)
        if (found.isUnwatched) this.#linger(node, relay, key, found)
      },
    }
  }

  /** End the connections to nodes that are not admitted any more. @returns how many */
  review(): number {
    return [...this.#relays.values()].filter(relay => relay.review()).length
  }

  [Symbol.dispose](): void {
    for (const { end } of Array.from(this.#lingering.values())) end()
    for (const relay of this.#relays.values()) relay[Symbol.dispose]()
    this.#relays.clear()
    this.#log[Symbol.dispose]()
  }

  #relayTo(node: Name): Relay {
    const known = this.#relays.get(node)
    if (known !== undefined) return known
    if (this.#relays.size >= MAX_RELAYS) this.#endOldest()
    if (this.#relays.size >= MAX_RELAYS) {
      throw new FridgeError('ERR_LIMIT', `pages here look at ${MAX_RELAYS} other nodes already`)
    }
    const relay = Relay.start({ ...this.#options, node, counts: this.#counts, log: this.#log })
    this.#relays.set(node, relay)
    return relay
  }

  #addTo(relay: Relay, key: string, ask: Ask): RelayedAudience {
    if (relay.size >= MAX_AUDIENCES) this.#endOldest(relay)
    if (relay.size < MAX_AUDIENCES) return relay.add(key, ask)
    throw new FridgeError('ERR_LIMIT', 'too many look at that node through this one')
  }

  #linger(node: Name, relay: Relay, key: string, audience: RelayedAudience): void {
    if (this.#lingering.has(audience) || relay.find(key) !== audience) return
    const end = (): void => {
      this.#keep(audience)
      relay.remove(key)
      if (relay.size > 0) return
      relay[Symbol.dispose]()
      this.#relays.delete(node)
    }
    const timer = this.#options.clock.after(LINGER_MS, end)
    this.#lingering.set(audience, { relay, timer, end })
  }

  /** Whatever was about to end it. */
  #keep(audience: RelayedAudience): void {
    this.#lingering.get(audience)?.timer[Symbol.dispose]()
    this.#lingering.delete(audience)
  }

  /** End what nobody has looked at for longest, over this connection or over any. */
  #endOldest(over?: Relay): void {
    const lingering = [...this.#lingering.values()]
    lingering.find(({ relay }) => over === undefined || relay === over)?.end()
  }
}

function askOf({ origin, browser }: Audience): Ask {
  return browser === undefined ? { origin } : { origin, signIn: browser.proof }
}

/** Pages of one origin and one browser are told the same. */
function keyOf({ origin, browser }: Audience): string {
  return JSON.stringify([origin, browser?.proof.name, browser?.keyId])
}
