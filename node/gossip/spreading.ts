import { untilRound, type Clock } from '../lib/clock.ts'
import type { SpreadOptions } from './spread.ts'

/** How the updates of a document get about. */
export interface Spreading extends SpreadOptions {
  /** Whether an update may need others that were taken before it. */
  readonly isCausal: boolean
  /** Whether a digest is compared by buckets first: worth it where nearly all is the same at both ends. */
  readonly hasBuckets: boolean
  /** How long announcements are gathered by the end of a link that dialed, in milliseconds. */
  readonly announceMs: number
  /** And by the other end: what was announced to it meanwhile it need not announce. */
  readonly answerMs: number
  /**
   * Over a link that has stood for a while they wait for the next moment that divides by so many
   * milliseconds, those of the other end for the one after. Default: they do not.
   */
  readonly roundMs?: number
}

/**
 * Nobody may wait for a change longer than the fastest way takes: each node has a tree of its own,
 * and three copies come over three links, so that one that is lost, frozen or slow delays nothing.
 */
export const LIST_SPREADING: Spreading = {
  isShared: false,
  copies: 3,
  isCausal: true,
  hasBuckets: false,
  // At once: where all copies of a node are late, an announcement is what it has.
  announceMs: 0,
  answerMs: 0,
  leastWaitMs: 5,
  stepMs: 1,
  // Where a fifth of the packets is lost, a question or its answer is with a probability of a third.
  askAtOnce: 3,
  askNextMs: 20,
}

/**
 * Every node has something to say of itself, and nobody waits for it: one tree, in which each update
 * comes to a node once, and announcements that wait for others, and leave in one write with beats.
 * What comes with a node that has just linked is waited for, and so is what tells who is dead: then they go
 * sooner.
 */
export const MEMBERS_SPREADING: Spreading = {
  isShared: true,
  copies: 1,
  isCausal: false,
  hasBuckets: true,
  announceMs: 500,
  answerMs: 1_000,
  roundMs: 2_000,
  leastWaitMs: 50,
  stepMs: 10,
  askAtOnce: 1,
  askNextMs: 250,
}

/**
 * How long nothing waits for a round after a link has come or another one of this node has ended: what
 * two nodes have to tell of each other is out by then, and a tree that has lost its branches is whole.
 */
const UNQUIET_MS = 10_000

/**
 * How long announcements are gathered for a link, in milliseconds.
 * @param link.quietMs since when it has stood, and no other one has ended
 */
export function gatheringMs(
  { announceMs, answerMs, roundMs }: Spreading,
  clock: Pick<Clock, 'now'>,
  { dialed, quietMs }: { readonly dialed: boolean; readonly quietMs: number },
): number {
  if (roundMs === undefined || quietMs < UNQUIET_MS) return dialed ? announceMs : answerMs
  return untilRound(clock, roundMs) + (dialed ? 0 : roundMs)
}
