import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { errorMessage } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { BUILD_COMMAND, type Bundle } from './bundle.ts'
import { SOCKET_PATH } from './packet.ts'
import type { PageServer } from './socket-io.ts'

/** What a browser may take of a node by HTTP. */
const HTTP_LIMITS = {
  /** Bytes of a request line and its headers. */
  maxHeaderSize: 8_192,
  /** How long a request may take to come, in milliseconds. */
  requestTimeout: 5_000,
  headersTimeout: 5_000,
  /** How long a connection may be kept for another request, in milliseconds. */
  keepAliveTimeout: 5_000,
  /** How often these are looked at, in milliseconds. */
  connectionsCheckingInterval: 1_000,
} as const

/** Requests of one connection: a page is four files. */
const MAX_REQUESTS = 100

/**
 * What every answer says to a browser: nothing but what this node serves is run, shown or asked, and
 * nobody frames it. No HSTS: it would cover every port of the host.
 */
const HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'Cache-Control': 'no-store',
}

const WITHOUT_BUNDLE = `the page of this node was not bundled; make it there: ${BUILD_COMMAND}\n`

export interface SiteOptions {
  /** Whether pages may poll over HTTP. */
  readonly hasPolling: boolean
  readonly bundle: Bundle
  /** Serves pages that connect. Loaded when the first one does. */
  readonly openPages: () => Promise<PageServer>
  readonly log: Log
}

/** The page of a node over HTTP, on connections whose handshake is done. */
export class Site implements AsyncDisposable {
  readonly #options: SiteOptions
  readonly #http: Server
  #pages: Promise<PageServer> | undefined

  constructor(options: SiteOptions) {
    this.#options = options
    this.#http = createServer(HTTP_LIMITS, (request, response) => {
      this.#respond(request, response).catch((error: unknown) => {
        this.#options.log.error({ reason: errorMessage(error) }, 'the page cannot be served')
        response.destroy()
      })
    })
    this.#http.maxRequestsPerSocket = MAX_REQUESTS
    // It looks at how long requests take from this event on, and never listens by itself.
    this.#http.emit('listening')
    this.#http.on('upgrade', (request, socket, head) => {
      this.#upgrade(request, socket, head).catch((error: unknown) => {
        this.#options.log.error({ reason: errorMessage(error) }, 'a page cannot connect')
        socket.destroy()
      })
    })
  }

  /** Serve a connection. */
  take(socket: Duplex): void {
    this.#http.emit('connection', socket)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#pages)?.[Symbol.asyncDispose]()
    // It never listened by itself, so nothing else ends its timer and its connections.
    this.#http.close()
    this.#http.closeAllConnections()
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isPoll = request.url?.startsWith(SOCKET_PATH) === true
    if (!isPoll || !this.#options.hasPolling) return this.#answer(request, response)
    this.#pages ??= this.#options.openPages()
    const pages = await this.#pages
    if (!request.socket.destroyed) pages.answer(request, response)
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    if (request.url?.startsWith(SOCKET_PATH) !== true) return void socket.destroy()
    // Until the library takes over, a reset must not go unheard.
    socket.on('error', () => {})
    this.#pages ??= this.#options.openPages()
    const pages = await this.#pages
    if (!socket.destroyed) pages.take(request, socket, head)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request
    const say = (
      status: number,
      body: string | Buffer,
      more: Record<string, string> = {},
    ): void => {
      response.writeHead(status, {
        ...HEADERS,
        'Content-Type': 'text/plain; charset=utf-8',
        'Content-Length': Buffer.byteLength(body),
        ...more,
      })
      response.end(method === 'HEAD' ? undefined : body)
    }
    const path = url.split('?', 1)[0] ?? ''
    const isClosed = { Connection: 'close' }
    // Nobody reads a body here: what comes behind such a request is not waited for.
    if (method !== 'GET' && method !== 'HEAD') {
      return say(405, 'only GET\n', { Allow: 'GET, HEAD', ...isClosed })
    }
    const { bundle } = this.#options
    if (!bundle.names(path)) return say(404, 'the page of this node is at /\n')
    const file = await bundle.read(path)
    if (file === undefined) return say(503, WITHOUT_BUNDLE)
    const isSmall = takesGzip(request.headers['accept-encoding'])
    say(200, isSmall ? file.gzipped : file.body, {
      'Content-Type': file.type,
      Vary: 'Accept-Encoding',
      ...(isSmall && { 'Content-Encoding': 'gzip' }),
    })
  }
}

/** Whether an `Accept-Encoding` names gzip, and not to refuse it (RFC 9110, section 12.5.3). */
function takesGzip(header: string | string[] | undefined): boolean {
  const codings = String(header ?? '')
    .toLowerCase()
    .split(',')
  return codings.some(coding => /^\s*gzip\s*(;\s*q=(1|0?\.\d*[1-9]).*)?$/.test(coding))
}
