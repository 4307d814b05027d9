import type { Credentials } from '../../identity/credentials.ts'
import { isSource, MAX_SOURCES, type Source } from '../../identity/names.ts'
import type { Address } from '../../lib/address.ts'
import type { Clock } from '../../lib/clock.ts'
import { FridgeError } from '../../lib/errors.ts'
import type { ChangePage } from '../../operators/changes.ts'
import { fits, type ChangeFilter } from '../../whitelist/change-filter.ts'
import { isSequence } from '../../whitelist/change.ts'
import { connectAny } from '../failover.ts'
import { isLastWord } from '../last-words.ts'
import { ANSWER_MS, type NodeConnection } from '../node-connection.ts'
import { unreadable } from './answers.ts'
import { doubtOf, type Doubt } from './doubt.ts'
import { LogChecker, readPage, type CheckedEntry } from './log-entry.ts'

const LOG_LIMITS = {
  /** Pages of one log: 200 changes on each are 200 million. */
  maxPages: 1_000_000,
  /** Text of changes that are not verified, in UTF-16 units: a node can invent any number of them. */
  maxUnverified: 64 * 1_024 * 1_024,
} as const

/** How far each source has been heard: goes with a reader from node to node. */
export type LogClock = Map<Source, number>

/** The log of changes, as one node shows it and this machine checks it. */
export class LogClient implements AsyncDisposable {
  readonly #connection: NodeConnection
  readonly #checker: LogChecker
  readonly #filter: ChangeFilter
  readonly #signal: AbortSignal
  readonly #doubt: Doubt

  private constructor(
    connection: NodeConnection,
    checker: LogChecker,
    filter: ChangeFilter,
    { signal, doubt }: { readonly signal: AbortSignal; readonly doubt: Doubt },
  ) {
    this.#connection = connection
    this.#checker = checker
    this.#filter = filter
    this.#signal = signal
    this.#doubt = doubt
  }

  /** Connect to the first node that answers, as an operator. */
  static async connect(
    nodes: readonly Address[],
    credentials: Credentials,
    filter: ChangeFilter,
    { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  ): Promise<LogClient> {
    const options = { credentials, clock, signal }
    const connection = await connectAny(nodes, options)
    const doubt = doubtOf(connection, nodes, options)
    const checker = new LogChecker(credentials)
    const client = new LogClient(connection, checker, filter, { signal, doubt })
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

  /**
   * The newest changes that fit, newest first; at most `limit`.
   * @throws FridgeError `ERR_PROTOCOL` for what no log is, so that a node cannot go on for ever
   */
  async newest(limit: number): Promise<CheckedEntry[]> {
    const entries: CheckedEntry[] = []
    const places = new Set<string>()
    let unverified = 0
    let before: number | null = null
    for (let pages = 1; ; pages += 1) {
      const value = await this.#call('log', [this.#filter, before])
      for (const entry of await this.#open(value)) {
        entries.push(entry)
        if (entry.problem !== undefined) unverified += entry.sent.text.length
        else if (entry.place !== undefined) {
          const place = `${entry.place.source} ${entry.place.sequence}`
          if (places.has(place)) throw unreadable(this.node, 'log', 'it shows a change twice')
          places.add(place)
        }
      }
      if (unverified > LOG_LIMITS.maxUnverified || pages > LOG_LIMITS.maxPages) {
        throw unreadable(this.node, 'log', 'it has no end')
      }
      const next: { before?: unknown } = value as object
      if (next.before === null || entries.length >= limit) return entries.slice(0, limit)
      if (!isSequence(next.before) || next.before >= (before ?? Infinity)) {
        throw unreadable(this.node, 'log', 'its pages do not follow each other')
      }
      before = next.before
    }
  }

  /** How far the node has heard each source. @throws FridgeError `ERR_PROTOCOL` */
  async clock(): Promise<LogClock> {
    const value = await this.#call('clock', [])
    const pairs = typeof value === 'object' && value !== null ? Object.entries(value) : undefined
    if (pairs === undefined || pairs.length > MAX_SOURCES) {
      throw unreadable(this.node, 'clock', 'it is no list of sources')
    }
    const clock: LogClock = new Map()
    for (const [source, sequence] of pairs) {
      if (!isSource(source) || !isSequence(sequence)) {
        throw unreadable(this.node, 'clock', 'it names a place that cannot be')
      }
      clock.set(source, sequence)
    }
    return clock
  }

  /**
   * Hear of each change that `clock` lacks, now and later, until the connection ends or the
   * signal aborts. `clock` moves with what `onEntry` was given.
   * @throws FridgeError why the connection ended, or `ERR_PROTOCOL`
   */
  async follow(clock: LogClock, onEntry: (entry: CheckedEntry) => void): Promise<never> {
    for (;;) {
      const stop = new AbortController()
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
        // What cannot be read ends the call, which a stolen node would never end by itself.
        opened.catch((error: unknown) => stop.abort(error))
      }
      try {
        const heard = Object.fromEntries(clock)
        await this.#call('follow', [this.#filter, heard], { stop: stop.signal, onProgress })
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
    follow?: { readonly stop: AbortSignal; readonly onProgress: (value: unknown) => void },
  ): Promise<unknown> {
    if (follow === undefined) {
      const options = { signal: this.#signal, timeoutMs: ANSWER_MS }
      try {
        return await this.#connection.call(method, values, options)
      } catch (error) {
        throw isLastWord(error) ? await this.#doubt(error) : error
      }
    }
    // Whoever follows goes on at another node, and so asks it.
    const { stop, onProgress } = follow
    const signal = AbortSignal.any([this.#signal, stop])
    return this.#connection.call(method, values, { signal, onProgress })
  }
}
