import type { SensorEvent } from '../sensors/kinds.ts'
import { HOUR_MS } from './bucket.ts'
import { OpenHour } from './open-hour.ts'
import type { SensorState } from './recorder.ts'
import { recoverHour, stateBefore } from './recovery.ts'
import { isAlarmType, type ALARM_TYPES, type EventType, type RecordedCommand } from './seal.ts'
import { sealHour, type SigningNode } from './signing.ts'
import {
  emptyBatch,
  type Batch,
  type EventRow,
  type HistoryStore,
  type KeptSensor,
} from './store.ts'

/** How long what is kept, in milliseconds. */
export interface Retention {
  readonly readingsMs: number
  readonly minutesMs: number
  readonly hoursMs: number
}

export interface HistoryWriterOptions {
  readonly store: HistoryStore
  readonly node: string
  /** The sensors of the node, in the order of its configuration. */
  readonly sensors: readonly Pick<KeptSensor, 'name' | 'kind'>[]
  readonly retention: Retention
  /** What the node signs with at that time. */
  readonly signing: () => SigningNode
  /** The moment at which recording begins, milliseconds since 1970. */
  readonly now: number
  /** Why it begins, for people. */
  readonly why: string
}

/** What became of an alarm, to be kept. */
export interface AlarmNote {
  readonly sensor: string
  readonly type: (typeof ALARM_TYPES)[number]
  /** The alarm, as JSON. */
  readonly detail: string
}

/** Rows between two writes, a second apart: what comes faster is counted in the sums only. */
const MAX_PENDING = 4_096

/**
 * Turns what happens into rows: numbers it, sums it up, ends the hours, and hands all of it to the
 * store when it is told to. It has no clock and no timer. Where the store fails it throws, and is
 * of no more use: another one goes on from what was written.
 */
export class HistoryWriter {
  readonly #options: HistoryWriterOptions
  readonly #sensors: readonly KeptSensor[]
  readonly #states: readonly SensorState[]
  readonly #placeOf: ReadonlyMap<string, number>
  /** Every sensor that ever was, oldest first. */
  readonly #all: readonly KeptSensor[]
  #batch: Batch = emptyBatch()
  #pending = 0
  #overrun = 0
  #next: number
  #hour: OpenHour
  #writtenUntil: number
  #previous: string
  /** The first hours of which the readings, the minutes and the hour itself are kept. */
  #keptFrom: { readings: number; minutes: number; hours: number }
  #mustPrune = true

  /** Seals what a run before has left open, and begins. @throws what SQLite says */
  constructor(options: HistoryWriterOptions) {
    this.#options = options
    const { store, sensors, now, why } = options
    this.#sensors = sensors.map(({ name, kind }) => store.sensor(name, kind))
    this.#placeOf = new Map(sensors.map(({ name }, place) => [name, place]))
    this.#all = store.sensors()
    const recovered = recoverHour(store, options)
    this.#next = recovered.next
    this.#previous = recovered.digest
    this.#keptFrom = recovered.keptFrom
    this.#states = this.#sensors.map(({ id }) => ({
      isKnown: false,
      wasOpen: stateBefore(store.database, id, this.#next).wasOpen,
    }))
    this.#hour = this.#begin(recovered.position + 1, now)
    this.#writtenUntil = this.#hour.until
    this.#note('started', why)
    this.flush()
  }

  /**
   * The moment up to which all that was counted is written. Who reads the rows may count on up to
   * there and no further: a minute that has ended since is in no table yet.
   */
  get writtenUntil(): number {
    return this.#writtenUntil
  }

  /** Let time pass. A moment before the last one is taken for the last one. */
  advance(moment: number): void {
    const now = Math.round(moment)
    while (now >= this.#hour.limit) {
      const { position } = this.#hour.begun
      const end = this.#hour.limit
      this.#batch.minutes.push(...this.#hour.advance(end))
      this.#seal()
      this.#hour = this.#begin(position + 1, end)
    }
    this.#batch.minutes.push(...this.#hour.advance(now))
  }

  /** Take an event of a sensor that came in at a moment. */
  tell(name: string, event: SensorEvent, moment: number): void {
    this.advance(moment)
    const place = this.#placeOf.get(name)
    const sensor = place === undefined ? undefined : this.#sensors[place]
    const state = place === undefined ? undefined : this.#states[place]
    if (sensor === undefined || state === undefined) return
    // No event is kept under a moment that has not come yet.
    // A further reason is news of the moment when it came, though nothing was known before it.
    const isFurther = event.type === 'unavailable' && !state.isKnown
    const at = isFurther ? this.#hour.until : Math.min(Math.round(event.at), this.#hour.until)
    if (event.type !== 'reading') {
      const detail = event.type === 'unavailable' ? event.reason : ''
      return this.#take({ at, sensor: sensor.id, type: event.type, detail })
    }
    if (!state.isKnown) this.#take({ at, sensor: sensor.id, type: 'available', detail: '' })
    const isKept = this.#hasRoom()
    // SQLite keeps no negative zero, and the hash must be that of what is read back.
    const row = { sensor: sensor.id, number: isKept ? this.#next++ : 0, at, value: event.value + 0 }
    this.#hour.takeReading(row, isKept)
    if (isKept) this.#batch.readings.push(row)
  }

  /** Take a call of a command. */
  command(call: Omit<RecordedCommand, 'number' | 'at'>, moment: number): void {
    this.advance(moment)
    if (!this.#hasRoom()) return
    const command = { ...call, number: this.#next++, at: this.#hour.until }
    this.#hour.takeCommand(command)
    this.#batch.commands.push(command)
  }

  /** Take what became of an alarm of a sensor, which may be there no more. */
  alarm({ sensor: name, type, detail }: AlarmNote, moment: number): void {
    this.advance(moment)
    const sensor = this.#all.findLast(one => one.name === name)
    if (sensor === undefined) return
    this.#take({ at: this.#hour.until, sensor: sensor.id, type, detail })
  }

  /** The clock was set: the hour ends where it was, and another one begins where it is now. */
  jump(moment: number): void {
    const before = this.#hour.until
    const { position } = this.#hour.begun
    this.#seal()
    this.#hour = this.#begin(position + 1, Math.round(moment))
    this.#note('clock', new Date(before).toISOString())
  }

  /** End the last hour here, and write all that waits. */
  end(moment: number, why: string): void {
    this.advance(moment)
    this.#note('stopped', why)
    this.#seal()
    this.flush()
  }

  /** Write all that waits, and remove some of what is too old. @throws what SQLite says */
  flush(): void {
    this.#noteOverrun()
    const { store } = this.#options
    const batch = this.#batch
    this.#batch = emptyBatch()
    this.#pending = 0
    if (Object.values(batch).some((rows: readonly unknown[]) => rows.length > 0)) store.write(batch)
    this.#writtenUntil = this.#hour.until
    if (batch.sealed.length > 0) this.#mustPrune = true
    if (this.#mustPrune) this.#mustPrune = store.prune(this.#prunable())
  }

  #begin(position: number, begin: number): OpenHour {
    const begun = { position, begin, first: this.#next }
    this.#batch.begun.push(begun)
    return new OpenHour(begun, this.#sensors, this.#states, this.#all)
  }

  #seal(): void {
    this.#noteOverrun()
    const { node, signing, retention } = this.#options
    this.#raiseKeptFrom(retention)
    const { readings: readingsFrom, minutes: minutesFrom } = this.#keptFrom
    const frame = { node, readingsFrom, minutesFrom }
    const { sealed, minutes } = sealHour(this.#hour, frame, this.#previous, signing())
    this.#batch.minutes.push(...minutes)
    this.#batch.sealed.push(sealed)
    this.#previous = sealed.digest
  }

  /**
   * What is too old by the clock, and by the number of hours recorded since: a clock that is wrong
   * by years removes nothing.
   */
  #raiseKeptFrom({ readingsMs, minutesMs, hoursMs }: Retention): void {
    const { position } = this.#hour.begun
    const { database } = this.#options.store
    const beginOf = database.prepare('SELECT begin FROM hours WHERE position = ?')
    const raised = (from: number, keptMs: number): number => {
      const oldest = this.#hour.until - keptMs
      let next = from
      while (next < position - keptMs / HOUR_MS) {
        const begin = beginOf.get(next)?.['begin']
        if (typeof begin !== 'number' || begin >= oldest) break
        next += 1
      }
      return next
    }
    const { readings, minutes, hours } = this.#keptFrom
    this.#keptFrom = {
      readings: raised(readings, readingsMs),
      minutes: raised(minutes, minutesMs),
      hours: raised(hours, hoursMs),
    }
  }

  #prunable(): { readings: number; minutes: number; hours: number } {
    const { readings, minutes, hours } = this.#keptFrom
    const first = this.#options.store.database
      .prepare('SELECT first FROM hours WHERE position = ?')
      .get(readings)
    return { readings: Number(first?.['first'] ?? 0), minutes, hours }
  }

  #noteOverrun(): void {
    if (this.#overrun === 0) return
    this.#note('overrun', `${this.#overrun} rows came too fast to be kept`)
    this.#overrun = 0
  }

  /** Take an event of the node itself. */
  #note(type: EventType, detail: string): void {
    this.#take({ at: this.#hour.until, sensor: undefined, type, detail })
  }

  #take(event: Omit<EventRow, 'number'>): void {
    // What befell the node, and its alarms, are kept whatever else there is.
    const isKept = event.sensor === undefined || isAlarmType(event.type) || this.#hasRoom()
    const row = { ...event, number: isKept ? this.#next++ : 0 }
    this.#hour.takeEvent(row, isKept)
    if (isKept) this.#batch.events.push(row)
  }

  #hasRoom(): boolean {
    if (this.#pending < MAX_PENDING) {
      this.#pending += 1
      return true
    }
    this.#overrun += 1
    return false
  }
}
