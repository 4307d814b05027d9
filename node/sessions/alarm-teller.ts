import type { AlarmChange } from '../alarms/alarm.ts'
import type { Alarms } from '../alarms/alarms.ts'
import { STANDING } from '../alarms/alarm-stream.ts'
import { encodeEvent } from '../wire/emitter.ts'
import type { MuxStream } from '../wire/mux.ts'

/** Tells one client the alarms of the sensors that it may read, until its stream closes. */
export class AlarmTeller {
  readonly #alarms: Alarms
  readonly #stream: MuxStream
  readonly #allows: (sensor: string) => boolean

  /** @param allows whether the client may read a sensor, at the moment when it is asked */
  constructor(alarms: Alarms, stream: MuxStream, allows: (sensor: string) => boolean) {
    this.#alarms = alarms
    this.#stream = stream
    this.#allows = allows
    const subscription = alarms.subscribe(change => this.#tell(change))
    stream.onClose(() => subscription[Symbol.dispose]())
    this.tellStanding()
  }

  /** Begin anew: what the client may read has changed. */
  tellStanding(): void {
    const standing = this.#alarms.standing().filter(({ sensor }) => this.#allows(sensor))
    this.#stream.write(
      encodeEvent(
        STANDING,
        standing.map(({ id }) => id),
      ),
    )
    for (const alarm of standing) this.#tell({ state: 'raised', alarm })
  }

  #tell({ state, alarm }: AlarmChange): void {
    if (this.#allows(alarm.sensor)) this.#stream.write(encodeEvent(state, alarm))
  }
}
