import { once } from 'node:events'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import {
  request as requestInClear,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http'
import { request as requestOverTls } from 'node:https'
import { isIP } from 'node:net'
import { connectTls, DIAL_OPTIONS } from '../identity/tls.ts'
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
  const ended = AbortSignal.any([signal, late.signal])
  const { id } = change.alarm
  const sent = requestTo(new URL(url), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      // The same for each repeat: the receiver may have it already.
      'idempotency-key': `${id}-${change.state}`,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    signal: ended,
  })
  try {
    sent.end(toJson(change))
    // The request is silent where the receiver changes to another protocol.
    const answer = once(sent, 'response', { signal: ended })
    const [{ statusCode = 0 }] = (await answer) as [IncomingMessage]
    // A redirect is not followed: the token is for this receiver alone.
    if (statusCode >= 200 && statusCode < 300) return
    throw new FridgeError('ERR_REFUSED', `it answers ${statusCode}`)
  } catch (error) {
    late.signal.throwIfAborted()
    throw error
  } finally {
    // What it says does not count, and is not read to its end.
    sent.on('error', () => {}).destroy()
  }
}

/** Over a connection of its own; no certificate that the receiver shows ends the process (`connectTls`). */
function requestTo(url: URL, options: RequestOptions): ClientRequest {
  if (url.protocol === 'http:') return requestInClear(url, { ...options, agent: false })
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const connection = {
    ...DIAL_OPTIONS,
    host,
    port: Number(url.port) || 443,
    ALPNProtocols: ['http/1.1'],
    ...(isIP(host) === 0 && { servername: host }),
  }
  return requestOverTls(url, { ...options, createConnection: () => connectTls(connection) })
}

function whyOf(error: unknown): string {
  if (error instanceof FridgeError) return error.message
  return errorCode(error) ?? errorMessage(error)
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
