import type { Alarm, AlarmChange } from '../alarms/alarm.ts'
import { parseAlarm } from '../alarms/parse.ts'
import { parseAlarmLists, type AlarmLists } from './alarm-answers.ts'
import { AlarmMemory } from './alarm-memory.ts'
import { backoffMs } from '../lib/backoff.ts'
import type { Clock, Random } from '../lib/clock.ts'
import type { CommandName } from '../sensors/commands.ts'
import { errorMessage, FridgeError } from '../lib/errors.ts'
import type { Name } from '../identity/names.ts'
import type { CallOptions } from '../wire/rpc.ts'
import { EventQueue } from './event-queue.ts'
import {
  isReport,
  type AlarmReport,
  type Connected,
  type FridgeEvent,
  type Lost,
  type SensorMessage,
  type SensorReport,
} from './events.ts'
import { isLastWord } from './last-words.ts'
import { readHistory, type HistoryQuestion, type HistoryRows } from './history.ts'
import type { NodeDialer } from './node-dialer.ts'
import { ANSWER_MS, type NodeConnection, type SensorInfo } from './node-connection.ts'
import { Progress, type Step } from './progress.ts'
import { saysNothingNew, Unsealer } from './sealed-events.ts'
import { openedPage } from './sealed-history.ts'

/** What each command takes. All answer with a text for people. */
interface CommandArguments extends Record<CommandName, readonly unknown[]> {
  /** °C. */
  readonly setTargetTemperature: readonly [celsius: number]
  readonly defrost: readonly []
  readonly powerOn: readonly []
  readonly powerOff: readonly []
}

export interface EventsOptions {
  /** Events of this sensor only, and no others. Default: all, and what becomes of the connection. */
  readonly sensor?: string
  /** Ends the iteration: it throws the signal's reason. */
  readonly signal?: AbortSignal
  /**
   * How many events may wait for a slow loop. Default 1024, a few hundred bytes each. Past that
   * readings that newer ones have overtaken give way, then the oldest; `missed` says how many.
   */
  readonly maxQueued?: number
}

export interface FridgeOptions {
  readonly dialer: NodeDialer
  readonly clock: Clock
  readonly random: Random
  readonly retry: { readonly minMs: number; readonly maxMs: number }
  readonly signal: AbortSignal | undefined
  /** Of sealed sensors. */
  readonly passphrase: string | undefined
}

const MAX_QUEUED = 1_024
/** After a connection of this length, in milliseconds, the next loss counts as the first. */
const STEADY_MS = 10_000

/** A client that stays connected to one of several nodes until it is closed, or thrown out. */
export class Fridge implements AsyncDisposable {
  readonly #options: FridgeOptions
  readonly #progress = new Progress()
  readonly #unsealer: Unsealer
  /** A queue for each iteration that goes on, with the sensor that it is about; undefined for all. */
  readonly #queues = new Map<EventQueue, string | undefined>()
  readonly #stop = new AbortController()
  readonly #ended = Promise.withResolvers<FridgeError>()
  /** The last report of each sensor, for iterations that begin now. */
  readonly #last = new Map<string, SensorReport>()
  /** By node: what another node says of its own ends no alarm of this one. */
  readonly #alarms = new Map<Name, AlarmMemory>()
  #connection: NodeConnection | undefined
  #connected: Connected | undefined
  #lost: Lost | undefined
  #end: { readonly error?: unknown } | undefined
  #running: Promise<void> = Promise.resolve()

  private constructor(options: FridgeOptions) {
    this.#options = options
    this.#unsealer = new Unsealer(options.passphrase)
  }

  /** As `connect`. */
  static async open(options: FridgeOptions): Promise<Fridge> {
    const { signal } = options
    signal?.throwIfAborted()
    const fridge = new Fridge(options)
    const abort = (): void => fridge.#abort({ error: signal?.reason })
    signal?.addEventListener('abort', abort, { once: true })
    void fridge.#ended.promise.then(() => signal?.removeEventListener('abort', abort))
    try {
      const connection = await fridge.#dial()
      fridge.#running = fridge.#run(connection)
      return fridge
    } catch (error) {
      fridge.#finish({ error })
      // A dial that was given up ends with an error of its own, which is not why.
      signal?.throwIfAborted()
      throw error
    }
  }

  /** The node that serves this client now; undefined while the client looks for another. */
  get node(): Name | undefined {
    return this.#connection?.node
  }

  /** Resolves when this client is connected no more and will not be, with why. */
  get ended(): Promise<FridgeError> {
    return this.#ended.promise
  }

  /**
   * Iterate events. An iteration begins with how things are: who is connected, and the last event
   * of each sensor; then each event follows as it comes. It returns when the client is closed.
   * @throws FridgeError in the loop: why no node will have this client any more
   */
  events(options: EventsOptions & { readonly sensor: string }): AsyncGenerator<SensorMessage, void>
  events(options?: EventsOptions): AsyncGenerator<FridgeEvent, void>
  async *events(options: EventsOptions = {}): AsyncGenerator<FridgeEvent, void> {
    const { sensor, signal, maxQueued = MAX_QUEUED } = options
    if (!Number.isInteger(maxQueued) || maxQueued < 1) {
      throw new RangeError('maxQueued must be a whole number from 1')
    }
    signal?.throwIfAborted()
    const queue = new EventQueue(maxQueued)
    const abort = (): void => queue.abort({ error: signal?.reason })
    signal?.addEventListener('abort', abort, { once: true })
    const alarms = this.#standingReports()
    for (const event of [this.#connected, ...this.#last.values(), ...alarms, this.#lost]) {
      if (event !== undefined && isAbout(event, sensor)) queue.push(event)
    }
    if (this.#end !== undefined) queue.finish(this.#end)
    this.#queues.set(queue, sensor)
    try {
      for (let event; (event = await queue.take()) !== undefined;) yield event
    } finally {
      this.#queues.delete(queue)
      signal?.removeEventListener('abort', abort)
    }
  }

  /**
   * Call a command of the node that serves this client now.
   * @returns what it did, for people
   * @throws FridgeError `ERR_COMMAND` with the node's words, `ERR_REFUSED` when the grant does not
   *   allow it, `ERR_LIMIT`, `ERR_TIMEOUT`; `ERR_CLOSED` while no node is connected; why the
   *   node was lost before it answered: then it may or may not have been done. The signal's reason
   *   when it aborts
   */
  async call<Command extends CommandName>(
    command: Command,
    ...args: [...CommandArguments[Command], options?: CallOptions]
  ): Promise<string> {
    const last: unknown = args.at(-1)
    const options = typeof last === 'object' && last !== null ? (last as CallOptions) : undefined
    const values = options === undefined ? args : args.slice(0, -1)
    const answer = await this.#ask(
      command,
      values.filter(value => value !== undefined),
      options,
    )
    if (typeof answer === 'string') return answer
    throw this.#malformed('no text')
  }

  /**
   * The alarms of the node that serves this client now: those that stand, and the newest that are
   * over, oldest first.
   * @throws FridgeError as `call`
   */
  async alarms(options?: CallOptions): Promise<AlarmLists> {
    // A node without rules has none, and does not offer them.
    if (this.#connection?.methods.has('alarms') === false) return { standing: [], past: [] }
    const lists = parseAlarmLists(await this.#ask('alarms', [], options))
    if (lists === undefined) throw this.#malformed('no alarms')
    return lists
  }

  /**
   * Take note of an alarm, standing or over. Who does so first stands.
   * @param comment at most 500 characters
   * @returns the alarm, with who has taken note of it
   * @throws FridgeError as `call`
   */
  async acknowledge(id: string, comment = '', options?: CallOptions): Promise<Alarm> {
    const alarm = parseAlarm(await this.#ask('acknowledge', [id, comment], options))
    if (alarm === undefined) throw this.#malformed('no alarm')
    return alarm
  }

  /**
   * What a sensor of the node that serves this client now has said, as far as its node has recorded
   * it: sums, readings, moves, alarms or the spans in which it was recording, oldest first. Rows are
   * asked for as they are taken, a thousand at a time.
   * @throws FridgeError as `call`; `ERR_COMMAND` where there is no such sensor, or nothing is recorded
   */
  history<Table extends keyof HistoryRows>(
    question: HistoryQuestion<Table>,
    options?: CallOptions,
  ): AsyncGenerator<HistoryRows[Table], void> {
    const connection = this.#connection
    const ask = async (request: object): Promise<unknown> =>
      this.#ask('history', [request], options)
    // By the clock of the node: what it recorded last is not to be cut off by ours.
    const { clockAheadMs = 0 } = this.#connected ?? {}
    const now = this.#options.clock.now() + clockAheadMs + 1_000
    return readHistory(ask, question, now, (page, request) =>
      connection === undefined ? page : openedPage(page, request, connection, this.#unsealer),
    )
  }

  async #ask(method: string, values: readonly unknown[], options?: CallOptions): Promise<unknown> {
    const connection = this.#connection
    if (connection === undefined) throw new FridgeError('ERR_CLOSED', 'no node is connected')
    return connection.call(method, values, { timeoutMs: ANSWER_MS, ...options })
  }

  #malformed(what: string): FridgeError {
    return new FridgeError(
      'ERR_PROTOCOL',
      `${this.#connected?.address} answers with what is ${what}`,
      {
        fix: 'ask another node with --node HOST:PORT, and look into that one',
      },
    )
  }

  /** Close the connection. What waits for an answer is rejected, and iterations return. */
  async close(): Promise<void> {
    this.#abort({})
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #run(first: NodeConnection): Promise<void> {
    const { clock, dialer } = this.#options
    let connection = first
    let failures = 0
    for (;;) {
      const startedAt = clock.monotonic()
      const reason = await connection.ended
      this.#connection = undefined
      if (clock.monotonic() - startedAt >= STEADY_MS) failures = 0
      const { node } = connection
      if (reason.code === 'ERR_TIMEOUT') dialer.passOver()
      let error: unknown = reason
      for (let isLost = false; ;) {
        if (this.#end !== undefined) return
        const isRenewed = await dialer.reload()
        if (dialer.isOver(error) && !isRenewed) return this.#finish({ error })
        if (!isLost) this.#publish((this.#lost = { type: 'lost', node, reason }))
        isLost = true
        try {
          // The first change of nodes is at once; when none answers, the tries thin out.
          if (failures > 0) await this.#pause(failures)
          failures += 1
          // What one node says for good may be the word of a stolen one: the others are asked.
          const lastWord = error === reason && isLastWord(reason) && !isRenewed ? reason : undefined
          connection = await this.#dial(lastWord)
          break
        } catch (thrown) {
          error = thrown
          dialer.passOver()
        }
      }
    }
  }

  async #pause(failures: number): Promise<void> {
    const { clock, random, retry } = this.#options
    const { minMs, maxMs } = retry
    // The loss of the connection was a failure too.
    const waitMs = backoffMs(failures + 1, { firstMs: minMs, maxMs, leastMs: minMs / 2 }, random)
    await clock.sleep(waitMs, this.#stop.signal)
  }

  async #dial(lastWord?: FridgeError): Promise<NodeConnection> {
    // Until a node has let this client in, what it says may be said by a node that will refuse.
    let early: (() => void)[] | undefined = []
    const node = { name: '' as Name }
    const take = (task: () => void): void => {
      if (early === undefined) task()
      else early.push(task)
    }
    const { resume } = this.#progress
    const connection = await this.#options.dialer.dial(
      {
        signal: this.#stop.signal,
        unsealer: this.#unsealer,
        ...(resume && { resume }),
        onHello: () => {
          early = []
        },
        onEvent: (sensor, event, sequence) =>
          take(() => {
            this.#tell(node.name, sensor, this.#progress.take(sensor.name, { event, sequence }))
          }),
        onResumed: sensor =>
          take(() => this.#tell(node.name, sensor, this.#progress.release(sensor.name))),
        onWithdrawn: sensor => take(() => this.#withdraw(node.name, sensor.name)),
        onStanding: ids => take(() => this.#tellAlarms(node.name, alarms => alarms.begin(ids))),
        onAlarm: (state, alarm) =>
          take(() => this.#tellAlarms(node.name, alarms => alarms.take(state, alarm))),
      },
      lastWord,
    )
    const { address, run, sensors, clockAheadMs } = connection
    node.name = connection.node
    const resumed = this.#progress.begin(run)
    if (!resumed) this.#last.clear()
    this.#connection = connection
    this.#lost = undefined
    const { name } = node
    this.#connected = {
      type: 'connected',
      node: name,
      address,
      clockAheadMs,
      run,
      resumed,
      sensors,
    }
    this.#publish(this.#connected)
    for (const task of early) task()
    early = undefined
    return connection
  }

  #tell(node: Name, { name, kind }: SensorInfo, steps: readonly Step[]): void {
    for (const step of steps) {
      if ('missed' in step) {
        this.#publish({ type: 'missed', node, sensor: name, count: step.missed })
      } else if (!saysNothingNew(this.#last.get(name), step.event)) {
        this.#publish({ ...step.event, node, sensor: name, kind, sequence: step.sequence })
      }
    }
  }

  #tellAlarms(node: Name, learn: (alarms: AlarmMemory) => AlarmChange[]): void {
    const alarms = this.#alarms.get(node) ?? new AlarmMemory()
    this.#alarms.set(node, alarms)
    for (const change of learn(alarms)) this.#publish({ type: 'alarm', node, ...change })
  }

  /** The alarms that stand at the node that serves this client, or did last. */
  #standingReports(): AlarmReport[] {
    const node = this.#connected?.node
    const alarms = node === undefined ? undefined : this.#alarms.get(node)
    if (node === undefined || alarms === undefined) return []
    return alarms.standing.map(alarm => ({ type: 'alarm', node, state: 'raised', alarm }))
  }

  #withdraw(node: Name, sensor: string): void {
    this.#alarms.get(node)?.forget(sensor)
    this.#progress.forget(sensor)
    this.#last.delete(sensor)
    this.#publish({ type: 'withdrawn', node, sensor })
  }

  #publish(event: FridgeEvent): void {
    if (isReport(event)) this.#last.set(event.sensor, event)
    for (const [queue, sensor] of this.#queues) if (isAbout(event, sensor)) queue.push(event)
  }

  /** End at once: what waits is dropped. */
  #abort(end: { readonly error?: unknown }): void {
    for (const queue of this.#queues.keys()) queue.abort(end)
    this.#finish(end)
  }

  /** @param end with an error, iterations throw it behind what waits */
  #finish(end: { readonly error?: unknown }): void {
    if (this.#end !== undefined) return
    this.#end = end
    for (const queue of this.#queues.keys()) queue.finish(end)
    const { error } = end
    this.#ended.resolve(error instanceof FridgeError ? error : closedBy(error))
    this.#stop.abort(error)
  }
}

function isAbout(event: FridgeEvent, sensor: string | undefined): boolean {
  return sensor === undefined || ('sensor' in event && event.sensor === sensor)
}

function closedBy(cause: unknown): FridgeError {
  const why = cause === undefined ? 'the client was closed' : errorMessage(cause)
  return new FridgeError('ERR_CLOSED', why, { cause })
}
