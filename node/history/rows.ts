import type { SQLOutputValue } from 'node:sqlite'
import type { Bucket } from './bucket.ts'
import type { EventType, RecordedCommand } from './seal.ts'
import type { EventRow } from './store.ts'

/** A row as SQLite gives it; the tables are STRICT, so that each column has its type. */
export type Row = Readonly<Record<string, SQLOutputValue>>

export function eventOf({ number, at, sensor, type, detail }: Row): EventRow {
  return {
    number: Number(number),
    at: Number(at),
    sensor: sensor === null ? undefined : Number(sensor),
    type: type as EventType,
    detail: String(detail),
  }
}

export function commandOf({ number, at, subject, command, outcome }: Row): RecordedCommand {
  return {
    number: Number(number),
    at: Number(at),
    subject: String(subject),
    command: String(command),
    outcome: String(outcome),
  }
}

/** The columns of a bucket, in the order in which `bucketOf` reads them. */
export const BUCKET_COLUMNS =
  'recordedMs, unavailableMs, count, low, high, sum, openings, openMs' as const

/** A bucket from a row of arrays: years of hours are read so, which takes half the time of names. */
export function bucketOf(start: number, row: readonly SQLOutputValue[], from: number): Bucket {
  return {
    start,
    recordedMs: row[from] as number,
    unavailableMs: row[from + 1] as number,
    count: row[from + 2] as number,
    low: (row[from + 3] as number | null) ?? undefined,
    high: (row[from + 4] as number | null) ?? undefined,
    sum: row[from + 5] as number,
    openings: row[from + 6] as number,
    openMs: row[from + 7] as number,
  }
}
