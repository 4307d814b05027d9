import { readFileSync } from 'node:fs'

/** The version of this fridge, from the nearest package.json: above `node/`, or above `dist/`. */
export const VERSION: string = readVersion(['../../package.json', '../../../package.json'])

function readVersion(places: readonly string[]): string {
  for (const place of places) {
    try {
      const manifest: unknown = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8'))
      if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) {
        return String(manifest.version)
      }
    } catch {
      // Not there: the next place.
    }
  }
  return 'unknown'
}
