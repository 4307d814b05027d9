import { isSource, type Source } from '../identity/names.ts'
import { isSequence, type Head } from './change.ts'
import type { Whitelist } from './whitelist.ts'

/** Sources in one frame: with the longest names a fifth of the longest line. */
const PAGE_SOURCES = 2_000

/** One frame of heads. */
export interface HeadsFrame {
  readonly heads: Record<string, [sequence: number, hash: string]>
}

/**
 * The frames that tell a peer the newest entry of each source, by hash: equal clocks are not yet
 * equal lists (PROTOCOL.md, "Equivocation").
 */
export function* headsFrames(whitelist: Pick<Whitelist, 'heads'>): Iterable<HeadsFrame> {
  let heads: HeadsFrame['heads'] = {}
  let size = 0
  for (const [source, { sequence, hash }] of whitelist.heads()) {
    heads[source] = [sequence, hash]
    size += 1
    if (size < PAGE_SOURCES) continue
    yield { heads }
    heads = {}
    size = 0
  }
  if (size > 0) yield { heads }
}

/** Read such a frame from a peer; undefined when it is malformed. */
export function parseHeads(frame: object): Map<Source, Head> | undefined {
  const { heads, ...rest } = frame as Record<string, unknown>
  if (Object.keys(rest).length > 0 || typeof heads !== 'object' || heads === null) return undefined
  const entries = Object.entries(heads)
  // Of nothing there is nothing to tell.
  if (entries.length === 0) return undefined
  const parsed = new Map<Source, Head>()
  for (const [source, head] of entries) {
    if (!isSource(source) || !Array.isArray(head) || head.length !== 2) return undefined
    const [sequence, hash] = head as unknown[]
    if (!isSequence(sequence) || typeof hash !== 'string' || hash.length > 64) return undefined
    parsed.set(source, { sequence, hash })
  }
  return parsed
}
