import { isGossiped, isName, isSource, type Source } from '../identity/names.ts'
import type { Tree } from './spread.ts'

/** What the package calls an update: a value at a place. The number is a sequence, not a time. */
export type Update = [value: unknown, sequence: number, source: Source, ...signature: unknown[]]

/** Sources in one announcement, and in one `want`. */
export const MAX_ANNOUNCEMENTS = 512

/** The first frame of an end: its source, and how far it has heard each. */
export interface Digest {
  readonly id: Source
  readonly clock: ReadonlyMap<Source, number>
  /** Which of the buckets that this end has said are the same at the peer, not yet read. */
  readonly same?: unknown
}

/** What a peer announces instead of sending it. */
export interface Announcement {
  readonly source: Source
  readonly sequence: number
  /** What identifies the update at that place, where a document tells that. */
  readonly hash: string | undefined
}

/** A frame of the tree along which updates go (PROTOCOL.md, "One copy"). */
export type TreeFrame =
  | { readonly kind: 'have'; readonly announced: readonly Announcement[] }
  | { readonly kind: 'want'; readonly sources: ReadonlySet<Source> }
  | { readonly kind: 'lazy' | 'eager'; readonly tree: Tree }

/** Whether a frame of which nothing else is known is an update in form. */
export function asUpdate(frame: unknown[]): Update | undefined {
  const [, sequence, source] = frame
  if (frame.length < 3 || frame.length > 4) return undefined
  if (!isPlace(sequence) || !isGossiped(source)) return undefined
  return frame as unknown as Update
}

/** Sources in one frame of a digest: with the longest names a tenth of the longest line. */
const PAGE_SOURCES = 2_000

/** Whether a frame of the package is its digest: another is sent in its place. */
export function isDigestFrame(frame: unknown): boolean {
  return typeof frame === 'object' && frame !== null && 'clock' in frame
}

/** A digest in frames of which the last ends it. */
export function* pagesOf({ id, clock, same }: Digest): Iterable<object> {
  const entries = [...clock]
  let from = 0
  for (; entries.length - from > PAGE_SOURCES; from += PAGE_SOURCES) {
    yield { heard: Object.fromEntries(entries.slice(from, from + PAGE_SOURCES)) }
  }
  yield { id, clock: Object.fromEntries(entries.slice(from)), ...(same !== undefined && { same }) }
}

/** @returns the digest, or why it is none */
export function asDigest(frame: unknown): Digest | string {
  if (typeof frame !== 'object' || frame === null) return 'a frame is neither digest nor update'
  const { id, clock, same, ...rest } = frame as Record<string, unknown>
  if (Object.keys(rest).length > 0) return 'a digest has unknown fields'
  if (!isSource(id)) return 'a digest names no valid source'
  const read = readClock(clock)
  return typeof read === 'string' ? read : { id, clock: read, same }
}

/** @returns what a page of a digest tells, or why it is none */
export function asDigestPage(frame: object): ReadonlyMap<Source, number> | string {
  const { heard, ...rest } = frame as Record<string, unknown>
  if (Object.keys(rest).length > 0) return 'a digest has unknown fields'
  return readClock(heard)
}

function readClock(clock: unknown): Map<Source, number> | string {
  if (typeof clock !== 'object' || clock === null || Array.isArray(clock)) {
    return 'a digest has no clock'
  }
  const entries = Object.entries(clock)
  for (const [source, sequence] of entries) {
    if (!isGossiped(source) || !isPlace(sequence)) return 'a digest has a malformed clock'
  }
  return new Map(entries as [Source, number][])
}

/** @returns the frame, why it is refused, or undefined when it is another */
export function asTreeFrame(frame: object, isShared: boolean): TreeFrame | string | undefined {
  const keys = Object.keys(frame)
  const [key] = keys
  if (key !== 'have' && key !== 'want' && key !== 'lazy' && key !== 'eager') return undefined
  if (keys.length > 1) return `a ${key} comes with something else`
  const value = (frame as Record<string, unknown>)[key]
  switch (key) {
    case 'have': {
      const announced = readAnnounced(value)
      return announced === undefined ? 'what a peer has is malformed' : { kind: key, announced }
    }
    case 'want': {
      const isList = Array.isArray(value) && value.length <= MAX_ANNOUNCEMENTS
      if (!isList || !value.every(isGossiped)) return 'what a peer wants is malformed'
      return { kind: key, sources: new Set(value) }
    }
    case 'lazy':
    case 'eager':
      if (isShared ? value !== true : !isName(value)) return `${key} names no tree`
      return { kind: key, tree: value as Tree }
  }
}

function readAnnounced(value: unknown): Announcement[] | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const entries = Object.entries(value)
  if (entries.length > MAX_ANNOUNCEMENTS) return undefined
  const announced: Announcement[] = []
  for (const [source, place] of entries as [string, unknown][]) {
    const [sequence, hash, ...rest] = Array.isArray(place) ? (place as unknown[]) : [place]
    if (!isGossiped(source) || !isPlace(sequence) || rest.length > 0) return undefined
    if (hash !== undefined && (typeof hash !== 'string' || hash.length > 64)) return undefined
    announced.push({ source, sequence, hash })
  }
  return announced
}

function isPlace(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1
}
