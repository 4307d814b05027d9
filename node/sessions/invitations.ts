import type { KeyId, Name } from '../identity/names.ts'
import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'

/** What a browser brings that follows an invitation. Only the operator who made it can tell whether it holds. */
export interface Guest {
  /** Where its page comes from, as the browser says. */
  readonly origin: string
  readonly key: KeyId
  /** In base64url: made of the secret of the invitation, which no node is told. */
  readonly proof: string
}

export interface HostOptions {
  readonly operator: Name
  /** Hears of each browser that comes; `number` names it in the answer. */
  readonly onGuest: (number: number, guest: Guest) => void
  /** Aborts when the operator has gone. */
  readonly signal: AbortSignal
}

/** How long an invitation is good, in milliseconds. */
const LIFETIME_MS = 10 * 60_000

/** Invitations that are open at once; one more is refused. */
const MAX_OPEN = 64

/** Browsers that come with one: its secret is in a link, so most are the same person who tries again. */
const MAX_GUESTS = 16

interface Invitation {
  readonly operator: Name
  readonly onGuest: HostOptions['onGuest']
  /** Browsers that wait for the word of the operator. */
  readonly waiting: Map<number, PromiseWithResolvers<void>>
  guests: number
}

/** Leads browsers with an invitation to the operator that waits for them here. */
export class Invitations {
  readonly #clock: Clock
  readonly #open = new Map<string, Invitation>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Wait for browsers until the operator goes, or the invitation has been open for long enough.
   * @param id names it, and says nothing of its secret
   * @throws FridgeError `ERR_LIMIT` or `ERR_CONFLICT`
   */
  async host(id: string, { operator, onGuest, signal }: HostOptions): Promise<void> {
    if (this.#open.size >= MAX_OPEN) {
      throw new FridgeError('ERR_LIMIT', 'too many invitations are open at this node')
    }
    if (this.#open.has(id)) throw new FridgeError('ERR_CONFLICT', 'it is open already')
    const invitation: Invitation = { operator, onGuest, waiting: new Map(), guests: 0 }
    this.#open.set(id, invitation)
    try {
      await this.#clock.sleep(LIFETIME_MS, signal).catch(() => {})
    } finally {
      this.#open.delete(id)
      for (const { reject } of invitation.waiting.values()) reject(isOver())
    }
  }

  /**
   * Hand a browser on to the operator, and wait for its word.
   * @throws FridgeError `ERR_REFUSED` with what the operator says, or where nobody waits
   */
  async offer(id: string, guest: Guest): Promise<void> {
    const invitation = this.#open.get(id)
    if (invitation === undefined || invitation.guests >= MAX_GUESTS) throw isOver()
    invitation.guests += 1
    const number = invitation.guests
    const word = Promise.withResolvers<void>()
    invitation.waiting.set(number, word)
    invitation.onGuest(number, guest)
    return word.promise
  }

  /**
   * Pass the word of an operator on to a browser.
   * @param why it is turned away; undefined where it was let in, and the invitation is used up
   * @returns whether one waited for the word of this operator
   */
  answer(id: string, operator: Name, number: number, why: string | undefined): boolean {
    const invitation = this.#open.get(id)
    const word = invitation?.waiting.get(number)
    if (invitation === undefined || word === undefined || invitation.operator !== operator) {
      return false
    }
    invitation.waiting.delete(number)
    if (why === undefined) {
      this.#open.delete(id)
      word.resolve()
    } else word.reject(new FridgeError('ERR_REFUSED', why))
    return true
  }
}

/** One that was used, is over, was withdrawn or never was: nobody finds out which. */
function isOver(): FridgeError {
  return new FridgeError('ERR_REFUSED', 'this invitation was used, is over, or never was')
}
