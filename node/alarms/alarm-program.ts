import { createInterface } from 'node:readline'
import type { Clock } from '../lib/clock.ts'
import { errorMessage } from '../lib/errors.ts'
import { foreignText } from '../lib/foreign-text.ts'
import type { Log } from '../lib/log.ts'
import { startProgram } from '../sensors/drivers/program-process.ts'
import type { AlarmChange } from './alarm.ts'
import { toJson } from './webhook.ts'

export interface AlarmProgramOptions {
  /** The program and its arguments. */
  readonly argv: readonly string[]
  readonly clock: Clock
  readonly log: Log
}

/** What waits for a program that takes its time; past it the oldest is lost, and said. */
const MAX_WAITING = 1_000

/** How long the program may take for one alarm, ms. */
const DEADLINE_MS = 60_000

const KILL_AFTER_MS = 2_000

/** Runs a program for each change of an alarm, one after the other; it reads a line of JSON. */
export class AlarmProgram implements AsyncDisposable {
  readonly #options: AlarmProgramOptions
  readonly #stop = Promise.withResolvers<void>()
  readonly #waiting: AlarmChange[] = []
  #isStopped = false
  #running: Promise<void> | undefined

  constructor(options: AlarmProgramOptions) {
    this.#options = options
  }

  tell(change: AlarmChange): void {
    this.#waiting.push(change)
    if (this.#waiting.length > MAX_WAITING) {
      this.#waiting.shift()
      this.#options.log.error({}, `${MAX_WAITING} alarms wait for the program: one is lost`)
    }
    this.#running ??= this.#run()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true
    this.#stop.resolve()
    await this.#running
  }

  async #run(): Promise<void> {
    for (let next; !this.#isStopped && (next = this.#waiting.shift()) !== undefined;) {
      await this.#call(next)
    }
    this.#running = undefined
  }

  async #call(change: AlarmChange): Promise<void> {
    const { argv, clock, log } = this.#options
    try {
      const options = { clock, killAfterMs: KILL_AFTER_MS, hasInput: true }
      await using program = await startProgram(argv, options)
      program.stdin?.end(`${toJson(change)}\n`)
      program.stdout.resume()
      const late = Promise.withResolvers<string>()
      using _deadline = clock.after(DEADLINE_MS, () =>
        late.resolve(`${program.name} took longer than ${DEADLINE_MS / 1_000} s and was ended`),
      )
      let said = ''
      const lines = createInterface(program.stderr).on('line', line => (said = line))
      const over = new Promise<void>(resolve => void lines.once('close', resolve))
      const ended = over.then(async () => program.ended())
      const how = await Promise.race([ended, late.promise, this.#stop.promise])
      if (how !== undefined && !how.endsWith(' ended with status 0')) {
        log.warn({ how, said: foreignText(said) }, 'the program for alarms has failed')
      }
    } catch (error) {
      log.warn({ how: errorMessage(error) }, 'the program for alarms has failed')
    }
  }
}
