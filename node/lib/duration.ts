const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

/** A hundred years. What is longer is a mistake in typing. */
export const MAX_DURATION_MS = 36_500 * 86_400_000

const DURATION = /^(\d{1,10})([smhd])$/

/**
 * Read `90s`, `15m`, `8h` or `30d`.
 * @returns milliseconds, 1000 or more; undefined for anything else, nothing, and more than a
 *   hundred years
 */
export function readDuration(text: string): number | undefined {
  const [, count, unit] = DURATION.exec(text) ?? []
  const unitMs = UNITS.find(([letter]) => letter === unit)?.[1]
  const ms = unitMs === undefined ? 0 : Number(count) * unitMs
  return ms > 0 && ms <= MAX_DURATION_MS ? ms : undefined
}

/**
 * How long it is until something, for a person, in the two greatest units. Rounded up: an end in
 * `8h` that was given a moment ago is told as `8h`, and not as `7h 59m`.
 * @param ms 0 or more
 */
export function formatRemaining(ms: number): string {
  const seconds = Math.ceil(ms / 1000) * 1000
  const greatest = UNITS.findIndex(([, unitMs]) => unitMs <= seconds)
  const [, lastMs] = UNITS[greatest + 1] ?? ['s', 1000]
  return formatDuration(Math.ceil(seconds / lastMs) * lastMs)
}

/**
 * How long something lasted, for a person, in the two greatest units: `340ms`, `8h`, `1m 30s`, `2d 4h`.
 * @param ms 0 or more; what is below the second unit is cut off
 */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.floor(ms)}ms`
  const parts: string[] = []
  let left = ms
  for (const [letter, unitMs] of UNITS) {
    const count = Math.floor(left / unitMs)
    left -= count * unitMs
    // Two units that stand side by side: `2d 4h`, not `2d 3s`.
    if (count > 0) parts.push(`${count}${letter}`)
    else if (parts.length > 0) break
    if (parts.length === 2) break
  }
  return parts.join(' ')
}
