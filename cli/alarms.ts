import type { Clock } from '../node/lib/clock.ts'
import type { SensorInfo } from '../node/client/node-hello.ts'
import type { SensorEvent } from '../node/sensors/kinds.ts'

export interface AlarmOptions {
  readonly clock: Clock
  /** How long a door may be open, in milliseconds. */
  readonly doorTimeoutMs: number | undefined
  /** The warmest that is no alarm, °C. */
  readonly maxTemperature: number | undefined
  readonly onAlarm: (alarm: Alarm) => void
}

/** Something that somebody must look after, or that has passed. */
export interface Alarm {
  readonly sensor: string
  readonly state: 'raised' | 'over'
  readonly text: string
}

/** The alarms over one stream of events: a door open for too long, and warmth. */
export class Alarms implements Disposable {
  readonly #options: AlarmOptions
  readonly #doors = new Map<string, Disposable>()
  readonly #raised = new Set<string>()

  constructor(options: AlarmOptions) {
    this.#options = options
  }

  hear({ name, kind }: SensorInfo, event: SensorEvent): void {
    if (kind === 'door') this.#hearDoor(name, event)
    if (kind === 'temperature' && event.type === 'reading') this.#hearReading(name, event.value)
  }

  /** Forget what a node has said: the next one says how things are. */
  [Symbol.dispose](): void {
    for (const timer of this.#doors.values()) timer[Symbol.dispose]()
    this.#doors.clear()
    this.#raised.clear()
  }

  #hearDoor(name: string, event: SensorEvent): void {
    const { clock, doorTimeoutMs } = this.#options
    this.#doors.get(name)?.[Symbol.dispose]()
    this.#doors.delete(name)
    if (event.type === 'close') this.#end(name, 'the door is closed')
    if (event.type !== 'open' || doorTimeoutMs === undefined) return
    // A door that was open before this client came has been open for that long already.
    const openForMs = Math.max(0, clock.now() - event.at)
    const timer = clock.after(Math.max(0, doorTimeoutMs - openForMs), () => {
      this.#raise(name, `the door has been open for more than ${doorTimeoutMs / 1_000} s: close it`)
    })
    this.#doors.set(name, timer)
  }

  #hearReading(name: string, value: number): void {
    const { maxTemperature } = this.#options
    if (maxTemperature === undefined) return
    if (value > maxTemperature) {
      this.#raise(name, `${value.toFixed(2)} °C is more than ${maxTemperature} °C`)
    } else this.#end(name, `${value.toFixed(2)} °C, back below ${maxTemperature} °C`)
  }

  #raise(sensor: string, text: string): void {
    if (this.#raised.has(sensor)) return
    this.#raised.add(sensor)
    this.#options.onAlarm({ sensor, state: 'raised', text })
  }

  #end(sensor: string, text: string): void {
    if (this.#raised.delete(sensor)) this.#options.onAlarm({ sensor, state: 'over', text })
  }
}
