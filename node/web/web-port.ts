import type { Socket } from 'node:net'
import { DEFAULT_WEB, type NodeConfig } from '../config/config.ts'
import { CredentialWatch, type Reload } from '../identity/credential-watch.ts'
import type { Credentials } from '../identity/credentials.ts'
import type { Address } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { Listener, type Face } from '../port/listener.ts'
import type { Counts } from '../sessions/counts.ts'
import {
  browserProblems,
  hostsOf,
  isForHost,
  loadPageCredentials,
  ofNode,
  ownOrigins,
  PAGE_CREDENTIALS,
  type PageCredentials,
} from './page-certificate.ts'
import { redirectPlain } from './plain-http.ts'
import type { Site } from './site.ts'
import type { PageServer } from './socket-io.ts'

/** Where browsers find this node, by what it shows them now. */
export interface OwnPlaces {
  /** The origins of the page that it serves itself. */
  readonly ownOrigins: () => ReadonlySet<string>
  /** Whether browsers reach this node, and no other, at a host. */
  readonly isOwnHost: (host: string) => boolean
}

export interface WebPortOptions {
  readonly config: Pick<NodeConfig, 'web' | 'tls' | 'limits'>
  /** What the node shows its clients and peers. */
  readonly credentials: Credentials
  readonly counts: Pick<Counts, 'web'>
  /** Serves pages that connect. Loaded when the first one does. */
  readonly openPages: (own: OwnPlaces) => Promise<PageServer>
  /** Where the bundle of the page lies. Default: beside the program. */
  readonly bundleFolder?: URL | undefined
  readonly clock: Clock
  readonly log: Log
}

/** Where `npm run build:page` puts the bundle. */
const BUNDLE_FOLDER = new URL('page/bundle/', import.meta.url)

/**
 * The port for browsers: HTTPS and nothing else. It asks for no certificate: a browser would show
 * the one of its holder to whatever page sent it here. Nothing that serves pages is loaded before
 * the first browser comes.
 */
export class WebPort implements AsyncDisposable {
  readonly #options: WebPortOptions
  readonly #listener: Listener<PageCredentials>
  readonly #face: { credentials: PageCredentials }
  #site: Promise<Site> | undefined
  #watch: CredentialWatch<PageCredentials> | undefined
  #origins: { readonly credentials: PageCredentials; readonly own: ReadonlySet<string> } | undefined

  private constructor(options: WebPortOptions, asked: Address, credentials: PageCredentials) {
    const { config, counts, clock, log } = options
    const face: Face<PageCredentials> & { credentials: PageCredentials } = {
      credentials,
      tlsOf: ({ key, certificate }) => ({ key, cert: certificate, ALPNProtocols: ['http/1.1'] }),
      takePlain: (socket: Socket) => redirectPlain(socket, clock),
      flag: '--web',
    }
    this.#options = options
    this.#face = face
    this.#listener = new Listener({
      config: {
        listen: asked,
        // Every browser that people still use speaks it.
        tls: { ...config.tls, minVersion: 'TLSv1.3' },
        limits: { ...config.limits, maxConnections: config.web.maxConnections },
      },
      face,
      counts: counts.web,
      clock,
      log,
    })
  }

  /**
   * @returns undefined where none is wanted, or where nothing was said of it and the default address
   *   is taken: a second node on a machine must start
   * @throws FridgeError `ERR_LISTEN`, `ERR_KEY_FILE`, `ERR_CERTIFICATE` when what was asked for
   *   cannot be had
   */
  static async start(options: WebPortOptions): Promise<WebPort | undefined> {
    const { config, credentials: own, clock, log } = options
    const { listen } = config.web
    if (listen === 'off') return undefined
    const files = filesOf(config.web)
    const load = async (from: NonNullable<typeof files>): Promise<PageCredentials> =>
      loadPageCredentials(from, clock.now())
    const credentials = files === undefined ? ofNode(own) : await load(files)
    const port = new WebPort(options, listen ?? DEFAULT_WEB, credentials)
    try {
      await port.#listener.open(async ({ socket }) => (await port.#open()).take(socket))
    } catch (error) {
      await port.#listener.close(async () => {})
      if (listen !== undefined || !(error instanceof FridgeError)) throw error
      log.warn({ reason: error.message, fix: error.fix }, 'no page is served')
      return undefined
    }
    for (const { text, fix } of browserProblems(credentials)) log.warn({ fix }, text)
    if (files !== undefined) {
      port.#watch = new CredentialWatch({
        kind: PAGE_CREDENTIALS,
        credentials,
        load: async () => load(files),
        apply: next => port.#show(next),
        clock,
        log,
      })
    }
    return port
  }

  /** The address that it got. */
  get address(): Address {
    return this.#listener.address
  }

  /** How many connections it holds. */
  get connections(): number {
    return this.#listener.connections
  }

  /** How many of them are in their handshake. */
  get handshaking(): number {
    return this.#listener.handshaking
  }

  /** Where a person finds the page: at a host that its certificate is for, or else at its address. */
  get url(): string {
    const { address } = this
    const [first] = this.#ownOrigins()
    const hosts = hostsOf(this.#face.credentials)
    const host = hosts.includes(address.host) || hosts.length === 0 ? address.host : undefined
    return `${host === undefined && first !== undefined ? first : urlOf(address)}/`
  }

  /** Show other credentials of the node, where pages have none of their own. */
  renew(credentials: Credentials): void {
    if (this.#watch === undefined) this.#show(ofNode(credentials))
  }

  /** Read `web.certificate` again now, where there is one. It also happens by itself. */
  async reload(): Promise<Reload> {
    return this.#watch === undefined ? 'unchanged' : this.#watch.reload()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch?.[Symbol.asyncDispose]()
    await this.#listener.close(async () => {
      await (await this.#site)?.[Symbol.asyncDispose]()
    })
  }

  #show(credentials: PageCredentials): void {
    this.#listener.renew(credentials)
    this.#face.credentials = credentials
  }

  /** Read when the certificate is another one: each page that joins asks for them. */
  #ownOrigins(): ReadonlySet<string> {
    const { credentials } = this.#face
    if (this.#origins?.credentials !== credentials) {
      this.#origins = { credentials, own: ownOrigins(credentials, this.address.port) }
    }
    return this.#origins.own
  }

  async #open(): Promise<Site> {
    this.#site ??= this.#load()
    return this.#site
  }

  async #load(): Promise<Site> {
    const [{ Site }, { Bundle }] = await Promise.all([import('./site.ts'), import('./bundle.ts')])
    const { bundleFolder = BUNDLE_FOLDER, openPages, config, log } = this.#options
    return new Site({
      hasPolling: config.web.compat.polling,
      bundle: new Bundle(bundleFolder),
      openPages: async () =>
        openPages({
          ownOrigins: () => this.#ownOrigins(),
          isOwnHost: host => isForHost(this.#face.credentials, host),
        }),
      log,
    })
  }
}

function urlOf({ host, port }: Address): string {
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function filesOf({ certificate, key }: NodeConfig['web']) {
  if (certificate === undefined || key === undefined) return undefined
  return { certificateFile: certificate, keyFile: key }
}
