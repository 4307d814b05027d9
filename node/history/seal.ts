import { createHash, hash, type Hash } from 'node:crypto'
import { MINUTE_MS, type Bucket } from './bucket.ts'

/** One hour of one sensor, with what its readings and minutes come to. */
export interface SensorHour {
  readonly name: string
  readonly kind: string
  readonly bucket: Bucket
  /** Hashes, base64url. */
  readonly readings: string
  readonly minutes: string
}

/** An hour that is over (PROTOCOL.md, "History"). */
export interface Hour {
  readonly node: string
  /** Counts hours, from 1 up without holes. */
  readonly position: number
  /** First and last moment, in milliseconds since 1970. */
  readonly begin: number
  readonly end: number
  /** The numbers of what came in meanwhile; `last` is `first - 1` where nothing did. */
  readonly first: number
  readonly last: number
  /** The first hours whose readings, and whose minutes, are to be kept still. */
  readonly readingsFrom: number
  readonly minutesFrom: number
  /** Hashes, base64url. */
  readonly events: string
  readonly commands: string
  /** In the order in which the history first knew them. */
  readonly sensors: readonly SensorHour[]
}

/** What was said by a sensor other than a reading, or befell the node. */
export interface RecordedEvent {
  readonly number: number
  readonly at: number
  /** Undefined for the node. */
  readonly sensor: string | undefined
  readonly type: EventType
  /**
   * Why it is unavailable or why it began; of `clock` what the clock said before; of an alarm the
   * alarm, as JSON.
   */
  readonly detail: string
}

/** What became of an alarm. */
export const ALARM_TYPES = ['raised', 'over', 'acknowledged'] as const

/** Events that are kept beside readings. */
export const RECORDED_TYPES = [
  'open',
  'close',
  'unavailable',
  'available',
  'started',
  'stopped',
  'clock',
  'overrun',
  ...ALARM_TYPES,
] as const

export type EventType = (typeof RECORDED_TYPES)[number]

export function isAlarmType(type: EventType): type is (typeof ALARM_TYPES)[number] {
  return ALARM_TYPES.some(one => one === type)
}

/** A call of a command, with what came of it. */
export interface RecordedCommand {
  readonly number: number
  readonly at: number
  /** Who called it. */
  readonly subject: string
  /** With its arguments, as it would be typed. */
  readonly command: string
  readonly outcome: string
}

/** The digest of an hour: of the digest before it (empty for the first), a line feed, and its text. */
export function digestOf(previous: string, hour: Hour): string {
  return hash('sha256', `${previous}\n${textOf(hour)}`, 'base64url')
}

/** The text of an hour: JSON without blanks, its fields in this order. */
export function textOf(hour: Hour): string {
  return JSON.stringify({
    history: 1,
    node: hour.node,
    position: hour.position,
    begin: hour.begin,
    end: hour.end,
    first: hour.first,
    last: hour.last,
    readingsFrom: hour.readingsFrom,
    minutesFrom: hour.minutesFrom,
    events: hour.events,
    commands: hour.commands,
    sensors: hour.sensors.map(({ name, kind, bucket, readings, minutes }) => ({
      name,
      kind,
      recordedMs: bucket.recordedMs,
      unavailableMs: bucket.unavailableMs,
      count: bucket.count,
      low: bucket.low ?? null,
      high: bucket.high ?? null,
      sum: bucket.sum,
      openings: bucket.openings,
      openMs: bucket.openMs,
      readings,
      minutes,
    })),
  })
}

/** Rows are handed to the hash by so many bytes: a call for each row costs more than the hash. */
const GATHERED_BYTES = 2_160

/** Takes rows of numbers, each as a double of eight bytes, the least significant first. */
export class NumbersHash {
  readonly #hash: Hash = createHash('sha256')
  readonly #gathered = Buffer.alloc(GATHERED_BYTES)
  #length = 0

  addReading(number: number, at: number, value: number): void {
    this.#reserve(3)
    this.#add(number)
    this.#add(at)
    this.#add(value)
  }

  addMinute(bucket: Bucket): void {
    this.#reserve(9)
    this.#add(minuteOf(bucket))
    this.#add(bucket.recordedMs)
    this.#add(bucket.unavailableMs)
    this.#add(bucket.count)
    this.#add(bucket.low ?? Infinity)
    this.#add(bucket.high ?? -Infinity)
    this.#add(bucket.sum)
    this.#add(bucket.openings)
    this.#add(bucket.openMs)
  }

  /** Base64url. Nothing can be added after that. */
  digest(): string {
    return this.#hash.update(this.#gathered.subarray(0, this.#length)).digest('base64url')
  }

  #reserve(numbers: number): void {
    if (this.#length + 8 * numbers <= GATHERED_BYTES) return
    this.#hash.update(this.#gathered.subarray(0, this.#length))
    this.#length = 0
  }

  #add(number: number): void {
    this.#length = this.#gathered.writeDoubleLE(number, this.#length)
  }
}

/** Takes rows of texts and numbers, each a line of JSON. */
export class LinesHash {
  readonly #hash: Hash = createHash('sha256')

  addEvent({ number, at, sensor, type, detail }: RecordedEvent): void {
    this.#add([number, at, sensor ?? null, type, detail])
  }

  addCommand({ number, at, subject, command, outcome }: RecordedCommand): void {
    this.#add([number, at, subject, command, outcome])
  }

  /** Base64url. Nothing can be added after that. */
  digest(): string {
    return this.#hash.digest('base64url')
  }

  #add(row: readonly unknown[]): void {
    this.#hash.update(`${JSON.stringify(row)}\n`)
  }
}

/** The place of a minute in its hour, from 0 to 59. */
export function minuteOf({ start }: Pick<Bucket, 'start'>): number {
  return Math.floor(start / MINUTE_MS) % 60
}
