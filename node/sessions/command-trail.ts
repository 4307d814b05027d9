import type { Subject } from '../identity/names.ts'
import type { CommandCall } from '../history/history.ts'
import type { Clock } from '../lib/clock.ts'
import { errorMessage } from '../lib/errors.ts'
import { GatheredLog } from '../lib/gathered-log.ts'
import type { Log } from '../lib/log.ts'
import { RateLimit } from '../lib/rate-limit.ts'
import type { CommandName } from '../sensors/commands.ts'

/** Calls of one client that are kept: no client may fill the disk with what it asks for. */
const PACE = { perSecond: 1, burst: 100 }

/** Arguments are a client's own words, of any length. */
const MAX_TEXT = 200

export interface CommandTrailOptions {
  /** Keeps what it is told in the history of the fridge. */
  readonly record: (call: CommandCall) => void
  readonly clock: Clock
  readonly log: Log
}

/** Who had which command carried out, when, and what came of it: in the log, and for whoever asks later. */
export class CommandTrail implements Disposable {
  readonly #options: CommandTrailOptions
  readonly #log: GatheredLog
  readonly #pace: RateLimit

  constructor(options: CommandTrailOptions) {
    const { clock, log } = options
    this.#options = options
    this.#log = new GatheredLog(log, clock)
    this.#pace = new RateLimit({ ...PACE, clock })
  }

  /**
   * Carry out a call, and note what came of it.
   * @throws what `run` throws
   */
  async follow(
    { subject, name, values }: { subject: Subject; name: CommandName; values: readonly unknown[] },
    run: () => Promise<string>,
  ): Promise<string> {
    const command = shorten([name, ...values.map(value => JSON.stringify(value))].join(' '))
    try {
      const answer = await run()
      this.#note({ subject, command, outcome: `done: ${answer}` })
      return answer
    } catch (error) {
      this.#note({ subject, command, outcome: `not done: ${errorMessage(error)}` })
      throw error
    }
  }

  [Symbol.dispose](): void {
    this.#log[Symbol.dispose]()
  }

  #note(call: CommandCall): void {
    this.#log.info(call, 'command')
    if (this.#pace.allows(call.subject)) this.#options.record(call)
  }
}

function shorten(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT - 1).toWellFormed()}…`
}
