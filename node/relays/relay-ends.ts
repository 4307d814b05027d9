import type { Identity } from '../identity/identity.ts'
import type { AskingNode } from './served-relay.ts'
import type { RelayHost, RelayHostOptions } from './relay-host.ts'
import type { Relays, RelaysOptions } from './relays.ts'

export interface RelayEndsOptions {
  readonly host: RelayHostOptions
  readonly relays: RelaysOptions
}

/**
 * Both ends of the relays of one node: where others read here, and where it reads at others. Neither
 * is loaded before it is needed: most nodes never see a browser.
 */
export class RelayEnds implements Disposable {
  readonly #options: RelayEndsOptions
  #host: RelayHost | undefined
  #relays: Relays | undefined
  #isClosed = false

  constructor(options: RelayEndsOptions) {
    this.#options = options
  }

  /** Connections of other nodes that read here, and of this one to others. */
  get connections(): { readonly served: number; readonly asked: number } {
    return { served: this.#host?.size ?? 0, asked: this.#relays?.size ?? 0 }
  }

  /** Audiences on these. */
  get audiences(): { readonly served: number; readonly asked: number } {
    return { served: this.#host?.audiences ?? 0, asked: this.#relays?.audiences ?? 0 }
  }

  /** Whether a node may be connected now. */
  admits(peer: Identity): boolean {
    return this.#options.host.admits(peer)
  }

  /** Serve a node that has dialed this one to read for its pages. */
  async take(asking: AskingNode): Promise<void> {
    const { RelayHost } = await import('./relay-host.ts')
    if (this.#isClosed) return void asking.socket.destroy()
    this.#host ??= new RelayHost(this.#options.host)
    this.#host.take(asking)
  }

  /** Where pages of this node look at others. */
  async open(): Promise<Relays> {
    const { Relays } = await import('./relays.ts')
    return (this.#relays ??= new Relays(this.#options.relays))
  }

  /** End all connections with nodes that are not admitted any more. @returns how many */
  review(): number {
    return (this.#host?.review() ?? 0) + (this.#relays?.review() ?? 0)
  }

  /** Tell all other nodes that this one stops. */
  [Symbol.dispose](): void {
    this.#isClosed = true
    this.#host?.[Symbol.dispose]()
    this.#relays?.[Symbol.dispose]()
  }
}
