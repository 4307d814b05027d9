import type { Identity } from '../identity/identity.ts'
import type { Name } from '../identity/names.ts'
import { GatheredLog } from '../lib/gathered-log.ts'
import type { Log } from '../lib/log.ts'
import type { Ending } from '../wire/connection.ts'
import { ServedRelay, type AskingNode, type ServedRelayOptions } from './served-relay.ts'

export interface RelayHostOptions extends Pick<
  ServedRelayOptions,
  'service' | 'sessions' | 'isLive' | 'maxConnectionsPerClient'
> {
  /** Whether a node may be connected now. */
  readonly admits: (peer: Identity) => boolean
  readonly log: Log
}

/** The other nodes whose pages read here: one connection of each. */
export class RelayHost implements Disposable {
  readonly #options: RelayHostOptions
  readonly #log: GatheredLog
  readonly #relays = new Map<Name, ServedRelay>()

  constructor(options: RelayHostOptions) {
    this.#options = options
    this.#log = new GatheredLog(options.log, options.service.clock)
  }

  /** How many nodes are connected to read here. */
  get size(): number {
    return this.#relays.size
  }

  /** How many audiences they read for. */
  get audiences(): number {
    let audiences = 0
    for (const relay of this.#relays.values()) audiences += relay.audiences
    return audiences
  }

  /** Serve a node that was admitted. It has one connection: an earlier one is over. */
  take(asking: AskingNode): void {
    const { name } = asking.peer
    this.#relays.get(name)?.close('replaced', 'the node has dialed again')
    const relay = new ServedRelay(asking, {
      ...this.#options,
      onRefused: (audience, reason) =>
        this.#log.info({ ...audience, reason }, 'a page of another node was refused'),
      onEnd: (ended, ending) => this.#ended(ended, ending),
    })
    this.#relays.set(name, relay)
    this.#log.info({ peer: name }, 'a node reads here for its pages')
  }

  /** Cut the nodes that are not admitted any more. @returns how many */
  review(): number {
    const refused = [...this.#relays.values()].filter(({ peer }) => !this.#options.admits(peer))
    for (const relay of refused) {
      relay.close('revoked', `${relay.peer.subject} may not read here any more`)
    }
    return refused.length
  }

  /** Tell all that the node stops. */
  [Symbol.dispose](): void {
    for (const relay of Array.from(this.#relays.values())) {
      relay.close('leaving', 'the node is stopping')
    }
    this.#log[Symbol.dispose]()
  }

  #ended(relay: ServedRelay, ending: Ending): void {
    const peer = relay.peer.name
    if (this.#relays.get(peer) === relay) this.#relays.delete(peer)
    if (ending.cause === 'refused') {
      const reason = ending.refusal.toString()
      this.#log.warn({ peer, reason }, 'cut: a node that reads for its pages broke the protocol')
    } else this.#log.info({ peer, cause: ending.cause }, 'a node reads here no more')
  }
}
