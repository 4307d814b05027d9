import {
  addBucket,
  addReading,
  emptyBucket,
  HOUR_MS,
  MINUTE_MS,
  startOf,
  type Bucket,
} from './bucket.ts'

/** What is known of a sensor between two of its events. */
export interface SensorState {
  /** Whether its last word still holds: not before its first, and not while it is unavailable. */
  isKnown: boolean
  /** Whether it was open when it last said so; undefined where it never has. */
  wasOpen: boolean | undefined
}

/** What the recorder counts of an event. */
export type Told = { readonly type: 'reading'; readonly value: number } | { readonly type: State }

type State = 'open' | 'close' | 'unavailable'

/** Whether an event that is kept changes what is counted. */
export function isCounted(type: string): type is State {
  return type === 'open' || type === 'close' || type === 'unavailable'
}

/** A minute that is over, of the sensor at a place in the recorder's list. */
export interface ClosedMinute {
  readonly sensor: number
  readonly bucket: Bucket
}

/**
 * Sums up one hour, or the part of one in which the node was recording, sensor by sensor. A
 * function of what it is told and when: it has no clock, and its time never goes back. Time counts
 * from the moment at which an event came in, whatever moment the event itself names.
 */
export class Recorder {
  /** When this part of an hour begins; ends at the full hour, or before. */
  readonly begin: number
  /** Its last moment at most. */
  readonly limit: number
  readonly #states: readonly SensorState[]
  readonly #hours: readonly Bucket[]
  #minutes: Bucket[]
  #until: number

  /** @param states of each sensor, as the hour before left it; they are taken over and changed */
  constructor(begin: number, states: readonly SensorState[]) {
    this.begin = begin
    this.limit = startOf(begin, HOUR_MS) + HOUR_MS
    this.#states = states
    this.#hours = states.map(() => emptyBucket(startOf(begin, HOUR_MS)))
    this.#minutes = states.map(() => emptyBucket(startOf(begin, MINUTE_MS)))
    this.#until = begin
  }

  /** How far time has been counted. */
  get until(): number {
    return this.#until
  }

  /** Let time pass up to a moment, or to the end of the hour. @returns the minutes that are over */
  advance(moment: number): ClosedMinute[] {
    const closed: ClosedMinute[] = []
    const end = Math.min(moment, this.limit)
    while (this.#until < end) {
      const minuteEnd = startOf(this.#until, MINUTE_MS) + MINUTE_MS
      const next = Math.min(end, minuteEnd)
      this.#pass(next - this.#until)
      this.#until = next
      if (next === minuteEnd) closed.push(...this.#closeMinutes())
    }
    return closed
  }

  /** Take an event of a sensor, at the moment up to which time has been counted. */
  tell(sensor: number, event: Told): void {
    const state = this.#states[sensor]
    const minute = this.#minutes[sensor]
    if (state === undefined || minute === undefined) throw new RangeError('no such sensor')
    state.isKnown = event.type !== 'unavailable'
    if (event.type === 'reading') addReading(minute, event.value)
    if (event.type === 'open') {
      // What was open when it fell silent is still the same opening.
      if (state.wasOpen !== true) minute.openings += 1
      state.wasOpen = true
    }
    if (event.type === 'close') state.wasOpen = false
  }

  /** A sensor says something again, whatever it is. */
  know(sensor: number): void {
    const state = this.#states[sensor]
    if (state !== undefined) state.isKnown = true
  }

  /** End the hour here. @returns the minute that was under way, and the hour of each sensor */
  close(): { readonly minutes: readonly ClosedMinute[]; readonly hours: readonly Bucket[] } {
    const isUnderWay = this.#until > startOf(this.#until, MINUTE_MS)
    // An event may come in the very moment in which its minute begins.
    const hasEvents = this.#minutes.some(({ count, openings }) => count + openings > 0)
    return {
      minutes: this.#until < this.limit && (isUnderWay || hasEvents) ? this.#closeMinutes() : [],
      hours: this.#hours,
    }
  }

  #pass(ms: number): void {
    this.#states.forEach(({ isKnown, wasOpen }, sensor) => {
      const minute = this.#minutes[sensor]
      if (minute === undefined) return
      minute.recordedMs += ms
      if (!isKnown) minute.unavailableMs += ms
      else if (wasOpen === true) minute.openMs += ms
    })
  }

  #closeMinutes(): ClosedMinute[] {
    const closed = this.#minutes.map((bucket, sensor) => ({ sensor, bucket }))
    for (const { sensor, bucket } of closed) {
      const hour = this.#hours[sensor]
      if (hour !== undefined) addBucket(hour, bucket)
    }
    const next = startOf(this.#until, MINUTE_MS)
    this.#minutes = closed.map(() => emptyBucket(next))
    return closed
  }
}
