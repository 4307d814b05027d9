import { FridgeError } from '../node/lib/errors.ts'
import { readDuration } from '../node/lib/duration.ts'

export { formatDuration, formatRemaining, MAX_DURATION_MS } from '../node/lib/duration.ts'

/**
 * Read `90s`, `15m`, `8h` or `30d`.
 * @returns milliseconds, 1000 or more
 * @throws FridgeError `ERR_USAGE` for anything else, nothing, and more than a hundred years
 */
export function parseDuration(text: string): number {
  const ms = readDuration(text)
  if (ms !== undefined) return ms
  throw new FridgeError('ERR_USAGE', `${JSON.stringify(text)} is not a duration`, {
    fix: 'write a number and its unit: 90s, 15m, 8h or 30d',
  })
}
