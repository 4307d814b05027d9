import { Invitation } from '../../node/client/operator/invitation.ts'
import { LogChecker, readPage } from '../../node/client/operator/log-entry.ts'
import type {
  ChangeWish,
  CommittedChange,
  OperatorConnection,
} from '../../node/client/operator/operator-connection.ts'
import { parseAddress, type Address } from '../../node/lib/address.ts'
import type { Clock } from '../../node/lib/clock.ts'
import type { Credentials } from '../../node/identity/credentials.ts'
import { isAuthor, nameOf, roleOf } from '../../node/identity/names.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import type { ConsoleCall, TellPage } from '../../node/web/console-page.ts'
import { readChangeRequest } from './requests.ts'

/** How long a change waits for the other nodes, in milliseconds. */
const WAIT_MS = 10_000

/** What the page is told of a node as it is: the page reads it as what a stranger has sent. */
const PASSED_ON: ReadonlySet<string> = new Set(['fleet', 'list'])

export interface ConsoleCallsOptions {
  readonly credentials: Credentials
  /** Connect to the first of some nodes that answers. Default: those that the operator has named. */
  readonly connect: (nodes?: readonly Address[]) => Promise<OperatorConnection>
  /** Aborts when the console ends. */
  readonly signal: AbortSignal
  readonly clock: Clock
}

/**
 * What the page of a console may ask. Changes are signed here, with a key that neither the page nor
 * any node sees.
 */
export class ConsoleCalls implements AsyncDisposable {
  readonly #options: ConsoleCallsOptions
  readonly #checker: LogChecker
  #operator: Promise<OperatorConnection> | undefined
  /** Of the invitation that was made last. */
  #withdrawal: AbortController | undefined

  constructor(options: ConsoleCallsOptions) {
    this.#options = options
    this.#checker = new LogChecker(options.credentials)
  }

  readonly call: ConsoleCall = async (method, values, tell) => {
    const operator = await this.#connected()
    try {
      return await this.#run(operator, method, values, tell)
    } catch (error) {
      // The next call finds a node anew: of this connection nothing is known any more.
      if (error instanceof FridgeError && LOST.has(error.code)) await this.#disconnect(operator)
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const operator = await this.#operator?.catch(() => undefined)
    await operator?.[Symbol.asyncDispose]()
  }

  async #run(
    operator: OperatorConnection,
    method: string,
    values: readonly unknown[],
    tell: TellPage,
  ): Promise<unknown> {
    if (PASSED_ON.has(method)) return operator.ask(method, values)
    switch (method) {
      case 'log':
        return this.#log(operator, values)
      case 'acknowledge':
        return this.#acknowledge(operator, values)
      case 'add':
      case 'remove':
        return this.#change(operator, wishOf(method, values[0]), tell)
      case 'invite':
        return this.#invite(values[0], tell)
      case 'withdraw':
        return this.#withdrawal?.abort()
      default:
        throw new FridgeError('ERR_PROTOCOL', 'there is no such call')
    }
  }

  /** A page of the log, with what is wrong with each change by the authorities of this machine. */
  async #log(operator: OperatorConnection, values: readonly unknown[]): Promise<object> {
    const answer = await operator.ask('log', values)
    const { entries, certificates } = readPage(answer, operator.node)
    const checked = await this.#checker.check({ entries, certificates })
    const { before } = answer as { readonly before?: unknown }
    return {
      entries: checked.map(({ sent, problem }) => ({ ...sent, problem: problem ?? null })),
      certificates: {},
      before: typeof before === 'number' ? before : null,
    }
  }

  /** Take note of an alarm at the node that has it, which may be another one. */
  async #acknowledge(
    operator: OperatorConnection,
    [id, comment, node]: readonly unknown[],
  ): Promise<unknown> {
    if (node === operator.node) return operator.ask('acknowledge', [id, comment])
    const { nodes } = await operator.status()
    const [...addresses] = nodes.find(({ name }) => name === node)?.addresses ?? []
    if (addresses.length === 0) {
      throw new FridgeError('ERR_UNREACHABLE', 'that node cannot be reached from here')
    }
    await using other = await this.#options.connect(addresses.map(parseAddress))
    return await other.ask('acknowledge', [id, comment])
  }

  async #change(
    operator: OperatorConnection,
    wish: ChangeWish,
    tell: TellPage,
  ): Promise<CommittedChange> {
    return operator.change(wish, {
      waitMs: WAIT_MS,
      onConfirmed: confirmation => tell('confirmed', confirmation),
    })
  }

  /** Wait for the browser that is invited, and let it in. */
  async #invite(value: unknown, tell: TellPage): Promise<CommittedChange> {
    const { subject, terms, reason } = readChangeRequest(value)
    if (roleOf(subject) !== 'client') {
      throw new FridgeError('ERR_USAGE', 'only a browser can be invited')
    }
    await using operator = await this.#options.connect()
    const { standing } = await operator.show(subject)
    if (standing === 'granted') {
      throw new FridgeError('ERR_USAGE', 'that name is let in already: give the browser its own')
    }
    const withdrawal = new AbortController()
    this.#withdrawal = withdrawal
    const { signal, clock } = this.#options
    const guest = await new Invitation(nameOf(subject)).awaitGuest(operator, {
      onLink: link => tell('invitation', link),
      onRefused: why => tell('invitation-refused', why),
      signal: AbortSignal.any([signal, withdrawal.signal]),
      clock,
    })
    if (guest === undefined) {
      throw new FridgeError('ERR_REFUSED', 'nobody has opened the invitation')
    }
    const granted = { ...terms, keys: [guest.key] }
    const wish = { kind: 'grant', subject, terms: granted, ...(reason && { reason }) } as const
    try {
      const change = await this.#change(operator, wish, tell)
      await guest.answer()
      return change
    } catch (error) {
      await guest.answer('the operator could not let it in: ask again').catch(() => {})
      throw error
    }
  }

  async #connected(): Promise<OperatorConnection> {
    this.#operator ??= this.#options.connect()
    try {
      return await this.#operator
    } catch (error) {
      this.#operator = undefined
      throw error
    }
  }

  async #disconnect(operator: OperatorConnection): Promise<void> {
    this.#operator = undefined
    await operator[Symbol.asyncDispose]()
  }
}

/** What a connection ends with. */
const LOST: ReadonlySet<string> = new Set(['ERR_CLOSED', 'ERR_UNREACHABLE', 'ERR_TIMEOUT'])

function wishOf(method: 'add' | 'remove', value: unknown): ChangeWish {
  const { subject, terms, reason } = readChangeRequest(value)
  if (isAuthor(subject)) throw new FridgeError('ERR_USAGE', 'operators and nodes need a terminal')
  const why = reason === undefined ? {} : { reason }
  return method === 'add'
    ? { kind: 'grant', subject, terms, ...why }
    : { kind: 'revocation', subject, ...why }
}
