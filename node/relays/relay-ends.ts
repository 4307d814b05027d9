import type { Identity } from '../identity/identity.ts'
import type { Name, Source } from '../identity/names.ts'
import type { Random } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Service } from '../sessions/service.ts'
import type { Sessions } from '../sessions/sessions.ts'
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

/** What is known of other nodes, as they say it of themselves. */
export interface KnownNodes {
  isLive(run: Source): boolean
  live(): ReadonlyMap<Source, { readonly name: Name; readonly addresses: readonly string[] }>
  runsOf(node: Name): readonly Source[]
  unreachable(): ReadonlyMap<Name, unknown>
}

export interface OpenRelaysOptions extends Pick<RelaysOptions, 'dial'> {
  readonly service: Service
  readonly sessions: Sessions
  readonly members: KnownNodes
  readonly maxConnectionsPerClient: number
  /** Whether a node has signed two changes at one place. */
  readonly hasForked: (node: Name) => boolean
  readonly random: Random
  readonly log: Log
}

/** Let pages of other nodes read here, and those of this one at others. */
export function openRelays(options: OpenRelaysOptions): RelayEnds {
  const { service, sessions, members, maxConnectionsPerClient, hasForked } = options
  const { dial, random, log } = options
  const { node: self, run, clock } = service
  const admits = (peer: Identity): boolean => sessions.admit(peer).admitted && !hasForked(peer.name)
  const isLive = (asking: Source): boolean => members.isLive(asking)
  const isKnown = (node: Name): boolean =>
    members.runsOf(node).length > 0 || members.unreachable().has(node)
  const addressesOf = (node: Name): string[] =>
    Array.from(members.live().values())
      .filter(({ name }) => name === node)
      .flatMap(({ addresses }) => addresses)
  return new RelayEnds({
    host: { service, sessions, isLive, admits, maxConnectionsPerClient, log },
    relays: { self, run, isKnown, addressesOf, dial, admits, clock, random, log },
  })
}
