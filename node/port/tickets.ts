import type { Server } from 'node:tls'
import type { Clock } from '../lib/clock.ts'

/**
 * How long a session may be resumed (PROTOCOL.md, "Connections"), in seconds. For OpenSSL's own
 * 2 hours a client could go on with a certificate that was replaced long ago.
 */
export const TICKET_SECONDS = 300

/** Of a key of tickets as Node.js takes it: its name, its HMAC key and its AES key. */
const KEY_BYTES = 48

const CHANGE_MS = 60 * 60_000

export interface TicketKeysOptions {
  readonly clock: Pick<Clock, 'after'>
  /** Cryptographically strong random bytes. */
  readonly randomBytes: (size: number) => Buffer
  /** How often the key is replaced, in milliseconds. Default one hour. */
  readonly changeMs?: number
}

/**
 * Replaces the key of session tickets under a running server. Whoever learns a key can read the
 * TLS 1.2 sessions whose tickets were made with it, and no others. OpenSSL knows one key at a
 * time: a ticket of the key before costs its holder a full handshake.
 */
export class TicketKeys implements Disposable {
  readonly #server: Pick<Server, 'setTicketKeys'>
  readonly #options: TicketKeysOptions
  #timer: Disposable | undefined

  constructor(server: Pick<Server, 'setTicketKeys'>, options: TicketKeysOptions) {
    this.#server = server
    this.#options = options
    this.change()
  }

  /** Make all tickets void that were given out until now. */
  change(): void {
    const { clock, randomBytes, changeMs = CHANGE_MS } = this.#options
    this.#server.setTicketKeys(randomBytes(KEY_BYTES))
    this.#timer?.[Symbol.dispose]()
    this.#timer = clock.after(changeMs, () => this.change())
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
  }
}
