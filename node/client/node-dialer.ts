import { formatAddress, type Address } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import type { Credentials } from '../identity/credentials.ts'
import { FridgeError } from '../lib/errors.ts'
import { connectAny } from './failover.ts'
import type { NodeConnection, NodeConnectionOptions, TlsSession } from './node-connection.ts'

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
    this.#options = options
  }

  /** @throws FridgeError as `connectAny`; the signal's reason when it aborts */
  async dial(
    more: Pick<
      NodeConnectionOptions,
      | 'onHello'
      | 'onEvent'
      | 'onResumed'
      | 'onWithdrawn'
      | 'onAlarm'
      | 'onStanding'
      | 'resume'
      | 'signal'
    >,
  ): Promise<NodeConnection> {
    const { nodes, clock, timeoutMs } = this.#options
    const credentials = this.#credentials ?? (await this.#load())
    const order = [...nodes.slice(this.#first), ...nodes.slice(0, this.#first)]
    const connection = await connectAny(order, {
      ...more,
      credentials,
      clock,
      sessions: this.#sessions,
      ...(timeoutMs !== undefined && { timeoutMs }),
    })
    this.#first = nodes.findIndex(node => formatAddress(node) === connection.address)
    return connection
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

/** Refusals that every other node would give as well, and again: more tries would only be a burden. */
const FINAL: ReadonlySet<string> = new Set([
  'ERR_REVOKED',
  'ERR_NOT_LISTED',
  'ERR_EXPIRED',
  'ERR_NOT_TRUSTED',
])

/** Whether every node refuses this client as it is. Of several failures each must say so. */
export function isFinal(error: unknown): boolean {
  if (!(error instanceof FridgeError)) return true
  if (Array.isArray(error.cause)) return error.cause.every(isFinal)
  return FINAL.has(error.code)
}
