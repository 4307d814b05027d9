import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import {
  nodeOf,
  type KeyId,
  type Name,
  type Subject,
  type WHOLE_LIST,
} from '../../identity/names.ts'
import { FridgeError } from '../../lib/errors.ts'
import { parseChange, type Change } from '../../whitelist/change.ts'
import type { Terms } from '../../whitelist/terms.ts'

/** What an operator asks for. */
export type ChangeWish =
  | {
      readonly kind: 'grant'
      readonly subject: Subject
      readonly reason?: string
      readonly terms: Terms
    }
  | { readonly kind: 'revocation'; readonly subject: Subject; readonly reason?: string }
  | {
      readonly kind: 'checkpoint'
      readonly subject: typeof WHOLE_LIST
      readonly reason?: string
    }

/** What a proposal must agree with. */
export interface ProposalOptions {
  readonly wish: ChangeWish
  /** What identifies the wish: 128 random bits in base64url. */
  readonly id: string
  readonly operator: Name
  /** The node that answers, by its certificate. */
  readonly node: Name
  /** The authorities that are trusted on this machine, asked of a checkpoint alone: it may call none of them former. */
  readonly trusted: () => readonly KeyId[]
  /** The time on this machine, in milliseconds since 1970. */
  readonly now: number
}

/** How far the clocks of an operator's machine and of a node may be apart, in milliseconds. */
export const MAX_SKEW_MS = 10 * 60_000

/**
 * Read what a node proposes to sign: it might be stolen.
 * @returns the change, or why it is not the one that was asked for
 */
export function readProposal(text: unknown, options: ProposalOptions): Change | string {
  const { wish, id, operator, node, trusted, now } = options
  const parsed = parseChange(text)
  if (!parsed.ok) return parsed.why
  const { change } = parsed
  if (change.kind !== wish.kind || change.subject !== wish.subject) return 'another change'
  if (change.operator !== operator) return 'a change of another operator'
  if (change.wish !== id) return 'a change of another wish'
  if (change.reason !== wish.reason) return 'another reason'
  if (nodeOf(change.source) !== node) return 'a change at the place of another node'
  if (Math.abs(change.at - now) > MAX_SKEW_MS) return 'a change of another time; compare the clocks'
  if (change.kind === 'checkpoint' && change.former.some(one => trusted().includes(one))) {
    return 'a checkpoint that calls an authority former which is trusted here'
  }
  const terms = change.kind === 'grant' ? change.terms : {}
  const wished = wish.kind === 'grant' ? wish.terms : {}
  return isDeepStrictEqual(terms, wished) ? change : 'other terms'
}

/** How often a change is signed when others change the same at the same time. */
export const MAX_ROUNDS = 3

/** How often it is proposed until two nodes say the same, and how long between, in milliseconds. */
export const AGREEMENT = { tries: 4, waitMs: 250 } as const

/** That others kept a change from its place. @param why in words */
export function notAccepted(why: string): FridgeError {
  return new FridgeError('ERR_CONFLICT', `the change was not accepted: ${why}`, {
    fix: 'try again',
  })
}

/** What identifies one wish of an operator. */
export function drawWish(): string {
  return randomBytes(16).toString('base64url')
}

/** That a node asks for a signature that nobody may give. @param why in words */
export function mistrust(node: Name, what: string, why: string): FridgeError {
  return new FridgeError('ERR_PROTOCOL', `${node} ${what}: ${why}`, {
    fix: 'use another node, and look into that one',
  })
}

/**
 * What is signed for one wish. Each text that was signed can be used by its node at any time, so
 * there is another one only where two cannot both be: at the same place, or when the place of the
 * one before is proven to be taken by another change.
 */
export class SignedWish {
  #last: Change | undefined
  #isTaken = false

  /** The place of the text that was signed last. */
  get last(): Change | undefined {
    return this.#last
  }

  /** It is proven that the last text can never stand at its place. */
  noteTaken(): void {
    this.#isTaken = true
  }

  /**
   * The change to sign in the place of a proposed one: a removal goes on with what it had seen at
   * first, so that it is the same removal however often it is signed.
   * @returns or why nothing may be signed
   */
  next(proposed: Change): Change | string {
    const last = this.#last
    if (last === undefined) return proposed
    if (proposed.source !== last.source) return 'the node numbers its changes anew since'
    const isSamePlace = proposed.sequence === last.sequence && proposed.previous === last.previous
    const isLater = this.#isTaken && proposed.sequence > last.sequence
    if (!isSamePlace && !isLater) return 'nothing proves that the place of the first text is taken'
    return proposed.kind === 'revocation' ? { ...proposed, seen: last.seen } : proposed
  }

  /** A change was signed. */
  note(change: Change): void {
    this.#last = change
    this.#isTaken = false
  }
}
