import { open } from 'node:fs/promises'
import { constants } from 'node:fs'
import type { Clock } from '../lib/clock.ts'
import { errorCode, errorMessage, FridgeError } from '../lib/errors.ts'
import { toJson, type AlarmChange } from './alarm.ts'
import { Outbox, type OutboxOptions } from './outbox.ts'

/** The web server that is told. */
export interface WebhookTarget {
  readonly url: string
  /** The file with the token that is sent along. Default none. */
  readonly tokenFile?: string | undefined
}

/** How long a receiver may take to answer, ms. */
const ANSWER_MS = 10_000

/** Tell a web server what happens to alarms, in order, each until it answers with 2xx. */
export function startWebhook(options: WebhookTarget & OutboxOptions): Outbox {
  const { clock, log, url } = options
  const { host } = new URL(url)
  return new Outbox({
    ...options,
    receiver: 'the webhook',
    deliver: async (change, signal) => post(options, change, { clock, signal }),
    describe: whyOf,
    onFailed: (why, waits) =>
      log.warn({ host, why, waits }, 'the webhook cannot be told of alarms'),
    onMended: () => log.info({ host }, 'the webhook is told of alarms again'),
  })
}

async function post(
  { url, tokenFile }: WebhookTarget,
  change: AlarmChange,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
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
    signal: AbortSignal.any([signal, late.signal]),
  })
  // What it says does not count, and is not read to its end.
  await response.body?.cancel()
  if (!response.ok) throw new FridgeError('ERR_REFUSED', `it answers ${response.status}`)
}

function whyOf(error: unknown): string {
  // A failed fetch says what failed in its cause only.
  const cause = error instanceof TypeError ? error.cause : undefined
  return errorCode(cause) ?? errorMessage(error)
}

/** The longest token, in bytes. */
const MAX_TOKEN_BYTES = 8_192

/** @throws FridgeError `ERR_CONFIG` */
export async function readToken(path: string): Promise<string> {
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
