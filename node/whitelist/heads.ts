import { isSource, MAX_SOURCES, type Source } from '../identity/names.ts'
import { isSequence, type Head } from './change.ts'
import type { Whitelist } from './whitelist.ts'

/** Sources that are told: with the longest names that is half of the longest line. */
const MAX_TOLD = 8_192

/**
 * The frame that tells a peer the newest entry of each source, by hash: equal clocks are not yet
 * equal lists (PROTOCOL.md, "Equivocation"). Of very many sources those that are known the longest
 * are left out.
 */
export function headsFrame(whitelist: Pick<Whitelist, 'heads'>): {
  heads: Record<string, [number, string]>
} {
  const heads = Array.from(whitelist.heads(), ([source, { sequence, hash }]) => [
    source,
    [sequence, hash],
  ]).slice(-MAX_TOLD)
  return { heads: Object.fromEntries(heads) as Record<string, [number, string]> }
}

/** Read such a frame from a peer; undefined when it is malformed. */
export function parseHeads(frame: object): Map<Source, Head> | undefined {
  const { heads, ...rest } = frame as Record<string, unknown>
  if (Object.keys(rest).length > 0 || typeof heads !== 'object' || heads === null) return undefined
  const entries = Object.entries(heads)
  if (entries.length > MAX_SOURCES) return undefined
  const parsed = new Map<Source, Head>()
  for (const [source, head] of entries) {
    if (!isSource(source) || !Array.isArray(head) || head.length !== 2) return undefined
    const [sequence, hash] = head as unknown[]
    if (!isSequence(sequence) || typeof hash !== 'string' || hash.length > 64) return undefined
    parsed.set(source, { sequence, hash })
  }
  return parsed
}
