import type { Source } from '../identity/names.ts'
import type { Place } from '../whitelist/change.ts'

/**
 * How far the sources that a log heard last have come, the latest last: what a node that starts
 * holds of them, it has applied.
 * @param newestFirst the places of the log
 * @param maxSources how many sources are told at most
 * @param maxScanned how many places are looked at
 */
export function latestPlaces(
  newestFirst: Iterable<Place>,
  maxSources: number,
  maxScanned: number,
): Readonly<Record<Source, number>> {
  const latest = new Map<Source, number>()
  let scanned = 0
  for (const { source, sequence } of newestFirst) {
    if (!latest.has(source)) latest.set(source, sequence)
    scanned += 1
    if (latest.size >= maxSources || scanned >= maxScanned) break
  }
  return Object.fromEntries([...latest].reverse()) as Record<Source, number>
}
