import { FridgeError } from '../node/lib/errors.ts'
import { MAX_TIME } from '../node/sensors/kinds.ts'
import { parseDuration } from './duration.ts'
import { UTC, type Zone } from './zone.ts'

const MOMENT =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:\d{2})?)?$/
const DAY_MS = 86_400_000

/**
 * Read a moment: `2026-03-01`, `2026-03-01T08:30`, with seconds and an offset if wanted, or a duration
 * before now: `8h`, `30d`.
 * @param zone that of a moment without an offset: the one in which moments are printed. Default UTC
 * @returns wall-clock milliseconds
 * @throws FridgeError `ERR_USAGE`
 */
export function parseMoment(text: string, now: number, zone: Zone = UTC): number {
  if (/^\d+[smhd]$/.test(text)) return now - parseDuration(text)
  const [, day = '', time = '00:00', offset] = MOMENT.exec(text) ?? []
  const midnight = Date.parse(`${day}T00:00Z`)
  const moment = Date.parse(`${day}T${time}${offset ?? 'Z'}`)
  // The 30th of February must not become the 2nd of March.
  const isReal = !Number.isNaN(moment) && new Date(midnight).toISOString().startsWith(day)
  if (isReal && Math.abs(moment - midnight) < 3 * DAY_MS) {
    return offset === undefined ? zone.momentOf(moment) : moment
  }
  throw new FridgeError('ERR_USAGE', `${JSON.stringify(text)} is neither a moment nor a duration`, {
    fix: 'write 2026-03-01, 2026-03-01T08:30Z, or how long ago: 90s, 15m, 8h, 30d',
  })
}

/**
 * A moment for a person, in UTC: `2026-03-01T08:30:00.000Z`. A time that somebody made up may be one
 * that no `Date` can be.
 * @param at milliseconds since 1970
 */
export function formatMoment(at: number): string {
  return Math.abs(at) <= MAX_TIME ? new Date(at).toISOString() : String(at)
}

/** ` at 2026-03-01T08:30:00.000Z`, behind what somebody did; nothing for a time that no calendar has. */
export function atMoment(at: number): string {
  return Math.abs(at) <= MAX_TIME ? ` at ${formatMoment(at)}` : ''
}

/** The time of day of a moment, in UTC: `08:30:00.000`. */
export function formatTimeOfDay(at: number): string {
  return Math.abs(at) <= MAX_TIME ? new Date(at).toISOString().slice(-13, -1) : String(at)
}
