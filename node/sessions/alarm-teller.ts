import type { AlarmChange } from '../alarms/alarm.ts'
import type { Alarms } from '../alarms/alarms.ts'
import { STANDING } from '../alarms/alarm-stream.ts'

/** Where alarms go: the stream of a client, or a page. */
export interface AlarmPlace {
  tell(event: string, value: unknown): void
  onClose(listener: () => void): void
}

/** Tells one client the alarms of the sensors that it may read, until its place for them closes. */
export class AlarmTeller {
  readonly #alarms: Alarms
  readonly #place: AlarmPlace
  readonly #allows: (sensor: string) => boolean

  /** @param allows whether the client may read a sensor, at the moment when it is asked */
  constructor(alarms: Alarms, place: AlarmPlace, allows: (sensor: string) => boolean) {
    this.#alarms = alarms
    this.#place = place
    this.#allows = allows
    const subscription = alarms.subscribe(change => this.#tell(change))
    place.onClose(() => subscription[Symbol.dispose]())
    this.tellStanding()
  }

  /** Begin anew: what the client may read has changed. */
  tellStanding(): void {
    const standing = this.#alarms.standing().filter(({ sensor }) => this.#allows(sensor))
    this.#place.tell(
      STANDING,
      standing.map(({ id }) => id),
    )
    for (const alarm of standing) this.#tell({ state: 'raised', alarm })
  }

  #tell({ state, alarm }: AlarmChange): void {
    if (this.#allows(alarm.sensor)) this.#place.tell(state, alarm)
  }
}
