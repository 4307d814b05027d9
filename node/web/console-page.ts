import type { Duplex } from 'node:stream'
import { answerFrame, eventFrame } from '../events/page-frames.ts'
import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import type { WireLimits } from '../wire/limits.ts'
import { Outlet } from './outlet.ts'
import type { PagePacket } from './packet.ts'
import { reportOf } from './report.ts'
import type { PageListener } from './socket-io.ts'

/** Tells the page something that it has not asked for. */
export type TellPage = (event: string, ...values: unknown[]) => void

/** What the page of a console asks, once it has shown that it is the operator's. */
export type ConsoleCall = (
  method: string,
  values: readonly unknown[],
  tell: TellPage,
) => Promise<unknown>

export interface ConsolePageOptions {
  readonly socket: Duplex
  readonly limits: WireLimits
  readonly clock: Clock
  /**
   * Take the secret that the page shows.
   * @returns what it shows when it comes again; undefined where it is not the operator's page
   */
  readonly admit: (secret: string) => string | undefined
  /** Said to the page once it is admitted. */
  readonly greeting: () => readonly (readonly [event: string, value: unknown])[]
  readonly call: ConsoleCall
  readonly onEnd: (page: ConsolePage) => void
}

/** One page of an operator's console: it shows its secret first, and is told nothing before. */
export class ConsolePage implements PageListener {
  readonly #options: ConsolePageOptions
  readonly #outlet: Outlet
  #isAdmitted = false
  #pending = 0

  constructor(options: ConsolePageOptions) {
    const { socket, limits, clock } = options
    this.#options = options
    this.#outlet = new Outlet(socket, { limits, clock, onTooSlow: () => this.#outlet.destroy() })
  }

  receive({ event, values, id }: Extract<PagePacket, { kind: 'event' }>): void {
    if (id === undefined || event !== 'call') return this.refuse()
    if (this.#pending >= this.#options.limits.maxPendingCalls) {
      return this.#answer(id, { error: { code: 'ERR_LIMIT', message: 'too many calls at once' } })
    }
    this.#pending += 1
    void this.#run(values)
      .then(
        value => this.#answer(id, { value }),
        (error: unknown) => this.#answer(id, { error: reportOf(error) }),
      )
      .finally(() => {
        this.#pending -= 1
      })
  }

  /** End it because of what the page sent. */
  refuse(): void {
    this.#outlet.destroy()
  }

  /** The connection is over. */
  lost(): void {
    this.#options.onEnd(this)
  }

  /** End it because the console ends. */
  leave(): void {
    const bye = { reason: 'leaving', text: 'the console was closed' }
    this.#outlet.close({ bye, isFinal: false })
  }

  async #run([method, ...values]: readonly unknown[]): Promise<unknown> {
    if (typeof method !== 'string') throw new FridgeError('ERR_PROTOCOL', 'there is no such call')
    if (this.#isAdmitted) {
      return this.#options.call(method, values, (event, ...more) => this.#tell(event, ...more))
    }
    const [secret] = values
    const pass =
      method === 'open' && typeof secret === 'string' ? this.#options.admit(secret) : undefined
    if (pass === undefined) {
      throw new FridgeError('ERR_REFUSED', 'open the link that fridge console has printed')
    }
    this.#isAdmitted = true
    for (const [event, value] of this.#options.greeting()) this.#tell(event, value)
    return pass
  }

  #tell(event: string, ...values: unknown[]): void {
    this.#outlet.writeShared(eventFrame(event, ...values))
  }

  #answer(id: number, answer: object): void {
    this.#outlet.writeShared(answerFrame(id, answer))
  }
}
