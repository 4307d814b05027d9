import { isStray, type Entry } from '../whitelist/entry.ts'
import { asUpdate as updateOf, carriedBy, problemOfValue } from './update.ts'
import { asUpdate, type Update } from './document-frames.ts'
import type { UncheckedEntry } from '../whitelist/open.ts'

/** Characters of entries in a frame, from which on it takes no more of them: an eighth of the longest line. */
const PAGE_CHARACTERS = 131_072

/** Entries in a frame. */
const MAX_STATE_ROWS = 256

/** Other checkpoints of which the end of a state says that they are true. */
const MAX_TRUE = 4_096

/** Spent entries in a state: of each source, and of each operator in it, one, and what later changes name. */
export const MAX_SPENT = 65_536

/** Checkpoints of which a peer is told that they stand. */
const MAX_STANDING = 512

const HASH = /^[\w-]{43}$/

/** An entry of what is left behind a checkpoint. */
export interface StateRow {
  readonly entry: Entry
  /** Whether it decides nothing any more. */
  readonly isSpent: boolean
}

/** Such an entry from a peer: nothing of it has been checked but its form. */
export interface UncheckedStateRow {
  readonly update: Update
  readonly entry: UncheckedEntry
  readonly isSpent: boolean
}

/** The end of a state. */
export interface StateEnd {
  readonly checkpoint: string
  readonly true: ReadonlySet<string>
}

/** Put the rows of a state into frames. */
export function* statePages(rows: Iterable<StateRow>): Iterable<readonly StateRow[]> {
  let [page, characters]: [StateRow[], number] = [[], 0]
  for (const row of rows) {
    const { length } = row.entry.text
    const isFull = characters + length > PAGE_CHARACTERS || page.length >= MAX_STATE_ROWS
    if (isFull && page.length > 0) {
      yield page
      page = []
      characters = 0
    }
    page.push(row)
    characters += length
  }
  if (page.length > 0) yield page
}

/** A frame of a state. */
export function stateFrame(page: readonly StateRow[]): object {
  return {
    state: page.map(({ entry, isSpent }) => [...updateOf(entry), ...(isSpent ? ['spent'] : [])]),
  }
}

/** The frame that ends a state. */
export function stateEnd({ checkpoint, true: held }: StateEnd): object {
  return { begins: checkpoint, true: [...held] }
}

/** @returns the rows of a frame of a state; undefined if it is malformed */
export function parseStateRows(frame: object): UncheckedStateRow[] | undefined {
  const { state, ...rest } = frame as Record<string, unknown>
  if (!Array.isArray(state) || state.length > MAX_STATE_ROWS) return undefined
  if (Object.keys(rest).length > 0) return undefined
  const rows = state.map(readRow)
  return rows.every(row => row !== undefined) ? rows : undefined
}

function readRow(value: unknown): UncheckedStateRow | undefined {
  if (!Array.isArray(value)) return undefined
  const [carried, sequence, source, spent, ...rest] = value as unknown[]
  if (rest.length > 0 || (spent !== undefined && spent !== 'spent')) return undefined
  const update = asUpdate([carried, sequence, source])
  if (update === undefined || problemOfValue(carried) !== undefined) return undefined
  const entry = carriedBy(update)
  return isStray(entry) ? undefined : { update, entry, isSpent: spent === 'spent' }
}

/** @returns what ends a state; undefined if it is malformed */
export function parseStateEnd(frame: object): StateEnd | undefined {
  const { begins, true: held, ...rest } = frame as Record<string, unknown>
  if (Object.keys(rest).length > 0 || !isHash(begins)) return undefined
  if (!Array.isArray(held) || held.length > MAX_TRUE || !held.every(isHash)) return undefined
  return { checkpoint: begins, true: new Set(held) }
}

function isHash(value: unknown): value is string {
  return typeof value === 'string' && HASH.test(value)
}

/** What tells a peer which checkpoints stand here, by their hashes: of many the newest. */
export function standingFrame(hashes: readonly string[]): object[] {
  return hashes.length === 0 ? [] : [{ standing: hashes.slice(-MAX_STANDING) }]
}

/** @returns the checkpoints that stand at a peer; undefined if that is malformed */
export function parseStanding(frame: object): ReadonlySet<string> | undefined {
  const { standing, ...rest } = frame as Record<string, unknown>
  if (!Array.isArray(standing) || standing.length > MAX_STANDING) return undefined
  return Object.keys(rest).length === 0 && standing.every(isHash) ? new Set(standing) : undefined
}
