import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Address } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import { DEFAULT_METRICS, type NodeConfig } from '../config/config.ts'
import { errorMessage, FridgeError } from '../lib/errors.ts'
import { RateLimit } from '../lib/rate-limit.ts'
import { listen } from '../lib/listen.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics, MetricsSource } from './metrics.ts'
import { whatFails } from './readiness.ts'

export interface MetricsServerOptions {
  readonly config: NodeConfig['metrics']
  readonly source: MetricsSource
  /** Why the node does not serve clients now, in a line; undefined while it does. */
  readonly whyNotReady: () => string | undefined
  readonly clock: Clock
  readonly log: Log
}

/** What a reader of metrics may take of a node: scrapers come every few seconds. */
const HTTP_LIMITS = {
  /** Connections at once; each holds some 20 kB. Past that the oldest that asks for nothing gives way. */
  maxConnections: 32,
  /** Connections a second that one address may open, after its burst. A scrape takes about 1 ms. */
  perSecond: 20,
  burst: 100,
  /** Bytes of a request line and its headers. */
  maxHeaderSize: 4_096,
  /** How long one connection may last, whatever it does, in milliseconds. */
  lifetimeMs: 10_000,
} as const

/** Metrics and health over plain HTTP, on a port of its own, for every client that reaches it. */
export class MetricsServer implements AsyncDisposable {
  readonly #options: MetricsServerOptions
  readonly #metrics: Metrics
  readonly #limit: RateLimit
  /** The address that the server is to listen on. */
  readonly #asked: Address
  readonly #http
  /** All connections, the oldest first. */
  readonly #sockets = new Set<Socket>()
  /** Those of them that have not sent a whole request yet. */
  readonly #idle = new Set<Socket>()
  #reading: Promise<string> | undefined

  private constructor(options: MetricsServerOptions, asked: Address, metrics: Metrics) {
    const { clock } = options
    const { maxHeaderSize, lifetimeMs } = HTTP_LIMITS
    this.#options = options
    this.#asked = asked
    this.#metrics = metrics
    this.#limit = new RateLimit({ ...HTTP_LIMITS, clock })
    this.#http = createServer({ maxHeaderSize }, (request, response) => {
      this.#idle.delete(request.socket)
      void this.#answer(request, response)
    })
    // A chunk can hold thousands of requests, and all of them would be answered in one turn.
    this.#http.maxRequestsPerSocket = 1
    this.#http.on('connection', socket => {
      if (!this.#limit.allows(socket.remoteAddress ?? '')) return void socket.destroy()
      // A single deadline for all that a peer can be slow at: its request, its reading, doing nothing.
      const deadline = clock.after(lifetimeMs, () => socket.destroy())
      this.#makeRoom()
      this.#sockets.add(socket)
      this.#idle.add(socket)
      socket.once('close', () => {
        deadline[Symbol.dispose]()
        this.#forget(socket)
      })
    })
  }

  /**
   * @returns undefined where none is wanted, or where nothing was said of it and the default address
   *   is taken: a second node on a machine must start
   * @throws FridgeError `ERR_LISTEN` when the address that was asked for cannot be had
   */
  static async start(options: MetricsServerOptions): Promise<MetricsServer | undefined> {
    const { config, source, log } = options
    if (config.listen === 'off') return undefined
    // Only now: every command that knows of nodes would load it.
    const { Metrics } = await import('./metrics.ts')
    const asked = config.listen ?? DEFAULT_METRICS
    const server = new MetricsServer(options, asked, new Metrics(source))
    const http = server.#http
    try {
      await listen(http, asked, '--metrics')
    } catch (error) {
      server.#metrics[Symbol.dispose]()
      if (config.listen !== undefined || !(error instanceof FridgeError)) throw error
      log.warn({ reason: error.message, fix: error.fix }, 'metrics and health are not served')
      return undefined
    }
    http.on('error', error => log.error({ reason: error.message }, 'the port of metrics failed'))
    return server
  }

  /** The address that the server listens on. */
  get address(): Address {
    const bound = this.#http.address()
    if (bound === null || typeof bound === 'string') return this.#asked
    return { host: this.#asked.host, port: bound.port }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#http.listening) return
    const closed = once(this.#http, 'close')
    this.#http.close()
    this.#http.closeAllConnections()
    this.#metrics[Symbol.dispose]()
    await closed
  }

  /** Slow connections must not keep the one out that looks whether the node is ready. */
  #makeRoom(): void {
    if (this.#sockets.size < HTTP_LIMITS.maxConnections) return
    const [oldest] = this.#idle.size > 0 ? this.#idle : this.#sockets
    if (oldest === undefined) return
    this.#forget(oldest)
    oldest.destroy()
  }

  #forget(socket: Socket): void {
    this.#sockets.delete(socket)
    this.#idle.delete(socket)
  }

  /** Requests that come at the same time share one reading of the node. */
  async #text(): Promise<string> {
    this.#reading ??= this.#metrics.text().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #answer({ method, url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
    const say = (status: number, text: string, type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(status, {
        'Content-Type': type,
        'Content-Length': Buffer.byteLength(text),
        'Cache-Control': 'no-store',
        'X-Content-Type-Options': 'nosniff',
        Connection: 'close',
        ...(status === 405 && { Allow: 'GET' }),
      })
      response.end(text)
    }
    const path = url.split('?', 1)[0]
    if (method !== 'GET') return say(405, 'only GET\n')
    switch (path) {
      case '/healthz':
        return say(200, 'ok\n')
      case '/readyz': {
        const why = this.#options.whyNotReady()
        if (why !== undefined) return say(503, `${why}\n`)
        const failing = whatFails(this.#options.source.numbers())
        return say(200, failing === undefined ? 'ok\n' : `degraded: ${failing}\n`)
      }
      case '/metrics':
        try {
          return say(200, await this.#text(), this.#metrics.contentType)
        } catch (error) {
          this.#options.log.error({ reason: errorMessage(error) }, 'metrics cannot be read')
          return say(500, 'metrics cannot be read\n')
        }
      default:
        return say(404, 'here are /metrics, /healthz and /readyz\n')
    }
  }
}
