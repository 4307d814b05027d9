import { HOUR_MS, MINUTE_MS } from '../../node/history/bucket.ts'
import type { Span } from '../../node/history/reader.ts'
import type { Zone } from '../zone.ts'

const DAY_MS = 24 * HOUR_MS

/** Distances between marks of a time axis, ms; beyond them months of about as many days. */
const TIME_STEPS = [
  ...[1, 5, 15, 30].map(minutes => minutes * MINUTE_MS),
  ...[1, 3, 6, 12].map(hours => hours * HOUR_MS),
  ...[1, 2, 7, 14, 30, 91, 365].map(days => days * DAY_MS),
]

/** A mark of an axis. */
export interface Mark {
  readonly value: number
  readonly label: string
}

/** At most so many marks of a time axis, each at a full step of the clock on the wall. */
export function timeMarks({ from, to }: Span, most: number, zone: Zone): Mark[] {
  const step = TIME_STEPS.find(ms => (to - from) / ms <= most) ?? TIME_STEPS.at(-1) ?? DAY_MS
  const marks: Mark[] = []
  for (let wall = Math.ceil(zone.wallOf(from) / step) * step; ; wall += step) {
    const value = zone.momentOf(wall)
    if (value > to) return marks
    // Where clocks are set forward, a step of the clock may not be.
    if (zone.wallOf(value) === wall) marks.push({ value, label: timeLabel(wall, step) })
  }
}

/** @param wall what the clock on the wall shows, as the milliseconds of one of UTC */
function timeLabel(wall: number, step: number): string {
  const time = new Date(wall)
  const isDate = step >= DAY_MS || wall % DAY_MS === 0
  if (!isDate) return time.toISOString().slice(11, 16)
  return time.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })
}

/** Marks of 1, 2 or 5 by a power of ten, so that a few lie between two values. */
export function valueMarks(low: number, high: number, most: number): Mark[] {
  const rough = (high - low) / most
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map(factor => factor * power).find(one => one >= rough) ?? rough
  const digits = Math.max(0, -Math.floor(Math.log10(step)))
  const marks: Mark[] = []
  for (let index = Math.ceil(low / step); index * step <= high; index += 1) {
    marks.push({ value: index * step, label: (index * step).toFixed(digits) })
  }
  return marks
}
