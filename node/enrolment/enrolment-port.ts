import type { TLSSocket } from 'node:tls'
import type { NodeConfig } from '../config/config.ts'
import type { Credentials } from '../identity/credentials.ts'
import type { Address } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import { GatheredLog } from '../lib/gathered-log.ts'
import type { Log } from '../lib/log.ts'
import { Tokens } from '../operators/tokens.ts'
import { Listener, type Face } from '../port/listener.ts'
import type { Counts } from '../sessions/counts.ts'
import { endSoon } from '../wire/end-soon.ts'
import { LineDecoder } from '../wire/lines.ts'
import type { Desk, DeskOptions } from './desk.ts'
import { ENROLMENT_ALPN, MAX_LINE_BYTES, parseQuestion, type Answer } from './messages.ts'

export interface EnrolmentOptions extends Omit<DeskOptions, 'node' | 'certs' | 'tokens'> {
  readonly config: Pick<NodeConfig, 'name' | 'certs' | 'enrolment' | 'tls' | 'limits'>
  /** Resolves when the list is as fresh as it can be had: nothing is issued before. */
  readonly gate: Promise<void>
  readonly counts: Pick<Counts, 'enrolment'>
  readonly clock: Clock
  readonly log: Log
}

/** How long one enrolment may take, in milliseconds. */
const EXCHANGE_MS = 10_000

/** Those who have no certificate yet share this many connections. */
const MAX_CONNECTIONS = 64

/**
 * The port at which clients get their first certificate, and the next: off unless it is configured,
 * and of no use without an issuing key. It asks for no certificate, and nothing else is served on it.
 */
export class EnrolmentPort implements AsyncDisposable {
  readonly tokens: Tokens
  readonly #listener: Listener
  readonly #face: { credentials: Credentials }
  readonly #desk: Desk
  readonly #clock: Clock
  readonly #gate: Promise<void>
  readonly #log: GatheredLog

  private constructor(options: EnrolmentOptions, listen: Address, tokens: Tokens, desk: Desk) {
    const { config, trust, counts, clock, log } = options
    this.tokens = tokens
    this.#desk = desk
    this.#clock = clock
    this.#gate = options.gate
    this.#log = new GatheredLog(log, clock)
    const face: Face<Credentials> & { credentials: Credentials } = {
      credentials: trust.credentials,
      tlsOf: ({ key, certificate }) => ({
        key,
        cert: certificate,
        ALPNProtocols: [ENROLMENT_ALPN],
      }),
      flag: 'enrolment.listen',
    }
    this.#face = face
    this.#listener = new Listener({
      config: {
        listen,
        tls: config.tls,
        limits: { ...config.limits, maxConnections: MAX_CONNECTIONS },
      },
      face,
      counts: counts.enrolment,
      clock,
      log,
    })
  }

  /**
   * @returns undefined where it is off
   * @throws FridgeError `ERR_KEY_FILE` without an issuing key that can be used, `ERR_LISTEN`
   */
  static async start(options: EnrolmentOptions): Promise<EnrolmentPort | undefined> {
    const { config, clock, admits } = options
    const { listen } = config.enrolment
    if (listen === 'off') return undefined
    // Only now: every node would load what issues certificates, which takes longer than most of it.
    const { Desk } = await import('./desk.ts')
    const tokens = new Tokens(clock, admits)
    const desk = new Desk({ ...options, node: config.name, certs: config.certs, tokens })
    const port = new EnrolmentPort(options, listen, tokens, desk)
    try {
      const useless = port.#desk.whyUseless(await port.#desk.issuer())
      // That keeps no node from serving.
      if (useless !== undefined) options.log.error({ fix: useless.fix }, useless.message)
      await port.#listener.open(async ({ socket }) => port.#receive(socket))
    } catch (error) {
      await port.#listener.close(async () => {})
      throw error
    }
    return port
  }

  /** The address that it got. */
  get address(): Address {
    return this.#listener.address
  }

  /** Show another certificate from now on. */
  renew(credentials: Credentials): void {
    this.#listener.renew(credentials)
    this.#face.credentials = credentials
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener.close(async () => {})
    this.#log[Symbol.dispose]()
  }

  /** Hear one question, answer it, and hang up. */
  async #receive(socket: TLSSocket): Promise<void> {
    const question = Promise.withResolvers<string | undefined>()
    using _deadline = this.#clock.after(EXCHANGE_MS, () => socket.destroy())
    const lines = new LineDecoder(MAX_LINE_BYTES)
    socket.on('data', (chunk: Uint8Array) => {
      const refusal = lines.write(chunk, line => {
        question.resolve(line)
        return false
      })
      if (refusal !== undefined) socket.destroy()
    })
    socket.once('close', () => question.resolve(undefined))
    const address = socket.remoteAddress
    socket.write(`${JSON.stringify(await this.#desk.greeting())}\n`)
    const line = await question.promise
    if (line === undefined) return
    await this.#gate
    socket.write(`${JSON.stringify(await this.#answer(line, address))}\n`)
    endSoon(socket, this.#clock)
  }

  async #answer(line: string, address: string | undefined): Promise<Answer> {
    const question = parseQuestion(line)
    if (question === undefined) return { error: 'that is no question of an enrolment' }
    try {
      const certificate = await this.#desk.answer(question)
      const how = 'secret' in question ? 'enrolled' : 'renewed'
      this.#log.info({ address }, `a client was ${how}`)
      return { certificate }
    } catch (error) {
      if (!(error instanceof FridgeError)) throw error
      const { message, fix } = error
      this.#log.warn({ address, reason: message, fix }, 'nothing was issued')
      // What is wrong with the files of this node is for its own log.
      if (error.code === 'ERR_KEY_FILE') return { error: 'this node cannot issue now: see its log' }
      return { error: message, ...(fix !== undefined && { fix }) }
    }
  }
}
