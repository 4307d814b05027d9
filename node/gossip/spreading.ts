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
  /** Then they wait for the next moment that divides by so many milliseconds. Default: they do not. */
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
  announceMs: 20,
  answerMs: 20,
}

/**
 * Every node has something to say of itself, and nobody waits for it: one tree, in which each update
 * comes to a node once, and announcements that wait for others, and leave in one write with beats.
 */
export const MEMBERS_SPREADING: Spreading = {
  isShared: true,
  copies: 1,
  isCausal: false,
  hasBuckets: true,
  announceMs: 0,
  answerMs: 2_000,
  roundMs: 2_000,
}
