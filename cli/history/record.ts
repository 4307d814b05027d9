import { HOUR_MS, MINUTE_MS, type Bucket } from '../../node/history/bucket.ts'
import type { Limit } from '../../node/history/limits.ts'
import {
  bucketIn,
  eventIn,
  historyRows,
  spanIn,
  type AskHistory,
  type HistoryTable,
} from '../../node/history/page.ts'
import type { Span } from '../../node/history/reader.ts'
import type { RecordedEvent } from '../../node/history/seal.ts'
import {
  gapsIn,
  outagesIn,
  summarize,
  type Outage,
  type Summary,
} from '../../node/history/summary.ts'
import { isHourDigest } from '../../node/history/verify.ts'
import { errorCode } from '../../node/lib/errors.ts'
import type { SensorKind } from '../../node/sensors/kinds.ts'
import type { Alarm } from '../../node/alarms/alarm.ts'
import type { Zone } from '../zone.ts'
import { noteExcursions, readAlarms, type NotedExcursion } from './alarms.ts'
import { readExcursions } from './excursions.ts'
import { checkLimits, MAX_BY_MINUTES_MS } from './options.ts'
import { readKind, type HistorySource } from './source.ts'

/** All of a span that a page or a plot shows of a sensor. */
export interface SensorRecord {
  readonly node: string | undefined
  readonly sensor: string
  readonly kind: SensorKind
  readonly span: Span
  /** In which its moments are told. */
  readonly zone: Zone
  /** Whether `buckets` are minutes or hours, in milliseconds. */
  readonly lengthMs: number
  readonly buckets: readonly Bucket[]
  readonly summary: Summary
  readonly limits: readonly Limit[]
  readonly excursions: readonly NotedExcursion[]
  /** How long any limit was passed in all, however briefly, in milliseconds. */
  readonly passedMs: number
  /** Those of the node's own rules that stood in the span. */
  readonly alarms: readonly Alarm[]
  readonly events: readonly RecordedEvent[]
  readonly outages: readonly Outage[]
  readonly gaps: readonly Span[]
  /** The door of the same node, where it has one that may be read. */
  readonly door: DoorRecord | undefined
  /** The last signed hour of the span. */
  readonly signed: { readonly begin: number; readonly digest: string } | undefined
}

export interface DoorRecord {
  readonly sensor: string
  readonly openings: number
  readonly openMs: number
  /** For how long it was known whether it was open. */
  readonly knownMs: number
  readonly moves: readonly RecordedEvent[]
}

export interface RecordRequest {
  readonly sensor: string
  readonly span: Span
  readonly zone: Zone
  readonly now: number
  readonly limits: readonly Limit[]
  /** The name of the preset that they are of, where they are. */
  readonly preset: string | undefined
  /** The door to show beside it. */
  readonly door: string
}

/** Read all of a span that a page or a plot shows. */
export async function readRecord(
  source: Pick<HistorySource, 'node' | 'ask' | 'sensors'>,
  { sensor, span, zone, now, limits, preset, door }: RecordRequest,
): Promise<SensorRecord> {
  const { node, ask } = source
  const rows = async <Item>(table: HistoryTable, read: (row: never) => Item): Promise<Item[]> =>
    Array.fromAsync(historyRows(ask, { sensor, table, ...span }), row => read(row as never))
  const kind = await readKind(source, sensor, span)
  checkLimits(limits, preset, { sensor, kind })
  const lengthMs = span.to - span.from <= MAX_BY_MINUTES_MS ? MINUTE_MS : HOUR_MS
  const table = lengthMs === MINUTE_MS ? 'minutes' : 'hours'
  const buckets = await rows(table, bucketIn)
  const events = await rows('events', eventIn)
  const gaps = gapsIn(span, await rows('stretches', spanIn), now)
  const alarms = await readAlarms(ask, { node, sensor, kind }, { span, now })
  const passed = await readExcursions(ask, { sensor, span, zone, limits })
  const [signed] = await rows('signed', ([, begin, , digest]: readonly unknown[]) => ({
    begin: Number(begin),
    digest: String(digest),
  }))
  return {
    node,
    sensor,
    kind,
    span,
    zone,
    lengthMs,
    buckets,
    summary: summarize(buckets),
    limits,
    excursions: noteExcursions(passed.excursions, alarms),
    passedMs: passed.passedMs,
    alarms,
    events,
    outages: outagesIn(span, events, { gaps, first: buckets[0] }),
    gaps,
    door: door === sensor ? undefined : await readDoor(ask, { sensor: door, table, span }),
    // It is shown within a command that a person copies.
    signed: signed !== undefined && isHourDigest(signed.digest) ? signed : undefined,
  }
}

/** What the door of the same node did; undefined where it has none that may be read. */
export async function readDoor(
  ask: AskHistory,
  { sensor, table, span }: { sensor: string; table: 'minutes' | 'hours'; span: Span },
): Promise<DoorRecord | undefined> {
  try {
    const buckets = historyRows(ask, { sensor, table, ...span })
    const summary = summarize(await Array.fromAsync(buckets, bucketIn))
    const { openings, openMs, recordedMs, unavailableMs } = summary
    const events = historyRows(ask, { sensor, table: 'events', ...span })
    const moves = (await Array.fromAsync(events, eventIn)).filter(({ type }) => type === 'open')
    return { sensor, openings, openMs, knownMs: recordedMs - unavailableMs, moves }
  } catch (error) {
    // A node without a door, or one that this client may not read: then nothing is said of it.
    if (errorCode(error) === 'ERR_COMMAND' || errorCode(error) === 'ERR_REFUSED') return undefined
    throw error
  }
}
