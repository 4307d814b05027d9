import type { Clock } from '../../lib/clock.ts'
import { isRecord } from '../../lib/record.ts'
import type { SensorEvent } from '../kinds.ts'
import type { TellEvent } from '../sensor.ts'
import { fieldOf, isOneOf, type Payload, type Word } from './payload.ts'

/** How a device says whether it can be reached. */
export interface AvailabilityFormat {
  /** The field of a JSON object that says it; dots lead into objects in it. Default `state`. */
  readonly field?: string | undefined
  /** What means that it can. Default `online` and true. */
  readonly online?: readonly Word[] | undefined
  /** What means that it cannot. Default `offline` and false. */
  readonly offline?: readonly Word[] | undefined
}

const AVAILABILITY_FIELD = 'state'

/** Whether a payload says that the device can be reached; undefined where it says neither. */
export function availabilityOf(
  payload: Payload,
  {
    field = AVAILABILITY_FIELD,
    online = ['online', true],
    offline = ['offline', false],
  }: AvailabilityFormat,
): boolean | undefined {
  if (payload.type !== 'value') return undefined
  const value = isRecord(payload.value) ? fieldOf(payload.value, field)?.value : payload.value
  if (value === undefined) return undefined
  const isOnline = isOneOf(online, value)
  return isOnline === isOneOf(offline, value) ? undefined : isOnline
}

/**
 * Lets the values of a device through while it does not say that it cannot be reached. A value that
 * comes meanwhile waits: a device that comes back says its value and that it is back in any order.
 * The value of before is not told again, since nobody knows whether it still holds.
 */
export class AvailabilityGate {
  readonly #tell: TellEvent
  readonly #clock: Clock
  #isOffline = false
  #waiting: SensorEvent | undefined

  constructor(tell: TellEvent, clock: Clock) {
    this.#tell = tell
    this.#clock = clock
  }

  tell(event: SensorEvent): void {
    if (this.#isOffline) this.#waiting = event
    else this.#tell(event)
  }

  /** @param isAvailable what the device says now; undefined says nothing */
  hear(isAvailable: boolean | undefined): void {
    if (isAvailable === undefined) return
    const waiting = this.#waiting
    this.#waiting = undefined
    this.#isOffline = !isAvailable
    if (!isAvailable) {
      const reason = 'the device says that it cannot be reached'
      this.#tell({ type: 'unavailable', reason, at: this.#clock.now() })
    } else if (waiting !== undefined) this.#tell(waiting)
  }
}
