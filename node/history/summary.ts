import type { Bucket } from './bucket.ts'
import type { Span } from './reader.ts'
import { isAlarmType, type RecordedEvent } from './seal.ts'

/** An extreme, and the minute or hour in which it was read. */
export interface Extreme {
  readonly value: number
  readonly at: number
}

/** What a sensor said over a span of time. */
export interface Summary {
  readonly recordedMs: number
  readonly unavailableMs: number
  /** Of a kind that measures; undefined where there was no reading. */
  readonly readings: number
  readonly lowest: Extreme | undefined
  readonly highest: Extreme | undefined
  readonly mean: number | undefined
  /** Mean kinetic temperature, °C, of readings in °C. */
  readonly kineticMean: number | undefined
  /** Of a kind with states. */
  readonly openings: number
  readonly openMs: number
}

/** ΔH/R, in kelvin: activation energy 83.144 kJ/mol by the gas constant (USP chapter 1079.2). */
const ACTIVATION_K = 10_000
const ZERO_CELSIUS_K = 273.15

/** Sum up buckets, whatever length they have. */
export function summarize(buckets: Iterable<Bucket>): Summary {
  let [recordedMs, unavailableMs, readings, sum, openings, openMs] = [0, 0, 0, 0, 0, 0]
  let [heat, weight] = [0, 0]
  let lowest: Extreme | undefined
  let highest: Extreme | undefined
  for (const bucket of buckets) {
    recordedMs += bucket.recordedMs
    unavailableMs += bucket.unavailableMs
    openings += bucket.openings
    openMs += bucket.openMs
    const { start, count, low, high } = bucket
    if (count === 0 || low === undefined || high === undefined) continue
    readings += count
    sum += bucket.sum
    if (lowest === undefined || low < lowest.value) lowest = { value: low, at: start }
    if (highest === undefined || high > highest.value) highest = { value: high, at: start }
    const kelvin = bucket.sum / count + ZERO_CELSIUS_K
    heat += count * Math.exp(-ACTIVATION_K / kelvin)
    weight += count
  }
  return {
    recordedMs,
    unavailableMs,
    readings,
    lowest,
    highest,
    mean: readings === 0 ? undefined : sum / readings,
    kineticMean:
      weight === 0 ? undefined : ACTIVATION_K / -Math.log(heat / weight) - ZERO_CELSIUS_K,
    openings,
    openMs,
  }
}

/** A node that runs writes the sums of a minute at its end at the latest, and may take a moment. */
const WRITTEN_WITHIN_MS = 62_000

/**
 * The parts of a span in which nothing was recorded.
 * @param now what a node records now may be written a little later, and is no gap
 */
export function gapsIn({ from, to }: Span, stretches: readonly Span[], now: number): Span[] {
  const gaps: Span[] = []
  let until = from
  for (const stretch of stretches) {
    if (stretch.from > until) gaps.push({ from: until, to: Math.min(stretch.from, to) })
    until = Math.max(until, stretch.to)
  }
  if (until < Math.min(to, now - WRITTEN_WITHIN_MS)) gaps.push({ from: until, to })
  return gaps
}

/** A time for which nothing was known of a sensor though the node was recording. */
export interface Outage extends Span {
  readonly reason: string
}

/** The outages that events tell, in order; one that goes on ends with the span. */
export function outagesIn({ to }: Span, events: Iterable<RecordedEvent>): Outage[] {
  const outages: Outage[] = []
  let since: { from: number; reason: string } | undefined
  for (const { type, at, detail } of events) {
    if (isAlarmType(type) || type === 'clock' || type === 'overrun') continue
    if (type === 'unavailable') since ??= { from: at, reason: detail }
    // Whatever else it says, and whatever stops the node, it is over.
    else if (since !== undefined) {
      outages.push({ ...since, to: at })
      since = undefined
    }
  }
  if (since !== undefined) outages.push({ ...since, to })
  return outages
}
