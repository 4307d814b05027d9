import { HOUR_MS, MINUTE_MS, startOf, type Bucket } from '../../node/history/bucket.ts'
import {
  excursionsOf,
  isPast,
  type Excursion,
  type Limit,
  type Sample,
} from '../../node/history/limits.ts'
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

type SensorSpan = Pick<ExcursionsRequest, 'sensor' | 'span'>

type Minute = Sample & Pick<Bucket, 'count'>

/** Sums of which nothing finer is kept. */
interface Coarse {
  readonly samples: readonly Sample[]
  readonly lengthMs: number
  readonly name: string
  /** From when on something finer is kept. */
  readonly until: number
}

/** What readings tell of a part of a span. */
interface Fine extends Span {
  readonly samples: readonly Sample[]
  /** Minutes that tell more than the readings in them that are kept, by their starts. */
  readonly partly: ReadonlySet<number>
}

/** Readings that came too fast are counted in the sums of the second before the note, and not kept. */
const OVERRUN_MS = 2_000

/** A reading may come in, and be summed up, so long after it was taken. */
const LATE_MS = HOUR_MS

/**
 * Find out for how long limits were passed: from readings where they are kept, else from minutes,
 * and before those from hours.
 * @throws FridgeError `ERR_USAGE` where one was passed that may be for less time than is told apart
 */
export async function readExcursions(
  ask: AskHistory,
  { sensor, span, zone, limits }: ExcursionsRequest,
): Promise<Passed> {
  if (limits.length === 0) return { excursions: [], passedMs: 0 }
  const minutes = await readMinutes(ask, { sensor, span })
  const hours = await readHoursBefore(ask, { sensor, span }, minutes[0]?.start ?? span.to)
  const passing = minutes.filter(minute => limits.some(limit => isPast(limit, minute)))
  const fine = await readFine(ask, { sensor, span }, passing)
  const isFine = ({ start }: Sample): boolean =>
    start + MINUTE_MS > fine.from && start < fine.to && !fine.partly.has(start)
  const coarse = minutes.filter(minute => !isFine(minute))
  const former = coarse.filter(({ start }) => start < fine.from && !fine.partly.has(start))
  refuseFiner(limits, hours, zone)
  const ofMinutes = { samples: former, lengthMs: MINUTE_MS, name: 'minutes', until: fine.from }
  refuseFiner(limits, ofMinutes, zone)
  const samples = [...hours.samples, ...coarse, ...fine.samples]
  samples.sort((a, b) => a.start - b.start)
  const brief = limits.map(limit => ({ ...limit, forMs: 0 }))
  return {
    excursions: excursionsOf(samples, limits, span.to),
    passedMs: excursionsOf(samples, brief, span.to).reduce(
      (sum, { since, until = span.to }) => sum + until - since,
      0,
    ),
  }
}

/** Without what nobody looks at: a year has half a million. */
async function readMinutes(ask: AskHistory, { sensor, span }: SensorSpan): Promise<Minute[]> {
  const minutes: Minute[] = []
  for await (const row of historyRows(ask, { sensor, table: 'minutes', ...span })) {
    const { start, low, high, count } = bucketIn(row)
    if (count > 0) minutes.push({ start, low, high, count })
  }
  return minutes
}

async function readHoursBefore(
  ask: AskHistory,
  { sensor, span }: SensorSpan,
  until: number,
): Promise<Coarse> {
  const request = { sensor, table: 'hours', from: span.from, to: until } as const
  const hours = span.from < until ? await Array.fromAsync(historyRows(ask, request), bucketIn) : []
  const samples = hours.filter(({ start }) => start + HOUR_MS <= until)
  return { samples, lengthMs: HOUR_MS, name: 'hours', until }
}

/** Where no minute tells of a limit that was passed no reading does: there is no need to ask for all. */
async function readFine(
  ask: AskHistory,
  { sensor, span }: SensorSpan,
  passing: readonly Minute[],
): Promise<Fine> {
  const [first, last] = [passing[0], passing.at(-1)]
  if (first === undefined || last === undefined) {
    return { from: span.to, to: span.to, samples: [], partly: new Set() }
  }
  const from = Math.max(span.from, first.start - LATE_MS)
  const to = Math.min(span.to, last.start + MINUTE_MS + LATE_MS)
  const request = { sensor, from, to }
  const rows = historyRows(ask, { ...request, table: 'readings' })
  const readings = await Array.fromAsync(rows, readingIn)
  const begin = readings.reduce((least, { at }) => Math.min(least, at), to)
  const partly = await readOverruns(ask, { sensor, span: { from, to } })
  // Old readings are removed a few at a time.
  const under = startOf(begin, MINUTE_MS)
  const kept = readings.filter(({ at }) => startOf(at, MINUTE_MS) === under).length
  if (passing.some(({ start, count }) => start === under && count > kept)) partly.add(under)
  const samples = readings
    .filter(({ at }) => !partly.has(startOf(at, MINUTE_MS)))
    .map(({ at, value }) => ({ start: at, low: value, high: value }))
  return { from: begin, to, samples, partly }
}

/** The minutes in which readings were counted and not kept. */
async function readOverruns(ask: AskHistory, { sensor, span }: SensorSpan): Promise<Set<number>> {
  const minutes = new Set<number>()
  for await (const row of historyRows(ask, { sensor, table: 'events', ...span })) {
    const { type, at } = eventIn(row)
    if (type !== 'overrun') continue
    minutes.add(startOf(at, MINUTE_MS)).add(startOf(at - OVERRUN_MS, MINUTE_MS))
  }
  return minutes
}

/** A minute in which a limit was passed says nothing of ten seconds. */
function refuseFiner(
  limits: readonly Limit[],
  { samples, lengthMs, name, until }: Coarse,
  zone: Zone,
): void {
  for (const limit of limits) {
    const { side, forMs } = limit
    const isFiner = forMs > 0 && forMs < lengthMs
    if (!isFiner || !samples.some(sample => isPast(limit, sample))) continue
    throw new FridgeError(
      'ERR_USAGE',
      `whether the ${side} limit was passed for ${formatDuration(forMs)} is not known before ${zone.minute(until)}: of that time only ${name} are kept`,
      {
        fix: `look from then on, --from ${zone.iso(until)}, or allow ${formatDuration(lengthMs)} or more`,
      },
    )
  }
}
