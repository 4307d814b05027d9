import { HOUR_MS, MINUTE_MS, startOf, type Bucket } from '../../node/history/bucket.ts'
import { excursionsOf, type Excursion, type Limit, type Sample } from '../../node/history/limits.ts'
import {
  bucketIn,
  eventIn,
  historyRows,
  readingIn,
  type AskHistory,
} from '../../node/history/page.ts'
import type { Span } from '../../node/history/reader.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { formatDuration } from '../duration.ts'
import type { Zone } from '../zone.ts'

/** What limits were passed for, by the finest that is kept of each time. */
export interface Passed {
  /** Those that lasted for longer than they may. */
  readonly excursions: readonly Excursion[]
  /** How long any limit was passed in all, however briefly, in milliseconds. */
  readonly passedMs: number
}

export interface ExcursionsRequest {
  readonly sensor: string
  readonly span: Span
  readonly zone: Zone
  readonly limits: readonly Limit[]
}

type Minute = Sample & Pick<Bucket, 'count'>

/** Sums of one length, and the moment from which on something finer is kept. */
interface Coarse {
  readonly samples: readonly Sample[]
  readonly lengthMs: number
  readonly name: string
  readonly until: number
}

/** Readings that came too fast are counted in the sums of the second before the note, and not kept. */
const OVERRUN_MS = 2_000

/**
 * Find out for how long limits were passed: from readings where they are kept, else from minutes,
 * and before those from hours.
 * @throws FridgeError `ERR_USAGE` where a limit may be passed for less time than what is kept tells
 */
export async function readExcursions(
  ask: AskHistory,
  { sensor, span, zone, limits }: ExcursionsRequest,
): Promise<Passed> {
  if (limits.length === 0) return { excursions: [], passedMs: 0 }
  const request = { sensor, ...span }
  const readings = await Array.fromAsync(historyRows(ask, { ...request, table: 'readings' }), row =>
    readingIn(row),
  )
  const fromReadings = readings.reduce((first, { at }) => Math.min(first, at), span.to)
  const minutes: Minute[] = []
  for await (const row of historyRows(ask, { ...request, table: 'minutes' })) {
    const { start, low, high, count } = bucketIn(row)
    minutes.push({ start, low, high, count })
  }
  const fromMinutes = Math.min(fromReadings, minutes[0]?.start ?? span.to)
  const hours: Sample[] = []
  if (span.from < fromMinutes) {
    const before = { sensor, from: span.from, to: fromMinutes }
    for await (const row of historyRows(ask, { ...before, table: 'hours' }))
      hours.push(bucketIn(row))
  }
  const coarse: Coarse[] = [
    { samples: hours, lengthMs: HOUR_MS, name: 'hours', until: fromMinutes },
    { samples: minutes, lengthMs: MINUTE_MS, name: 'minutes', until: fromReadings },
  ].map(one => ({ ...one, samples: samplesBefore(one) }))
  for (const one of coarse) refuseFiner(limits, one, zone)
  const partly = await readOverruns(ask, { sensor, span })
  const first = startOf(fromReadings, MINUTE_MS)
  const inFirst = readings.filter(({ at }) => startOf(at, MINUTE_MS) === first).length
  // Old readings are removed a few at a time.
  if (minutes.some(({ start, count }) => start === first && count > inFirst)) partly.add(first)
  const samples = [
    ...coarse.flatMap(one => one.samples),
    ...minutes.filter(({ start }) => start + MINUTE_MS > fromReadings && partly.has(start)),
    ...readings
      .filter(({ at }) => !partly.has(startOf(at, MINUTE_MS)))
      .map(({ at, value }): Sample => ({ start: at, low: value, high: value })),
  ].sort((a, b) => a.start - b.start)
  const passed = limits.map(limit => ({ ...limit, forMs: 0 }))
  return {
    excursions: excursionsOf(samples, limits, span.to),
    passedMs: excursionsOf(samples, passed, span.to).reduce(
      (sum, { since, until = span.to }) => sum + until - since,
      0,
    ),
  }
}

/** Those in which something was read, and of which nothing finer is kept. */
function samplesBefore({ samples, lengthMs, until }: Coarse): Sample[] {
  return samples.filter(({ start, low }) => low !== undefined && start + lengthMs <= until)
}

/** A minute that is above a limit says nothing of ten seconds. */
function refuseFiner(
  limits: readonly Limit[],
  { samples, lengthMs, name, until }: Coarse,
  zone: Zone,
): void {
  const finer = limits.find(({ forMs }) => forMs > 0 && forMs < lengthMs)
  if (finer === undefined || samples.length === 0) return
  const { side, forMs } = finer
  throw new FridgeError(
    'ERR_USAGE',
    `a ${side} limit for ${formatDuration(forMs)} cannot be looked for before ${zone.minute(until)}: of that time only ${name} are kept`,
    {
      fix: `look from then on, --from ${zone.iso(until)}, or allow ${formatDuration(lengthMs)} or more`,
    },
  )
}

/** The minutes in which readings were counted and not kept. */
async function readOverruns(
  ask: AskHistory,
  { sensor, span }: Pick<ExcursionsRequest, 'sensor' | 'span'>,
): Promise<Set<number>> {
  const minutes = new Set<number>()
  for await (const row of historyRows(ask, { sensor, table: 'events', ...span })) {
    const { type, at } = eventIn(row)
    if (type !== 'overrun') continue
    minutes.add(startOf(at, MINUTE_MS)).add(startOf(at - OVERRUN_MS, MINUTE_MS))
  }
  return minutes
}
