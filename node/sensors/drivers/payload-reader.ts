import type { Clock } from '../../lib/clock.ts'
import { SENSOR_KINDS } from '../kinds.ts'
import type { SensorLog, TellEvent } from '../sensor.ts'
import { availabilityOf, AvailabilityGate, type AvailabilityFormat } from './availability.ts'
import {
  decodePayload,
  fieldNames,
  isValue,
  valueOf,
  type Payload,
  type PayloadFormat,
} from './payload.ts'

export interface PayloadReaderOptions extends PayloadFormat {
  readonly name: string
  readonly clock: Clock
  readonly log?: SensorLog | undefined
  /** How the payloads say whether the device can be reached. Default: they do not. */
  readonly availability?: AvailabilityFormat | undefined
}

/**
 * Turns the payloads of one device into events. What should have been a value and is none makes the
 * sensor unavailable until the next good one.
 */
export class PayloadReader {
  readonly #options: PayloadReaderOptions
  readonly #gate: AvailabilityGate
  #mayWarn = true

  constructor(options: PayloadReaderOptions, tell: TellEvent) {
    this.#options = options
    this.#gate = new AvailabilityGate(tell, options.clock)
  }

  take(bytes: Uint8Array): void {
    const { name, clock, log, availability } = this.#options
    const payload = decodePayload(bytes)
    const isAvailable =
      availability === undefined ? undefined : availabilityOf(payload, availability)
    this.hear(isAvailable)
    const now = clock.now()
    const meaning = valueOf(payload, this.#options, now)
    if (isValue(meaning)) {
      this.#mayWarn = false
      return this.#gate.tell({ ...meaning, at: meaning.at ?? now })
    }
    log?.debug({ sensor: name, bytes: bytes.length, ...meaning }, 'nothing said a value')
    // A word of availability alone is no value that went wrong.
    if (isAvailable !== undefined) return
    if (meaning.type === 'malformed') {
      return this.#gate.tell({ type: 'unavailable', reason: meaning.reason, at: now })
    }
    this.#warnOfFields(payload)
  }

  /** @param isAvailable what is said elsewhere of whether the device can be reached */
  hear(isAvailable: boolean | undefined): void {
    this.#gate.hear(isAvailable)
  }

  /** Once, and never after a first value: devices report their batteries by themselves. */
  #warnOfFields(payload: Payload): void {
    const seen = fieldNames(payload)
    if (!this.#mayWarn || seen.length === 0) return
    this.#mayWarn = false
    const { name, kind, log, field = SENSOR_KINDS[kind].field } = this.#options
    const fix = `set sensors.${name}.field to the one that holds the value`
    log?.warn({ sensor: name, field, seen, fix }, 'no field of this name: the sensor says nothing')
  }
}
