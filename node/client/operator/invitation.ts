import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { isKeyId, type KeyId, type Name } from '../../identity/names.ts'
import type { Clock } from '../../lib/clock.ts'
import { foreignText } from '../../lib/foreign-text.ts'
import { unreadable } from './answers.ts'
import type { OperatorConnection } from './operator-connection.ts'

/** What stands before what is hashed for the id, and before what the browser proves (PROTOCOL.md, "Invitations"). */
const ID_LABEL = 'fridge invitation id 1\n'
const PROOF_LABEL = 'fridge invitation 1\n'

const SECRET_BYTES = 16

/** How long an invitation is good, in milliseconds. */
export const INVITATION_MS = 10 * 60_000

/** A browser that came, as the node tells it. */
interface Arrival {
  readonly number: number
  readonly origin: string
  readonly key: KeyId
  readonly proof: string
}

export interface AwaitGuestOptions {
  /** Hears the link, which holds the secret: for the person who is invited, and nobody else. */
  readonly onLink: (link: string) => void
  /** Hears why a browser was turned away. */
  readonly onRefused: (why: string) => void
  /** Aborts when the operator withdraws it. */
  readonly signal: AbortSignal
  readonly clock: Clock
}

/** The browser that has proven itself. */
export interface Welcome {
  readonly key: KeyId
  /** Tell the browser that it is let in, or why it is not after all. */
  readonly answer: (why?: string) => Promise<void>
}

/**
 * An invitation for one browser. Its secret stands in the fragment of a link, which browsers send
 * nowhere; the browser proves that it has it, over its own key, so that no node on the way can put
 * another key in its place.
 */
export class Invitation {
  readonly #name: Name
  readonly #secret: Buffer

  /** @param secret 16 bytes. Default: drawn at random */
  constructor(name: Name, secret: Buffer = randomBytes(SECRET_BYTES)) {
    this.#name = name
    this.#secret = secret
  }

  /** What nodes are told: it says nothing of the secret. */
  get id(): string {
    const digest = hash('sha256', Buffer.concat([Buffer.from(ID_LABEL), this.#secret]), 'buffer')
    return digest.subarray(0, SECRET_BYTES).toString('base64url')
  }

  /** @param page where the page of a node is */
  linkTo(page: string): string {
    return `${page}#invite=${this.#secret.toString('base64url')}.${this.#name}`
  }

  /** What a browser with this key shows, on a page of an origin. */
  proofFor(origin: string, key: KeyId): string {
    const text = `${PROOF_LABEL}${JSON.stringify({ origin, name: this.#name, key })}`
    return createHmac('sha256', this.#secret).update(text).digest('base64url')
  }

  /** Whether a browser has the secret, and its key is the one that it brought. */
  isProvenBy({ origin, key, proof }: Omit<Arrival, 'number'>): boolean {
    const expected = Buffer.from(this.proofFor(origin, key))
    const shown = Buffer.from(proof)
    return shown.length === expected.length && timingSafeEqual(shown, expected)
  }

  /**
   * Wait at a node for the browser. The node lets others wait in vain as long as the connection
   * lasts, so it should be one of its own.
   * @returns undefined where none came in time, or it was withdrawn
   * @throws FridgeError `ERR_REFUSED` where the node serves no page, `ERR_PROTOCOL`, and why the
   *   connection ended
   */
  async awaitGuest(
    operator: Pick<OperatorConnection, 'ask' | 'node'>,
    { onLink, onRefused, signal, clock }: AwaitGuestOptions,
  ): Promise<Welcome | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<Welcome | undefined>()
    const { id } = this
    const end = (): void => resolve(undefined)
    signal.addEventListener('abort', end, { once: true })
    using stack = new DisposableStack()
    stack.defer(() => signal.removeEventListener('abort', end))
    stack.use(clock.after(INVITATION_MS, end))
    const answer = async (number: number, why?: string): Promise<void> =>
      void (await operator.ask('welcome', [id, number, why ?? null]))
    let pageOrigin: string | undefined
    const onProgress = (value: unknown): void => {
      const said = parseProgress(value)
      if (said === undefined) {
        return reject(unreadable(operator.node, 'invite', 'it is neither a page nor a browser'))
      }
      if ('page' in said) {
        pageOrigin = new URL(said.page).origin
        return onLink(this.linkTo(said.page))
      }
      if (said.origin === pageOrigin && this.isProvenBy(said)) {
        const { key, number } = said
        return resolve({ key, answer: async why => answer(number, why) })
      }
      onRefused('a browser came whose proof does not hold')
      void answer(said.number, 'the link was altered: open it again as it was sent').catch(reject)
    }
    operator.ask('invite', [id], { onProgress, timeoutMs: MAX_WAIT_MS }).then(end, reject)
    return await promise
  }
}

/** The node ends the wait by itself before that. */
const MAX_WAIT_MS = INVITATION_MS + 60_000

/** Of a page's URL and of a proof, in characters. */
const MAX_TEXT = 300

function parseProgress(value: unknown): { readonly page: string } | Arrival | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { page, number, origin, key, proof } = value as Record<string, unknown>
  if (typeof page === 'string') {
    const isPage = page.length <= MAX_TEXT && URL.canParse(page) && page === foreignText(page)
    return isPage && new URL(page).protocol === 'https:' ? { page } : undefined
  }
  if (typeof number !== 'number' || typeof origin !== 'string' || !isKeyId(key)) return undefined
  if (typeof proof !== 'string' || origin.length > MAX_TEXT) return undefined
  return { number, origin, key, proof }
}
