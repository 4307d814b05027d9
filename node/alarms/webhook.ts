import { open } from 'node:fs/promises'
import { constants } from 'node:fs'
import { backoffMs } from '../lib/backoff.ts'
import type { Clock, Random } from '../lib/clock.ts'
import { errorCode, errorMessage, FridgeError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { describeAlarm, describeEnd, type AlarmChange } from './alarm.ts'

export interface WebhookOptions {
  readonly url: string
  /** The file with the token that is sent along. Default none. */
  readonly tokenFile?: string | undefined
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** What the run before had not sent. */
  readonly unsent: readonly AlarmChange[]
  /** Resolves when `unsent` outlives a kill: a receiver must hear the end of what it was told. */
  readonly settled: () => Promise<void>
  /** Told when `unsent` has changed. */
  readonly onChange: () => void
}

/** What waits for a receiver that does not answer; past it the oldest is lost, and said. */
const MAX_UNSENT = 1_000

/** How long a receiver may take to answer, ms. */
const ANSWER_MS = 10_000

const RETRY = { firstMs: 2_000, maxMs: 300_000 }

/** What stands for a person in what is told to programs. */
export function textOf({ state, alarm }: AlarmChange): string {
  if (state === 'over') return describeEnd(alarm)
  if (state === 'raised') return describeAlarm(alarm)
  const { by = '', comment = '' } = alarm.acknowledged ?? {}
  return comment === '' ? `acknowledged by ${by}` : `acknowledged by ${by}: ${comment}`
}

/** An alarm as programs are told it: with moments that people and programs can read. */
export function toJson(change: AlarmChange): string {
  const { state, alarm } = change
  return JSON.stringify({ type: 'alarm', state, text: textOf(change), ...alarm })
}

/** Tells a web server what happens to alarms, in order, each until it answers with 2xx. */
export class Webhook implements AsyncDisposable {
  readonly #options: WebhookOptions
  readonly #stop = new AbortController()
  readonly #stopped = Promise.withResolvers<void>()
  #unsent: AlarmChange[]
  #sending: Promise<void> | undefined

  constructor(options: WebhookOptions) {
    this.#options = options
    this.#unsent = [...options.unsent]
    this.#start()
  }

  /** What the receiver has not answered yet, oldest first. */
  get unsent(): readonly AlarmChange[] {
    return this.#unsent
  }

  tell(change: AlarmChange): void {
    this.#unsent.push(change)
    if (this.#unsent.length > MAX_UNSENT) {
      this.#unsent.shift()
      this.#options.log.error({}, `the webhook has not answered ${MAX_UNSENT} times: one is lost`)
    }
    this.#options.onChange()
    this.#start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#stopped.resolve()
    await this.#sending
  }

  #start(): void {
    if (this.#sending !== undefined || this.#unsent.length === 0) return
    this.#sending = this.#send().finally(() => {
      this.#sending = undefined
      // What was told meanwhile.
      if (!this.#stop.signal.aborted) this.#start()
    })
  }

  async #send(): Promise<void> {
    const { clock, random, log, settled, onChange } = this.#options
    const { signal } = this.#stop
    const host = new URL(this.#options.url).host
    for (let failures = 0; !signal.aborted;) {
      const [next] = this.#unsent
      if (next === undefined) return
      try {
        await Promise.race([settled(), this.#stopped.promise])
        if (signal.aborted) return
        await this.#post(next)
        if (failures > 0) log.info({ host }, 'the webhook answers again')
        failures = 0
        this.#unsent = this.#unsent.filter(change => change !== next)
        onChange()
      } catch (error) {
        if (signal.aborted) return
        failures += 1
        const waits = this.#unsent.length
        if (failures === 1)
          log.warn({ host, why: whyOf(error), waits }, 'the webhook does not answer')
        await clock.sleep(backoffMs(failures, RETRY, random), signal).catch(() => undefined)
      }
    }
  }

  async #post(change: AlarmChange): Promise<void> {
    const { url, tokenFile, clock } = this.#options
    const token = tokenFile === undefined ? undefined : await readToken(tokenFile)
    const late = new AbortController()
    using _deadline = clock.after(ANSWER_MS, () =>
      late.abort(new FridgeError('ERR_TIMEOUT', `no answer within ${ANSWER_MS / 1_000} s`)),
    )
    const { id } = change.alarm
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'error',
      headers: {
        'content-type': 'application/json',
        // The same for each repeat: the receiver may have it already.
        'idempotency-key': `${id}-${change.state}`,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: toJson(change),
      signal: AbortSignal.any([this.#stop.signal, late.signal]),
    })
    // What it says does not count, and is not read to its end.
    await response.body?.cancel()
    if (!response.ok) throw new FridgeError('ERR_REFUSED', `it answers ${response.status}`)
  }
}

function whyOf(error: unknown): string {
  // A failed fetch says what failed in its cause only.
  const cause = error instanceof TypeError ? error.cause : undefined
  return errorCode(cause) ?? errorMessage(error)
}

/** The longest token, in bytes. */
const MAX_TOKEN_BYTES = 8_192

async function readToken(path: string): Promise<string> {
  try {
    // Without waiting: were the path a FIFO, opening it would wait for a writer for ever.
    await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const { size } = await handle.stat()
    const token = size > MAX_TOKEN_BYTES ? '' : (await handle.readFile('utf8')).trim()
    if (!/^[\x21-\x7e]+$/.test(token)) throw new Error('it holds no token of printable characters')
    return token
  } catch (error) {
    const why = errorCode(error) ?? errorMessage(error)
    throw new FridgeError('ERR_CONFIG', `its token cannot be read: ${why}`, { cause: error })
  }
}
