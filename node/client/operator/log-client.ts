import type { Credentials } from '../../identity/credentials.ts'
import { isSource, type Source } from '../../identity/names.ts'
import type { Address } from '../../lib/address.ts'
import type { Clock } from '../../lib/clock.ts'
import { FridgeError } from '../../lib/errors.ts'
import type { ChangePage } from '../../operators/changes.ts'
import { fits, type ChangeFilter } from '../../whitelist/change-filter.ts'
import { isSequence } from '../../whitelist/change.ts'
import { connectAny } from '../failover.ts'
import { ANSWER_MS, type NodeConnection } from '../node-connection.ts'
import { LogChecker, readPage, type CheckedEntry } from './log-entry.ts'

/** How far each source has been heard: goes with a reader from node to node. */
export type LogClock = Map<Source, number>

/** The log of changes, as one node shows it and this machine checks it. */
export class LogClient implements AsyncDisposable {
  readonly #connection: NodeConnection
  readonly #checker: LogChecker
  readonly #filter: ChangeFilter
  readonly #signal: AbortSignal

  private constructor(
    connection: NodeConnection,
    checker: LogChecker,
    filter: ChangeFilter,
    signal: AbortSignal,
  ) {
    this.#connection = connection
    this.#checker = checker
    this.#filter = filter
    this.#signal = signal
  }

  /** Connect to the first node that answers, as an operator. */
  static async connect(
    nodes: readonly Address[],
    credentials: Credentials,
    filter: ChangeFilter,
    { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  ): Promise<LogClient> {
    const connection = await connectAny(nodes, { credentials, clock, signal })
    const client = new LogClient(connection, new LogChecker(credentials), filter, signal)
    if (connection.methods.has('follow')) return client
    await connection[Symbol.asyncDispose]()
    throw new FridgeError('ERR_NOT_OPERATOR', `${connection.address} shows you no log`, {
      fix: 'use the certificate of an operator: fridge certs issue operator NAME, then --as NAME',
    })
  }

  /** The node that was reached. */
  get node(): string {
    return this.#connection.node
  }

  /** The newest changes that fit, newest first; at most `limit`. */
  async newest(limit: number): Promise<CheckedEntry[]> {
    const entries: CheckedEntry[] = []
    let before: number | null = null
    do {
      const value = await this.#call('log', [this.#filter, before])
      entries.push(...(await this.#open(value)))
      const answer: { before?: unknown } = value as object
      // Only ever downwards: a node cannot keep this loop going for ever.
      if (isSequence(answer.before) && answer.before < (before ?? Infinity)) before = answer.before
      else before = null
    } while (before !== null && entries.length < limit)
    return entries.slice(0, limit)
  }

  /** How far the node has heard each source. */
  async clock(): Promise<LogClock> {
    const value = await this.#call('clock', [])
    const pairs = typeof value === 'object' && value !== null ? Object.entries(value) : []
    const clock: LogClock = new Map()
    for (const [source, sequence] of pairs) {
      if (isSource(source) && isSequence(sequence)) clock.set(source, sequence)
    }
    return clock
  }

  /**
   * Hear of each change that `clock` lacks, now and later, until the connection ends or the
   * signal aborts. `clock` moves with what `onEntry` was given.
   * @throws FridgeError why the connection ended
   */
  async follow(clock: LogClock, onEntry: (entry: CheckedEntry) => void): Promise<never> {
    for (;;) {
      let opened = Promise.resolve()
      const onProgress = (value: unknown): void => {
        opened = opened.then(async () => {
          for (const entry of await this.#open(value)) {
            const { place, problem } = entry
            if (place !== undefined && place.sequence <= (clock.get(place.source) ?? 0)) continue
            // An entry that is not signed must not keep the real change from being shown.
            if (place !== undefined && problem === undefined)
              clock.set(place.source, place.sequence)
            onEntry(entry)
          }
        })
        // It is awaited below; until then a rejection would be unhandled.
        opened.catch(() => {})
      }
      try {
        const heard = Object.fromEntries(clock)
        await this.#call('follow', [this.#filter, heard], onProgress)
      } finally {
        await opened
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]()
  }

  async #open(value: unknown): Promise<CheckedEntry[]> {
    const page: ChangePage = readPage(value, this.node)
    const entries = await this.#checker.check(page)
    return entries.filter(({ change }) => change === undefined || fits(change, this.#filter))
  }

  async #call(
    method: 'log' | 'clock' | 'follow',
    values: readonly unknown[],
    onProgress?: (value: unknown) => void,
  ): Promise<unknown> {
    return this.#connection.call(method, values, {
      signal: this.#signal,
      ...(onProgress === undefined ? { timeoutMs: ANSWER_MS } : { onProgress }),
    })
  }
}
