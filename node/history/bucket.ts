/** The lengths of time over which readings are summed up, in milliseconds. */
export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000

/** What a sensor said in a minute or an hour. */
export interface Bucket {
  /** The first moment of the minute or hour, in milliseconds since 1970. */
  readonly start: number
  /** How long the node was recording, in milliseconds: less than the whole where there is a gap. */
  recordedMs: number
  /** For how much of that time nothing was known of the sensor, in milliseconds. */
  unavailableMs: number
  /** Of a kind that measures: how many readings, their lowest, highest and sum, in their unit. */
  count: number
  low: number | undefined
  high: number | undefined
  sum: number
  /** Of a kind with states: how often it was opened, and for how long it was seen open, in ms. */
  openings: number
  openMs: number
}

export function emptyBucket(start: number): Bucket {
  return {
    start,
    recordedMs: 0,
    unavailableMs: 0,
    count: 0,
    low: undefined,
    high: undefined,
    sum: 0,
    openings: 0,
    openMs: 0,
  }
}

/** Count a reading. */
export function addReading(bucket: Bucket, value: number): void {
  bucket.count += 1
  bucket.sum += value
  if (bucket.low === undefined || value < bucket.low) bucket.low = value
  if (bucket.high === undefined || value > bucket.high) bucket.high = value
}

/** Add to a bucket what another one holds: minutes to their hour, or two parts of one minute. */
export function addBucket(bucket: Bucket, other: Omit<Bucket, 'start'>): void {
  bucket.recordedMs += other.recordedMs
  bucket.unavailableMs += other.unavailableMs
  bucket.count += other.count
  bucket.sum += other.sum
  bucket.openings += other.openings
  bucket.openMs += other.openMs
  if (other.low !== undefined && (bucket.low === undefined || other.low < bucket.low)) {
    bucket.low = other.low
  }
  if (other.high !== undefined && (bucket.high === undefined || other.high > bucket.high)) {
    bucket.high = other.high
  }
}

/** The mean of the readings; undefined where there are none. */
export function meanOf({ count, sum }: Pick<Bucket, 'count' | 'sum'>): number | undefined {
  return count === 0 ? undefined : sum / count
}

/** The first moment of the minute or hour in which a moment lies. */
export function startOf(moment: number, lengthMs: number): number {
  return Math.floor(moment / lengthMs) * lengthMs
}
