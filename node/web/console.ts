import { randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type AddressInfo } from 'node:net'
import type { Clock } from '../lib/clock.ts'
import { errorCode, errorMessage, FridgeError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { CLIENT_LIMITS } from '../wire/limits.ts'
import { Bundle } from './bundle.ts'
import { ConsolePage, type ConsoleCall, type ConsolePageOptions } from './console-page.ts'
import { Site } from './site.ts'
import { PageServer, type PageListener, type PageRefusal, type PageVisit } from './socket-io.ts'

export interface ConsoleOptions extends Pick<ConsolePageOptions, 'greeting'> {
  /** 0 for one that the system chooses. */
  readonly port: number
  readonly call: ConsoleCall
  readonly clock: Clock
  readonly log: Log
  /** Where the bundle of the page lies. Default: beside the program. */
  readonly bundleFolder?: URL | undefined
}

/** The page of an operator, served from the operator's own machine. */
export interface Console extends AsyncDisposable {
  /** What the operator opens: its secret is good once, and stands in the fragment. */
  readonly url: string
}

/** Other machines cannot reach it, whatever their network looks like. */
const LOOPBACK = '127.0.0.1'

const SECRET_BYTES = 16

const BUNDLE_FOLDER = new URL('page/bundle/', import.meta.url)

/**
 * Serve the page to the browser of this machine. Every user and every page of this machine can reach
 * the port: what tells the operator's page from theirs is its origin and the secret.
 * @throws FridgeError `ERR_LISTEN` where the port is taken
 */
export async function startConsole(options: ConsoleOptions): Promise<Console> {
  const { port, clock, log, bundleFolder = BUNDLE_FOLDER } = options
  const secrets = new Secrets()
  const pages = new Set<ConsolePage>()
  let origin = ''
  const receive = async ({
    socket,
    origin: from,
  }: PageVisit): Promise<PageListener | PageRefusal> => {
    if (from !== origin)
      return { reason: 'not the console', text: 'only the page of the console may join' }
    const page = new ConsolePage({
      ...options,
      socket,
      limits: CLIENT_LIMITS,
      admit: secret => secrets.take(secret),
      onEnd: ended => void pages.delete(ended),
    })
    pages.add(page)
    return page
  }
  const openPages = async (): Promise<PageServer> =>
    new PageServer({
      compat: { polling: false, gcrypt: false },
      limits: CLIENT_LIMITS,
      clock,
      receive,
      onRefused: () => {},
      onThrottled: () => {},
      onClosing: () => pages.forEach(page => page.leave()),
      onClosed: () => {},
    })
  const site = new Site({ bundle: new Bundle(bundleFolder), hasPolling: false, openPages, log })
  const server = createServer(socket => site.take(socket))
  await new Promise<void>((resolve, reject) => {
    server.once('error', cause => {
      const fix = 'name another one with --port, or leave it out'
      const isTaken = errorCode(cause) === 'EADDRINUSE'
      const why = isTaken ? 'it is in use' : errorMessage(cause)
      const text = `port ${port} cannot be had: ${why}`
      reject(new FridgeError('ERR_LISTEN', text, { cause, fix }))
    })
    server.listen(port, LOOPBACK, resolve)
  })
  origin = `http://${LOOPBACK}:${(server.address() as AddressInfo).port}`
  return {
    url: `${origin}/#console=${secrets.first}`,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise(resolve => {
        server.close(resolve)
      })
      await site[Symbol.asyncDispose]()
      await closed
    },
  }
}

/** What shows that a page is the operator's: one secret for the first time, another from then on. */
class Secrets {
  readonly first = draw()
  readonly #pass = draw()
  #isUsed = false

  /** @returns what to show the next time; undefined where nobody knows such a secret */
  take(secret: string): string | undefined {
    if (isSame(secret, this.#pass)) return this.#pass
    if (this.#isUsed || !isSame(secret, this.first)) return undefined
    this.#isUsed = true
    return this.#pass
  }
}

function draw(): string {
  return randomBytes(SECRET_BYTES).toString('base64url')
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
