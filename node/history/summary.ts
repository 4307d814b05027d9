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
export function gapsIn(span: Span, stretches: readonly Span[], now: number): Span[] {
  const gaps = restOf(span, stretches)
  const last = gaps.at(-1)
  const isWritten = last?.to !== span.to || last.from < now - WRITTEN_WITHIN_MS
  return isWritten ? gaps : gaps.slice(0, -1)
}

/** The parts of a span that none of others covers. @param others in order of their beginnings */
export function restOf({ from, to }: Span, others: readonly Span[]): Span[] {
  const rest: Span[] = []
  let until = from
  for (const other of others) {
    const end = Math.min(other.from, to)
    if (end > until) rest.push({ from: until, to: end })
    until = Math.max(until, other.to)
  }
  if (until < to) rest.push({ from: until, to })
  return rest
}

/** A time for which nothing was known of a sensor though the node was recording. */
export interface Outage extends Span {
  readonly reason: string
}

/** Where nothing has been heard of a sensor since its node began to record. */
const NOT_HEARD = 'nothing was heard of it yet'

/**
 * The outages that events tell, in order; one that goes on ends with the span. What was not recorded
 * is a gap and no outage.
 * @param first the first bucket of the span: it tells of an outage that began before it
 */
export function outagesIn(
  { from, to }: Span,
  events: readonly RecordedEvent[],
  { gaps, first }: { readonly gaps: readonly Span[]; readonly first: Bucket | undefined },
): Outage[] {
  const outages: Outage[] = []
  const isSilent = first !== undefined && isSilentThroughout(first)
  let since: Omit<Outage, 'to'> | undefined = isSilent
    ? { from, reason: 'since before that' }
    : undefined
  for (const { type, at, detail } of events) {
    if (isAlarmType(type) || type === 'clock' || type === 'overrun') continue
    if (type === 'unavailable' && since?.reason !== NOT_HEARD) {
      since ??= { from: at, reason: detail }
      continue
    }
    // Whatever else it says, and whatever stops the node, it is over.
    if (since !== undefined) outages.push({ ...since, to: at })
    since = undefined
    if (type === 'unavailable') since = { from: at, reason: detail }
    if (type === 'started') since = { from: at, reason: NOT_HEARD }
  }
  if (since !== undefined) outages.push({ ...since, to })
  return outages.flatMap(({ reason, ...span }) =>
    restOf(span, gaps).map(part => ({ ...part, reason })),
  )
}

function isSilentThroughout({ recordedMs, unavailableMs, count }: Bucket): boolean {
  return recordedMs > 0 && unavailableMs >= recordedMs && count === 0
}
