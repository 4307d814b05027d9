import { createHash } from 'node:crypto'
import type { Identity } from '../identity/identity.ts'
import { isName, type Name } from '../identity/names.ts'
import type { Signer } from '../identity/signers.ts'
import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import type { RpcMethod } from '../wire/rpc.ts'
import { malformed } from './malformed.ts'

/** The longest that a token may wait to be used, in milliseconds. */
export const MAX_TOKEN_MS = 7 * 86_400_000

/** How many tokens wait at once. */
const MAX_TOKENS = 1_024

const DIGEST = /^[0-9a-f]{64}$/

interface Waiting {
  readonly name: Name
  /** Who has given it out: it counts as long as that one is let in. */
  readonly operator: Identity
  readonly expiresAt: number
}

/** What `token` answers. */
export interface TokenReport {
  /** Where this node takes tokens. */
  readonly port: number
}

/**
 * The tokens that operators have given out for this node, by the hash of their secret. They are in
 * memory alone: a restart forgets them, and no backup brings one back that was used.
 */
export class Tokens {
  readonly #clock: Pick<Clock, 'now'>
  readonly #stands: (operator: Identity) => boolean
  readonly #waiting = new Map<string, Waiting>()

  /** @param stands whether an operator is let in still */
  constructor(clock: Pick<Clock, 'now'>, stands: (operator: Identity) => boolean) {
    this.#clock = clock
    this.#stands = stands
  }

  /** @throws FridgeError `ERR_LIMIT` when too many wait */
  add(digest: string, waiting: Waiting): void {
    const now = this.#clock.now()
    for (const [known, { expiresAt, operator }] of this.#waiting) {
      if (expiresAt <= now || !this.#stands(operator)) this.#waiting.delete(known)
    }
    if (this.#waiting.size >= MAX_TOKENS) {
      throw new FridgeError('ERR_LIMIT', `${MAX_TOKENS} tokens wait to be used at this node`)
    }
    this.#waiting.set(digest, waiting)
  }

  /** Use a token up. @returns for whom it was; undefined where it is none, or none any more */
  take(secret: string): Name | undefined {
    const digest = tokenDigest(secret)
    const waiting = this.#waiting.get(digest)
    this.#waiting.delete(digest)
    if (waiting === undefined || waiting.expiresAt <= this.#clock.now()) return undefined
    // With an operator's key a thief could get ready for its removal.
    return this.#stands(waiting.operator) ? waiting.name : undefined
  }
}

/** What an operator tells a node of a secret. */
export function tokenDigest(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** Where a node takes tokens. */
export interface TokenDesk {
  readonly tokens: Tokens
  readonly port: number
}

export interface TokenMethodsOptions {
  readonly operator: Signer
  /** Undefined where this node issues nothing. */
  readonly tokenDesk: () => TokenDesk | undefined
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
}

/** The method by which an operator has a node wait for a client (PROTOCOL.md, "Enrolment"). */
export function tokenMethods(options: TokenMethodsOptions): [string, RpcMethod][] {
  const { operator, tokenDesk, clock, log } = options
  return [
    [
      'token',
      async ([name, digest, expiresAt]): Promise<TokenReport> => {
        const desk = tokenDesk()
        if (desk === undefined) {
          throw new FridgeError('ERR_COMMAND', 'this node issues no certificates')
        }
        const now = clock.now()
        const isOfTime =
          Number.isSafeInteger(expiresAt) &&
          Number(expiresAt) > now &&
          Number(expiresAt) <= now + MAX_TOKEN_MS
        if (!isName(name) || typeof digest !== 'string' || !DIGEST.test(digest) || !isOfTime) {
          throw malformed('token')
        }
        const { identity } = operator
        desk.tokens.add(digest, { name, operator: identity, expiresAt: Number(expiresAt) })
        log.info({ operator: identity.name, client: name }, 'a token waits to be used')
        return { port: desk.port }
      },
    ],
  ]
}
