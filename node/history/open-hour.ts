import { isCounted, Recorder, type ClosedMinute, type SensorState } from './recorder.ts'
import { LinesHash, NumbersHash, type Hour, type RecordedCommand } from './seal.ts'
import type { BegunHour, EventRow, KeptSensor, MinuteRow, ReadingRow } from './store.ts'

/** What the hour is filed with, beside what was recorded in it. */
export type HourFrame = Pick<Hour, 'node' | 'readingsFrom' | 'minutesFrom'>

/** An hour that is being recorded: its sums, and the hashes of all its rows. */
export class OpenHour {
  readonly begun: BegunHour
  readonly sensors: readonly KeptSensor[]
  readonly #recorder: Recorder
  readonly #places: ReadonlyMap<number, number>
  readonly #readings: readonly NumbersHash[]
  readonly #minutes: readonly NumbersHash[]
  readonly #events = new LinesHash()
  readonly #commands = new LinesHash()
  #last: number

  readonly #nameOf: ReadonlyMap<number, string>

  /**
   * @param states of each sensor, as the hour before left it; they are taken over and changed
   * @param all every sensor that ever was: alarms of one that was removed may end in this hour
   */
  constructor(
    begun: BegunHour,
    sensors: readonly KeptSensor[],
    states: readonly SensorState[],
    all: readonly KeptSensor[],
  ) {
    this.begun = begun
    this.sensors = sensors
    this.#nameOf = new Map(all.map(({ id, name }) => [id, name]))
    this.#recorder = new Recorder(begun.begin, states)
    this.#places = new Map(sensors.map(({ id }, place) => [id, place]))
    this.#readings = sensors.map(() => new NumbersHash())
    this.#minutes = sensors.map(() => new NumbersHash())
    this.#last = begun.first - 1
  }

  /** How far time has been counted. */
  get until(): number {
    return this.#recorder.until
  }

  /** The moment at which the hour of the clock is over. */
  get limit(): number {
    return this.#recorder.limit
  }

  /** Let time pass, to the end of the hour at most. @returns the minutes that are over */
  advance(moment: number): MinuteRow[] {
    return this.#keep(this.#recorder.advance(moment))
  }

  /** @param isKept false for a reading that is counted and not kept itself */
  takeReading({ sensor, number, at, value }: ReadingRow, isKept = true): void {
    const place = this.#placeOf(sensor)
    this.#recorder.tell(place, { type: 'reading', value })
    if (!isKept) return
    this.#last = Math.max(this.#last, number)
    this.#readings[place]?.addReading(number, at, value)
  }

  /** @param isKept false for an event that is counted and not kept itself */
  takeEvent({ sensor, ...event }: EventRow, isKept = true): void {
    const { type } = event
    if (sensor !== undefined && isCounted(type)) {
      this.#recorder.tell(this.#placeOf(sensor), { type })
    }
    if (!isKept) return
    this.#last = Math.max(this.#last, event.number)
    const name = sensor === undefined ? undefined : this.#nameOf.get(sensor)
    this.#events.addEvent({ ...event, sensor: name })
  }

  takeCommand(command: RecordedCommand): void {
    this.#last = Math.max(this.#last, command.number)
    this.#commands.addCommand(command)
  }

  /** End it here. Nothing can be taken after that. */
  close(frame: HourFrame): { readonly hour: Hour; readonly minutes: readonly MinuteRow[] } {
    const { minutes, hours } = this.#recorder.close()
    const kept = this.#keep(minutes)
    const hour: Hour = {
      ...frame,
      ...this.begun,
      end: this.until,
      last: this.#last,
      events: this.#events.digest(),
      commands: this.#commands.digest(),
      sensors: this.sensors.flatMap(({ name, kind }, place) => {
        const [bucket, readings, ofMinutes] = [
          hours[place],
          this.#readings[place],
          this.#minutes[place],
        ]
        if (bucket === undefined || readings === undefined || ofMinutes === undefined) return []
        return [{ name, kind, bucket, readings: readings.digest(), minutes: ofMinutes.digest() }]
      }),
    }
    return { hour, minutes: kept }
  }

  #keep(closed: readonly ClosedMinute[]): MinuteRow[] {
    const { position } = this.begun
    return closed.flatMap(({ sensor: place, bucket }) => {
      const sensor = this.sensors[place]
      if (sensor === undefined) return []
      this.#minutes[place]?.addMinute(bucket)
      return [{ sensor: sensor.id, position, bucket }]
    })
  }

  #placeOf(sensor: number): number {
    const place = this.#places.get(sensor)
    if (place === undefined) throw new RangeError('a sensor that is not of this hour')
    return place
  }
}
