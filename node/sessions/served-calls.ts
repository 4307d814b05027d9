import { parseHistoryRequest, type HistoryPage } from '../history/page.ts'
import type { Subject } from '../identity/names.ts'
import { FridgeError } from '../lib/errors.ts'
import { COMMANDS, runCommand, type CommandName } from '../sensors/commands.ts'
import type { RpcMethod } from '../wire/rpc.ts'
import { alarmMethods } from './alarm-calls.ts'
import { allows, type Rights } from './admission.ts'
import type { Service } from './service.ts'

export interface ServedCallsOptions {
  readonly service: Service
  /** Who calls. */
  readonly subject: Subject
  /** Whether only the commands of the plain protocol may be called. */
  readonly isPlain: boolean
  /** Calls without an answer that one connection may have. */
  readonly maxPending: number
  /** What the caller may do, at the moment when it calls. */
  readonly rights: () => Rights
  /** Whether the connection is over: the node may have cut it while it looked at the list. */
  readonly hasEnded: () => boolean
}

/** What one connection of a client or a page may call, as far as its rights go. */
export class ServedCalls {
  readonly #options: ServedCallsOptions
  #methods: ReadonlyMap<string, RpcMethod> | undefined
  #pending = 0

  constructor(options: ServedCallsOptions) {
    this.#options = options
  }

  /** The methods by name: made for the first call, and kept with what they count. */
  get methods(): ReadonlyMap<string, RpcMethod> {
    return (this.#methods ??= new Map(this.#named()))
  }

  /** Whether the caller is told of alarms; the plain protocol has none, nor a node without rules. */
  get hasAlarms(): boolean {
    const { isPlain, service } = this.#options
    return !isPlain && service.alarms.hasRules
  }

  *#named(): Iterable<[string, RpcMethod]> {
    const { isPlain, service, subject, rights } = this.#options
    for (const name of COMMANDS) {
      yield [
        name,
        async values =>
          service.trail.follow({ subject, name, values }, async () => this.#call(name, values)),
      ]
    }
    if (isPlain) return
    yield ['history', async ([request]) => this.#history(request)]
    yield* alarmMethods(service.alarms, {
      subject,
      mayRead: sensor => allows(rights().sensors, sensor),
      mayAcknowledge: () => allows(rights().commands, 'acknowledge'),
      clock: service.clock,
    })
  }

  async #call(name: CommandName, values: readonly unknown[]): Promise<string> {
    this.#look()
    const { service, rights } = this.#options
    if (!allows(rights().commands, name)) {
      throw new FridgeError('ERR_REFUSED', `the grant does not allow ${name}`)
    }
    return this.#counted(async () => runCommand(name, values, service.actuator))
  }

  async #history(value: unknown): Promise<HistoryPage> {
    this.#look()
    const request = parseHistoryRequest(value)
    if (typeof request === 'string') throw new FridgeError('ERR_PROTOCOL', request)
    const { sensor, table } = request
    const { service, rights } = this.#options
    if (!allows(rights().sensors, sensor)) {
      throw new FridgeError('ERR_REFUSED', `the grant does not allow ${sensor}`)
    }
    // Who else called what is for operators.
    if (table === 'commands') {
      throw new FridgeError('ERR_REFUSED', 'commands are shown to operators only')
    }
    const page = await this.#counted(async () => service.history.page(request))
    // The digest of an hour is over all sensors: where little happened, a guess at those that the
    // client may not read could be tried against it.
    return table === 'signed' && rights().sensors !== undefined ? { ...page, rows: [] } : page
  }

  /** A node that slept must see first whether it still serves. */
  #look(): void {
    const { service, hasEnded } = this.#options
    service.lookout.check()
    if (hasEnded()) throw new FridgeError('ERR_CLOSED', 'the connection was closed')
  }

  async #counted<Answer>(run: () => Promise<Answer>): Promise<Answer> {
    const { maxPending } = this.#options
    // The calls of the whole connection count, whatever became of the stream that each came on.
    if (this.#pending >= maxPending) {
      throw new FridgeError('ERR_LIMIT', `more than ${maxPending} calls at once`)
    }
    this.#pending += 1
    try {
      return await run()
    } finally {
      this.#pending -= 1
    }
  }
}
