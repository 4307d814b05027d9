import { formatAddress, type Address } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import type { Credentials } from '../identity/credentials.ts'
import type { FridgeError } from '../lib/errors.ts'
import type { EventHandlers } from './event-streams.ts'
import { connectAny } from './failover.ts'
import { isOver } from './last-words.ts'
import type { NodeConnection, NodeConnectionOptions } from './node-connection.ts'
import type { TlsSession } from './node-tls.ts'

export interface NodeDialerOptions {
  /** At least one. */
  readonly nodes: readonly Address[]
  /** Asked before each dial. */
  readonly credentials: () => Promise<Credentials>
  readonly clock: Clock
  readonly timeoutMs?: number
}

/** Finds a node that serves this client, with the credentials that are on disk by then. */
export class NodeDialer {
  readonly #options: NodeDialerOptions
  #credentials: Credentials | undefined
  #sessions = new Map<string, TlsSession>()
  #first = 0

  constructor(options: NodeDialerOptions) {
    if (options.nodes.length === 0) throw new TypeError('a client needs the address of a node')
    const { nodes } = options
    const different = new Map(nodes.map(node => [formatAddress(node), node]))
    this.#options = { ...options, nodes: [...different.values()] }
  }

  /**
   * @param lastWord what the node said that this client was connected to last, when it refused for
   *   good: then the others are asked
   * @throws FridgeError as `connectAny`; the signal's reason when it aborts
   */
  async dial(
    more: EventHandlers & Pick<NodeConnectionOptions, 'onHello' | 'resume' | 'signal' | 'unsealer'>,
    lastWord?: FridgeError,
  ): Promise<NodeConnection> {
    const { nodes, clock, timeoutMs } = this.#options
    const credentials = this.#credentials ?? (await this.#load())
    const order = [...nodes.slice(this.#first), ...nodes.slice(0, this.#first)]
    const options = {
      ...more,
      credentials,
      clock,
      sessions: this.#sessions,
      ...(timeoutMs !== undefined && { timeoutMs }),
    }
    const connection =
      lastWord === undefined
        ? await connectAny(order, options)
        : await connectAny(order.slice(1), options, [lastWord])
    this.#first = nodes.findIndex(node => formatAddress(node) === connection.address)
    return connection
  }

  /** Whether no node will have this client as it is. */
  isOver(error: unknown): boolean {
    return isOver(error, this.#options.nodes.length)
  }

  /** Begin with the next node: the first has not answered. */
  passOver(): void {
    this.#first = (this.#first + 1) % this.#options.nodes.length
  }

  /**
   * Read the credentials again. What cannot be read changes nothing: files are replaced one by one.
   * @returns whether the certificate or the key is another than before
   */
  async reload(): Promise<boolean> {
    const before = this.#credentials
    const loaded = await this.#load().catch(() => before)
    return loaded?.certificate !== before?.certificate || loaded?.key !== before?.key
  }

  async #load(): Promise<Credentials> {
    const loaded = await this.#options.credentials()
    const before = this.#credentials
    if (
      loaded.certificate !== before?.certificate ||
      loaded.key !== before.key ||
      loaded.ca !== before.ca
    ) {
      // A node that resumes a session sees the certificate with which it was begun.
      this.#sessions = new Map()
      this.#credentials = loaded
    }
    return loaded
  }
}
